"""Measures what the product costs, against the aims of docs/performance.md, a baseline and a peer."""
