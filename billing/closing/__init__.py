"""Bills: each month is closed once, as an append-only record."""

from billing.closing.service import Closing, close_ended
from billing.closing.store import has_unbilled


__all__ = ["Closing", "close_ended", "has_unbilled"]
