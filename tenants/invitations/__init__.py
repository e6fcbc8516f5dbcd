"""Invitations."""

from tenants.invitations.store import merged_into


__all__ = ["merged_into"]
