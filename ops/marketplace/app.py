"""The app as commands have it that ask the Marketplace: on the operator's database, with the settings for that."""

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from billing import marketplace
from billing.marketplace.errors import MarketplaceError
from ops.app import app_on
from ops.database import opened
from ops.exits import Unusable
from shared.app import App


if TYPE_CHECKING:
    from billing.marketplace.client import Marketplace


_NEEDED: Final = (
    "ENTRA_AUTHORITY",
    "MARKETPLACE_API_URL",
    "MARKETPLACE_TENANT_ID",
    "MARKETPLACE_CLIENT_ID",
    "MARKETPLACE_CLIENT_SECRET",
    "MARKETPLACE_METERING_DIMENSION",
    "MARKETPLACE_OFFERS",
)


def guid_of(name: str) -> uuid.UUID:
    """Microsoft's id, as an operator writes it.

    Raises:
        Unusable: it is none.
    """
    try:
        return uuid.UUID(name)
    except ValueError:
        raise Unusable(f"{name!a} is no id; see: python -m ops marketplace reconcile --dry-run") from None


@contextmanager
def opened_marketplace(environment: Mapping[str, str] = os.environ) -> Iterator[tuple[App, "Marketplace"]]:
    """The app, and its client of the Marketplace.

    Raises:
        Unusable: the database or the Marketplace cannot be used, or is off.
    """
    with opened(environment, *_NEEDED) as database, app_on(database) as app:
        client = marketplace.of(app)
        if client is None:
            raise Unusable("the Marketplace is off; set the settings MARKETPLACE_… as the app has them")
        try:
            yield app, client
        except MarketplaceError as error:
            raise Unusable(f"the Marketplace cannot be asked: {error.reason}") from error


@contextmanager
def opened_metered(environment: Mapping[str, str] = os.environ) -> Iterator[App]:
    """The app, able to tell the meter.

    Raises:
        Unusable: the database or the Marketplace cannot be used, or nothing is metered.
    """
    with opened_marketplace(environment) as (app, _):
        if not app.settings.marketplace_metering_dimension:
            raise Unusable("no usage is metered; set MARKETPLACE_METERING_DIMENSION as the app has it")
        yield app
