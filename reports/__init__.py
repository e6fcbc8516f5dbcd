"""What the time adds up to: the month by project, user, work item and day."""
