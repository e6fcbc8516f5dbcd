"""The app as commands run it: on the operator's database, about every tenant."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from ops.database import Database
from ops.exits import Refused, Unusable
from shared import clock
from shared.app import App
from shared.auth.signing_keys import SigningKeys
from shared.auth.tokens import TokenValidator
from shared.db.row_level_security import ALL_TENANTS
from shared.errors import ApiError


logging.getLogger("timetracker").addHandler(logging.NullHandler())  # commands print what operators need to know


@contextmanager
def app_on(database: Database) -> Iterator[App]:
    """The app with its clients, which are closed in the end.

    Raises:
        Refused: a rule of the product says no.
        Unusable: the database failed.
    """
    given = database.settings
    app = App(
        settings=given,
        engine=database.engine,
        validator=TokenValidator(SigningKeys(given.entra_keys_url), given, now=clock.now),
        about=ALL_TENANTS,
    )
    try:
        yield app
    except ApiError as error:
        raise Refused(error.detail) from error
    except sa.exc.DBAPIError as error:
        raise Unusable(f"the database failed: {type(error.orig).__name__}") from error
    finally:
        app.close()
