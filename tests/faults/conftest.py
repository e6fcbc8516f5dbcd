from collections.abc import Iterator

import pytest

from tests.faults import product
from tests.faults.product import Crowd
from tests.support.world import new_id


@pytest.fixture(scope="session")
def internal_tids() -> list[str]:
    """Directories on the internal plan, which has no cap."""
    return [new_id() for _ in range(16)]


@pytest.fixture(scope="module")
def two_hosts(database_url, entra, internal_tids, tmp_path_factory) -> Iterator[tuple[str, str]]:
    """Two processes on one database."""
    logs = tmp_path_factory.mktemp("hosts")
    settings = product.environment(database_url, entra, INTERNAL_TENANT_IDS=",".join(internal_tids))
    with product.host(logs / "first", settings) as first, product.host(logs / "second", settings) as second:
        yield first, second


@pytest.fixture(scope="module")
def one_host(database_url, entra, tmp_path_factory) -> Iterator[str]:
    settings = product.environment(database_url, entra)
    with product.host(tmp_path_factory.mktemp("host") / "log", settings) as base:
        yield base


@pytest.fixture(scope="module")
def crowd() -> Iterator[Crowd]:
    crowd = Crowd(32)
    yield crowd
    crowd.close()
