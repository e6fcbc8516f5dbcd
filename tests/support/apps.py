"""Replaces the process's App for a test, and checks all invariants after it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import sqlalchemy as sa

from function_app import INVARIANTS
from shared.app import App, use
from shared.auth.signing_keys import SigningKeys
from shared.auth.tokens import TokenValidator
from shared.health.invariants import Violation, find_violations
from shared.settings import Settings
from tests.support.world import FakeClock
from timers import azure_devops


# One statement, since it runs after every test; only a violation makes the slow search for its rows run.
_BROKEN: Final = sa.union_all(*(sa.select(sa.literal(1)).where(query.exists()) for query in INVARIANTS.values()))


def find_broken(connection: sa.Connection) -> list[Violation]:
    return list(find_violations(connection, INVARIANTS)) if connection.execute(_BROKEN).first() else []


@contextmanager
def running_app(
    settings: Settings, engine: sa.Engine, app_engine: sa.Engine, signing_keys: SigningKeys, clock: FakeClock
) -> Iterator[App]:
    """The app uses `app_engine`; the check of the invariants uses `engine`, which sees all tenants."""
    validator = TokenValidator(signing_keys, settings, now=clock)
    app = App(settings=settings, engine=app_engine, validator=validator, now=clock)
    azure_devops.of(app)._shared.sleep = lambda _: None  # between tries of a read
    with use(app):
        yield app
    app.close()
    with engine.connect() as connection:
        assert find_broken(connection) == []
