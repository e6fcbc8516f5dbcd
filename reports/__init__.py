"""What the time adds up to: a month, a week or any days, by project, user, work item and day; as JSON, CSV or workbook."""
