"""The app on the operator's database, for all tenants."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from ops.database import Database
from ops.errors import CommandRejected, ServiceUnavailable
from shared import clock
from shared.app import App
from shared.auth.signing_keys import SigningKeys
from shared.auth.tokens import TokenValidator
from shared.db.row_level_security import ALL_TENANTS
from shared.errors import ApiError


logging.getLogger("timetracker").addHandler(logging.NullHandler())  # commands print their own messages


@contextmanager
def open_app(database: Database) -> Iterator[App]:
    """The app with its clients, which are closed at the end.

    Raises:
        CommandRejected: a rule of the product rejected the command.
        ServiceUnavailable: the database failed.
    """
    app = App(
        settings=database.settings,
        engine=database.engine,
        validator=TokenValidator(SigningKeys(database.settings.entra_keys_url), database.settings, now=clock.now),
        default_tenant=ALL_TENANTS,
    )
    try:
        yield app
    except ApiError as error:
        raise CommandRejected(error.detail) from error
    except sa.exc.DBAPIError as error:
        raise ServiceUnavailable(f"the database failed: {type(error.orig).__name__}") from error
    finally:
        app.close()
