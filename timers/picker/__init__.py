"""The work items that a person picks from: recent ones and favorites."""
