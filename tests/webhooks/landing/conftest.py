import logging
from collections.abc import Callable, Iterator

import pytest

from devcloud.entra.clients import LANDING
from shared import azure_devops as azure_devops_client
from shared import clock as real_clock
from shared.app import App, use
from shared.identity import Validator
from shared.invariants import violations
from tests.support import landing as landing_support
from tests.support import marketplace as marketplace_support
from tests.support.landing import Browser, Firm, in_the_extension
from tests.support.logs import Listener
from tests.support.world import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    """Begins now, since the stand-in for Entra signs people in by the real time."""
    return FakeClock(real_clock.now())


@pytest.fixture
def shop_settings(settings, marketplace):
    """Those of an app whose purchases are this test's."""
    return settings.model_copy(
        update={
            "marketplace_api_url": marketplace.api_url,
            "marketplace_tenant_id": marketplace_support.TENANT_ID,
            "marketplace_client_id": marketplace_support.CLIENT_ID,
            "marketplace_client_secret": marketplace_support.CLIENT_SECRET,
            "landing_client_id": LANDING.id,
            "landing_client_secret": LANDING.secret,
        }
    )


@pytest.fixture
def app(shop_settings, engine, app_engine, signing_keys, clock) -> Iterator[App]:
    validator = Validator(signing_keys, shop_settings, now=clock)
    client = azure_devops_client.AzureDevOps(shop_settings.azure_devops_url)
    app = App(settings=shop_settings, engine=app_engine, validator=validator, azure_devops=client, now=clock)
    with use(app):
        yield app
    client.close()
    if app.marketplace is not None:
        app.marketplace.close()
    with engine.connect() as connection:
        assert list(violations(connection)) == []


@pytest.fixture
def firm(monkeypatch) -> Firm:
    return landing_support.known_to_entra(monkeypatch, landing_support.new_firm())


@pytest.fixture
def browser(app, host) -> Iterator[Browser]:  # noqa: ARG001 - the app is in place while requests come
    browser = Browser(host)
    yield browser
    browser.session.close()


@pytest.fixture
def member(http, entra, clock):
    """Somebody of the firm, as they use the extension."""
    return lambda account: in_the_extension(http, entra, clock, account)


@pytest.fixture
def logged() -> Iterator[Callable[[], list[str]]]:
    """The lines that the product has logged since."""
    listener, product = Listener(), logging.getLogger("timetracker")
    product.addHandler(listener)
    yield lambda: list(listener.lines)
    product.removeHandler(listener)
