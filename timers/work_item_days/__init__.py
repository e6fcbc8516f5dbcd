"""The time of a person on a work item and a day, as one number that can be set."""
