"""What a period comes to: months are closed once, each as a record that stays."""

from billing.closing.service import Closing, close_ended
from billing.closing.store import has_unbilled


__all__ = ["Closing", "close_ended", "has_unbilled"]
