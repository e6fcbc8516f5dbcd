"""Purchases that wait for agreement, over HTTP, for those who may give it."""
