"""Shared by tests: databases, people, emulators, and readers of output."""
