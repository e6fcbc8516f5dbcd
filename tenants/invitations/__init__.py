"""Invitations: accounts that wait, until an end, for the person they are meant for."""

from tenants.invitations.store import merged_into


__all__ = ["merged_into"]
