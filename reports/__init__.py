"""What the time adds up to: a month, a week or any days; as JSON, CSV or workbook."""
