"""Exports: everything that is held about a person or an organization, as JSON or CSV."""
