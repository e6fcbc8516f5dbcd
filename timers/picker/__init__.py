"""The work items that a person picks from: recent ones, favorites, and those that a search finds."""
