"""Repeats erasures and privacy preferences in a database restored from a backup."""
