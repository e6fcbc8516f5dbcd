"""The Azure Marketplace as TimeTracker sees it."""

from typing import TYPE_CHECKING

from billing.marketplace.deadline import Flow, within
from billing.marketplace.errors import MarketplaceError, NotKnown, Refused, TokenRefused, Unreadable
from billing.marketplace.model import (
    IN_PROGRESS,
    PENDING,
    RESOURCE,
    SUCCEEDED,
    UNSUBSCRIBED,
    Operation,
    Plan,
    Price,
    Subscription,
    UnreadableRow,
    WebhookEvent,
)
from shared.app import App


if TYPE_CHECKING:
    from billing.marketplace.client import Marketplace  # noqa: TC004 - offered for annotations alone


__all__ = [
    "IN_PROGRESS",
    "PENDING",
    "RESOURCE",
    "SUCCEEDED",
    "UNSUBSCRIBED",
    "Flow",
    "Marketplace",
    "MarketplaceError",
    "NotKnown",
    "Operation",
    "Plan",
    "Price",
    "Refused",
    "Subscription",
    "TokenRefused",
    "Unreadable",
    "UnreadableRow",
    "WebhookEvent",
    "of",
    "within",
]


def of(app: App) -> "Marketplace | None":
    """None where the settings do not name our app in Partner Center: the Marketplace is off."""
    return app.once(_client)


def _client(app: App) -> "Marketplace | None":
    if not app.settings.marketplace_is_on:
        return None
    from billing.marketplace.client import Marketplace  # noqa: PLC0415 - a cold start does without it

    return Marketplace.of(app.settings)
