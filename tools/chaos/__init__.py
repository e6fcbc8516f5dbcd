"""Chaos tests: users at work during faults, then a comparison of their responses with the stored data."""
