"""The catalogue: every column of every table, and what it may hold of a person."""
