"""Exports of all data about a person or an organization, as JSON or CSV."""
