import json
import logging
from collections.abc import Callable, Iterator

import pytest

from shared import clock as real_clock
from shared.settings import Settings
from tests.support import landing as landing_support
from tests.support import purchases
from tests.support.landing import Browser, Firm, extension_user
from tests.support.logs import LogCollector
from tests.support.world import FakeClock
from webhooks.landing import purchase_flow


@pytest.fixture
def clock() -> FakeClock:
    """Begins now, since the Entra emulator signs people in by the real time."""
    return FakeClock(real_clock.now())


@pytest.fixture
def shop(settings, marketplace) -> Settings:
    """The settings with the test's Marketplace and the landing page."""
    return purchases.with_landing_page(settings, marketplace)


@pytest.fixture
def firm(monkeypatch) -> Firm:
    return landing_support.register_in_entra(monkeypatch, landing_support.new_firm())


@pytest.fixture
def browser(app, host) -> Iterator[Browser]:  # noqa: ARG001 - the app is in place while requests come
    browser = Browser(host)
    yield browser
    browser.session.close()


@pytest.fixture
def member(http, entra, clock):
    """A person of the firm with the extension's token."""
    return lambda account: extension_user(http, entra, clock, account)


@pytest.fixture
def short_activation_wait(monkeypatch) -> None:
    """The page waits a moment for an activation to show, not three seconds."""
    monkeypatch.setattr(purchase_flow, "_ACTIVATION_SECONDS", 0.1)


@pytest.fixture
def log_lines() -> Iterator[Callable[[], list[str]]]:
    """The lines that the product has logged since."""
    collector, product = LogCollector(), logging.getLogger("timetracker")
    product.addHandler(collector)
    yield lambda: list(collector.lines)
    product.removeHandler(collector)


@pytest.fixture
def codes(log_lines) -> Callable[[], list[str]]:
    """The codes of the pages' refusals since."""
    return lambda: [line["code"] for line in map(json.loads, log_lines()) if line["event"] == "request_refused"]
