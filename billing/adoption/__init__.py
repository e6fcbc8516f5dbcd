"""Adoption of usage that the meter lists and a restored database lacks: it counts as reported."""
