"""The app with its client of the Marketplace, for commands that use the Marketplace."""

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from billing import marketplace
from billing.marketplace.errors import MarketplaceError
from ops.app import open_app
from ops.arguments import parse_id
from ops.database import open_database
from ops.errors import ServiceUnavailable, WrongUsage
from shared.app import App


if TYPE_CHECKING:
    from billing.marketplace.client import MarketplaceClient


_NEEDED: Final = (
    "ENTRA_AUTHORITY",
    "MARKETPLACE_API_URL",
    "MARKETPLACE_TENANT_ID",
    "MARKETPLACE_CLIENT_ID",
    "MARKETPLACE_CLIENT_SECRET",
    "MARKETPLACE_METERING_DIMENSION",
    "MARKETPLACE_OFFERS",
)


def parse_marketplace_id(name: str) -> uuid.UUID:
    """Raises WrongUsage where it is not an id of Microsoft."""
    return parse_id(name, "an id of a subscription or operation", see="marketplace reconcile --dry-run")


@contextmanager
def open_marketplace(environment: Mapping[str, str] = os.environ) -> Iterator[tuple[App, "MarketplaceClient"]]:
    """The app, and its client of the Marketplace.

    Raises:
        WrongUsage: the Marketplace is off.
        ServiceUnavailable: the database or the Marketplace cannot be used.
    """
    with open_database(environment, *_NEEDED) as database, open_app(database) as app:
        client = marketplace.of(app)
        if client is None:
            raise WrongUsage(
                "the Marketplace is off; set MARKETPLACE_TENANT_ID, _CLIENT_ID and _CLIENT_SECRET as in the app"
            )
        try:
            yield app, client
        except MarketplaceError as error:
            raise ServiceUnavailable(f"the Marketplace is unavailable: {error.reason}") from error


@contextmanager
def open_metered_app(environment: Mapping[str, str] = os.environ) -> Iterator[App]:
    """The app, with usage reporting on.

    Raises:
        WrongUsage: the Marketplace or usage reporting is off.
        ServiceUnavailable: the database or the Marketplace cannot be used.
    """
    with open_marketplace(environment) as (app, _):
        if not app.settings.marketplace_metering_dimension:
            raise WrongUsage("usage reporting is off; set MARKETPLACE_METERING_DIMENSION as in the app")
        yield app
