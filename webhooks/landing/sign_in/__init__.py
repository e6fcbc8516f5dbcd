"""The sign-in to the landing page, at Entra."""

from typing import TYPE_CHECKING

from shared.app import App


if TYPE_CHECKING:
    from webhooks.landing.sign_in.client import SignIns


def of(app: App) -> "SignIns | None":
    """None where the settings have no sign-in for buyers; then there is no landing page."""
    return app.once(_client)


def _client(app: App) -> "SignIns | None":
    if not app.settings.landing_page_is_on:
        return None
    from webhooks.landing.sign_in.client import SignIns  # noqa: PLC0415 - a cold start does without it

    return SignIns(app.settings, app.validator.keys, now=app.now)
