import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.app import App
from shared.settings import Settings
from tests.support import apps, purchases
from tests.support import marketplace as marketplace_support
from tests.support.logs import LogCollector
from tests.support.marketplace import Marketplace
from tests.support.purchases import Purchase
from tests.support.world import Person, World


@pytest.fixture
def marketplace(entra, host, clock, tmp_path) -> Iterator[Marketplace]:
    """A Marketplace of the test's own, which calls the product's webhook."""
    webhook = f"{host}/api/marketplace/webhook"
    with marketplace_support.running(tmp_path, entra.authority, webhook=webhook, now=clock) as emulator:
        yield emulator


@pytest.fixture
def shop(settings, marketplace) -> Settings:
    """The settings with the Marketplace on."""
    return purchases.with_marketplace(settings, marketplace)


@pytest.fixture
def app(shop, engine, app_engine, signing_keys, clock) -> Iterator[App]:
    with apps.running_app(shop, engine, app_engine, signing_keys, clock) as app:
        yield app


@pytest.fixture
def owner(world: World) -> Person:
    """The super admin of a tenant."""
    return world.tenant()


@pytest.fixture
def purchase(app, marketplace, owner) -> Purchase:
    """Five seats, in force."""
    return purchases.add_active_purchase(app, marketplace, owner.tid)


@pytest.fixture
def log_lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """The lines that the product has logged since."""
    collector, product = LogCollector(), logging.getLogger("timetracker")
    product.addHandler(collector)
    yield lambda: [json.loads(line) for line in collector.lines if line.startswith("{")]
    product.removeHandler(collector)
