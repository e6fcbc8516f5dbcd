"""The product with all features on, including the landing page and the webhook."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from shared.app import App
from shared.settings import Settings
from tests.support import apps, purchases
from tests.support import marketplace as marketplace_support
from tests.support.logs import LogCollector
from tests.support.marketplace import Marketplace


@pytest.fixture
def marketplace(entra, host, clock, tmp_path) -> Iterator[Marketplace]:
    webhook = f"{host}/api/marketplace/webhook"
    with marketplace_support.running(tmp_path, entra.authority, webhook=webhook, now=clock) as emulator:
        yield emulator


@pytest.fixture
def shop(settings, marketplace) -> Settings:
    return purchases.with_landing_page(settings, marketplace)


@pytest.fixture
def app(shop, engine, app_engine, signing_keys, clock) -> Iterator[App]:
    with apps.running_app(shop, engine, app_engine, signing_keys, clock) as app:
        yield app


@dataclass
class ProductLog:
    """The product's log."""

    collector: LogCollector

    def since(self, call: Callable[[], object]) -> list[str]:
        """The lines of one call."""
        self.collector.lines.clear()
        call()
        return list(self.collector.lines)


@pytest.fixture
def product_log() -> Iterator[ProductLog]:
    collector, product = LogCollector(), logging.getLogger("timetracker")
    product.addHandler(collector)
    yield ProductLog(collector)
    product.removeHandler(collector)
