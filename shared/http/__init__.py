"""The HTTP edge: declares operations, checks and parses what comes in, and shapes every answer."""
