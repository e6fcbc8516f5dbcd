"""The Azure Marketplace as TimeTracker sees it."""

from typing import TYPE_CHECKING

from shared.app import App


if TYPE_CHECKING:
    from billing.marketplace.client import Marketplace


def of(app: App) -> "Marketplace | None":
    """None where the settings do not name our app in Partner Center: the Marketplace is off."""
    return app.once(_client)


def _client(app: App) -> "Marketplace | None":
    if not app.settings.marketplace_is_on:
        return None
    from billing.marketplace.client import Marketplace  # noqa: PLC0415 - a cold start does without it

    return Marketplace.of(app.settings)
