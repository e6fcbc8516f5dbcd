"""Detects a database that came back from a backup, and holds its outward actions until an operator accepts it."""
