"""Subscriptions: purchases and agreements with their terms, prices and events."""

from billing.subscriptions.ledger_store import add_event, last_price, without_price
from billing.subscriptions.model import (
    Confirmation,
    Event,
    EventSource,
    Outcome,
    Quote,
    Subscription,
    SubscriptionChange,
    SubscriptionStatus,
    Terms,
)
from billing.subscriptions.rules import (
    apply_terms,
    fill_missing_terms,
    lacks_seats,
    quote_alarms,
    quote_of,
    term_text,
    terms_of,
)
from billing.subscriptions.service import another_is_live, begin, find_other_live, move
from billing.subscriptions.store import all_bought, find_bought, find_live, has_open, read


__all__ = [
    "Confirmation",
    "Event",
    "EventSource",
    "Outcome",
    "Quote",
    "Subscription",
    "SubscriptionChange",
    "SubscriptionStatus",
    "Terms",
    "add_event",
    "all_bought",
    "another_is_live",
    "apply_terms",
    "begin",
    "fill_missing_terms",
    "find_bought",
    "find_live",
    "find_other_live",
    "has_open",
    "lacks_seats",
    "last_price",
    "move",
    "quote_alarms",
    "quote_of",
    "read",
    "term_text",
    "terms_of",
    "without_price",
]
