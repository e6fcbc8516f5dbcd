"""Invitations: accounts that a person claims at their first sign-in, until they expire."""

from tenants.invitations.store import merged_into


__all__ = ["merged_into"]
