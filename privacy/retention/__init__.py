"""Retention: what is kept how long, and its removal when the time is over."""
