"""Notices: what a tenant's people are told on their pages of what was done."""
