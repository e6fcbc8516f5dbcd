"""Stops timers that exceed the tenant's limit."""
