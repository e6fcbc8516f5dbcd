"""Reads the timer log."""
