"""The App of one test, in the place of the process's own; when the test is over every invariant still holds."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from shared import azure_devops as azure_devops_client
from shared.app import App, use
from shared.identity import Validator
from shared.invariants import violations
from shared.settings import Settings
from shared.signing_keys import SigningKeys
from tests.support.world import FakeClock


@contextmanager
def in_place(
    settings: Settings, engine: sa.Engine, app_engine: sa.Engine, signing_keys: SigningKeys, clock: FakeClock
) -> Iterator[App]:
    """Works through `app_engine`, as the product does; `engine` sees every tenant in the end."""
    validator = Validator(signing_keys, settings, now=clock)
    client = azure_devops_client.AzureDevOps(settings.azure_devops_url, sleep=lambda _: None)  # between tries of a read
    app = App(settings=settings, engine=app_engine, validator=validator, azure_devops=client, now=clock)
    with use(app):
        yield app
    client.close()
    if app.marketplace is not None:
        app.marketplace.close()
    with engine.connect() as connection:
        assert list(violations(connection)) == []
