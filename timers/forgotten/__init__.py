"""Forgotten timers: stopped when they run longer than the tenant allows."""
