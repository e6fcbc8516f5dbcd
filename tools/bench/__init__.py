"""Benchmarks of the product against the aims of docs/performance.md, a baseline and a peer."""
