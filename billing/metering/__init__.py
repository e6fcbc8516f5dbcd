"""The usage outbox: events reported once to the Marketplace's meter, and the comparison with its list."""

from billing.metering.flow import send_at_once


__all__ = ["send_at_once"]
