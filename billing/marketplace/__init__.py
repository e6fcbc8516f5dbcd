"""The client of the Azure Marketplace."""

from typing import TYPE_CHECKING

from billing.marketplace.errors import (
    MarketplaceError,
    MarketplaceNotFound,
    MarketplaceRefused,
    PurchaseTokenRefused,
    UnreadableResponse,
)
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
from shared.deadline import Deadline


if TYPE_CHECKING:
    from billing.marketplace.client import MarketplaceClient  # noqa: TC004 - offered for annotations alone


__all__ = [
    "IN_PROGRESS",
    "PENDING",
    "RESOURCE",
    "SUCCEEDED",
    "UNSUBSCRIBED",
    "Deadline",
    "MarketplaceClient",
    "MarketplaceError",
    "MarketplaceNotFound",
    "MarketplaceRefused",
    "Operation",
    "Plan",
    "Price",
    "PurchaseTokenRefused",
    "Subscription",
    "UnreadableResponse",
    "UnreadableRow",
    "WebhookEvent",
    "of",
    "within",
]


def of(app: App) -> "MarketplaceClient | None":
    """None if the settings do not name our app in Partner Center: the Marketplace is off."""
    return app.once(_build_client)


def _build_client(app: App) -> "MarketplaceClient | None":
    if not app.settings.marketplace_is_on:
        return None
    from billing.marketplace.client import MarketplaceClient  # noqa: PLC0415 - a cold start does without it

    return MarketplaceClient.of(app.settings)
