"""The catalog of personal data: the kind of data in every column of every table."""
