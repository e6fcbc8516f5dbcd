"""Notices that the database came back from a backup, and holds what acts outward until an operator has accepted it."""
