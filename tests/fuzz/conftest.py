"""The product with everything on: whatever is fuzzed meets a landing page and a webhook that answer."""

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from devcloud.entra.clients import LANDING
from shared import azure_devops as azure_devops_client
from shared.app import App, use
from shared.identity import Validator
from shared.invariants import violations
from tests.support import marketplace as marketplace_support
from tests.support import purchases
from tests.support.logs import Listener
from tests.support.marketplace import Marketplace


LONG = os.environ.get("TEST_LONG") == "1"


@pytest.fixture
def marketplace(entra, host, clock, tmp_path) -> Iterator[Marketplace]:
    webhook = f"{host}/api/marketplace/webhook"
    with marketplace_support.running(tmp_path, entra.authority, webhook=webhook, now=clock) as stand_in:
        yield stand_in


@pytest.fixture
def app(settings, marketplace, engine, signing_keys, clock) -> Iterator[App]:
    shop = purchases.with_marketplace(settings, marketplace)
    shop = shop.model_copy(update={"landing_client_id": LANDING.id, "landing_client_secret": LANDING.secret})
    client = azure_devops_client.AzureDevOps(shop.azure_devops_url)
    validator = Validator(signing_keys, shop, now=clock)
    app = App(settings=shop, engine=engine, validator=validator, azure_devops=client, now=clock)
    with use(app):
        yield app
    client.close()
    if app.marketplace is not None:
        app.marketplace.close()
    with engine.connect() as connection:
        assert list(violations(connection)) == []


@dataclass
class Logged:
    """What the product logs."""

    listener: Listener

    def since(self, call: Callable[[], object]) -> list[str]:
        """The lines of one call."""
        self.listener.lines.clear()
        call()
        return list(self.listener.lines)


@pytest.fixture
def logged() -> Iterator[Logged]:
    listener, product = Listener(), logging.getLogger("timetracker")
    product.addHandler(listener)
    yield Logged(listener)
    product.removeHandler(listener)
