"""Usage: what the Marketplace's meter is owed, told once, and compared with what it has."""

from billing.metering.flow import send_at_once


__all__ = ["send_at_once"]
