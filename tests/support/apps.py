"""The App of one test, in the place of the process's own; when the test is over every invariant still holds."""

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


# In one statement, since it follows every test; which rows break an invariant is asked where one is broken.
_BROKEN: Final = sa.union_all(*(sa.select(sa.literal(1)).where(query.exists()) for query in INVARIANTS.values()))


def find_broken(connection: sa.Connection) -> list[Violation]:
    return list(find_violations(connection, INVARIANTS)) if connection.execute(_BROKEN).first() else []


@contextmanager
def running_app(
    settings: Settings, engine: sa.Engine, app_engine: sa.Engine, signing_keys: SigningKeys, clock: FakeClock
) -> Iterator[App]:
    """Works through `app_engine`, as the product does; `engine` sees every tenant in the end."""
    validator = TokenValidator(signing_keys, settings, now=clock)
    app = App(settings=settings, engine=app_engine, validator=validator, now=clock)
    azure_devops.of(app)._shared.sleep = lambda _: None  # between tries of a read
    with use(app):
        yield app
    app.close()
    with engine.connect() as connection:
        assert find_broken(connection) == []
