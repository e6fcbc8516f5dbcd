"""Sign-in to our own pages."""

from typing import TYPE_CHECKING

from shared.app import App


if TYPE_CHECKING:
    from webhooks.landing.sign_in.client import SignInClient


def of(app: App) -> "SignInClient | None":
    """None if the settings have no sign-in for buyers; then there is no landing page."""
    return app.once(_build_client)


def _build_client(app: App) -> "SignInClient | None":
    if not app.settings.landing_page_is_on:
        return None
    from webhooks.landing.sign_in.client import SignInClient  # noqa: PLC0415 - a cold start does without it

    return SignInClient(app.settings, app.validator.keys, now=app.now)
