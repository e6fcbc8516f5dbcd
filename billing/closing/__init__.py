"""The closing of months: which are owed, who was active, what each comes to, and the record it becomes."""
