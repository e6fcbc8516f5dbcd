from collections.abc import Iterator

import pytest

from shared.app import App, build
from shared.settings import Settings
from tests.faults import product
from tests.faults.product import Crowd
from tests.support import marketplace as marketplace_support
from tests.support import purchases, webhook_proxy
from tests.support.marketplace import Marketplace
from tests.support.webhook_proxy import WebhookProxy
from tests.support.world import new_id


@pytest.fixture(scope="session")
def internal_tids() -> list[str]:
    """Directories on the internal plan, without limits."""
    return [new_id() for _ in range(16)]


@pytest.fixture(scope="module")
def two_hosts(app_database_url, entra, internal_tids, tmp_path_factory) -> Iterator[tuple[str, str]]:
    """Two processes on one database."""
    logs = tmp_path_factory.mktemp("hosts")
    settings = product.environment(app_database_url, entra, INTERNAL_TENANT_IDS=",".join(internal_tids))
    with product.host(logs / "first", settings) as first, product.host(logs / "second", settings) as second:
        yield first, second


@pytest.fixture(scope="module")
def one_host(app_database_url, entra, tmp_path_factory) -> Iterator[str]:
    settings = product.environment(app_database_url, entra)
    with product.host(tmp_path_factory.mktemp("host") / "log", settings) as base:
        yield base


@pytest.fixture(scope="module")
def crowd() -> Iterator[Crowd]:
    crowd = Crowd(32)
    yield crowd
    crowd.close()


@pytest.fixture(scope="module")
def proxy() -> Iterator[WebhookProxy]:
    with webhook_proxy.running() as running_proxy:
        yield running_proxy


@pytest.fixture(scope="module")
def emulator(entra, proxy, tmp_path_factory) -> Iterator[Marketplace]:
    folder = tmp_path_factory.mktemp("emulator")
    with marketplace_support.running(folder, entra.authority, webhook=proxy.url) as emulator:
        emulator.execute("pace", retry_seconds=0.02)
        yield emulator


@pytest.fixture(scope="module")
def marketplace_environment(app_database_url, entra, emulator) -> dict[str, str]:
    return product.environment(app_database_url, entra, **purchases.marketplace_settings(emulator))


@pytest.fixture(scope="module")
def local_app(marketplace_environment) -> Iterator[App]:
    app = build(Settings.from_env(marketplace_environment))
    yield app
    app.engine.dispose()
