"""The timer log, as it is read."""
