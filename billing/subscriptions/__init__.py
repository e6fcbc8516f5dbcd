"""Subscriptions: what a tenant pays for, on which terms and at which price, and what moved it."""

from billing.subscriptions.ledger_store import add_event, last_price, without_price
from billing.subscriptions.model import (
    Agreed,
    Event,
    EventSource,
    Moved,
    Outcome,
    Quote,
    Subscription,
    SubscriptionStatus,
    Terms,
)
from billing.subscriptions.rules import alarms_of, completed, lacks_seats, moved, quote_of, term_text, terms_of
from billing.subscriptions.service import another_is_live, begin, in_the_way, move
from billing.subscriptions.store import all_bought, find_bought, find_live, has_open, read


__all__ = [
    "Agreed",
    "Event",
    "EventSource",
    "Moved",
    "Outcome",
    "Quote",
    "Subscription",
    "SubscriptionStatus",
    "Terms",
    "add_event",
    "alarms_of",
    "all_bought",
    "another_is_live",
    "begin",
    "completed",
    "find_bought",
    "find_live",
    "has_open",
    "in_the_way",
    "lacks_seats",
    "last_price",
    "move",
    "moved",
    "quote_of",
    "read",
    "term_text",
    "terms_of",
    "without_price",
]
