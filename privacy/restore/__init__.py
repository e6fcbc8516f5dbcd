"""The rights of people in a database that came back from a backup: put into force again."""
