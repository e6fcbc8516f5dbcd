"""Retention: the periods of all data, and the removal of expired data."""
