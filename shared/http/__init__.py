"""The HTTP edge: declares operations, checks and parses requests, and builds responses."""
