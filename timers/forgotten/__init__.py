"""Forgotten."""
