"""What a period comes to: months are closed once, each as a record that stays."""

from billing.closing.service import Closing, close_ended


__all__ = ["Closing", "close_ended"]
