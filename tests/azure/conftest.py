from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from shared.db import azure_sql
from tests.support import odbc, sql_server
from tests.support.sql_server import SqlServer


class Identity:
    """What Entra would give the app's managed identity; a token has all of Unicode's planes in it for good measure."""

    token = "eyJ.tökén-𝄞"

    def get_token(self, *scopes):
        assert scopes == (azure_sql.SCOPE,)
        return SimpleNamespace(token=self.token)


@pytest.fixture(scope="session")
def scripted_server(tmp_path_factory) -> Iterator[SqlServer]:
    folder = tmp_path_factory.mktemp("sql-server")
    with sql_server.running(folder) as server, odbc.required(folder, folder / "server.pem"):
        yield server


@pytest.fixture
def azure(scripted_server) -> Iterator[SqlServer]:
    yield scripted_server
    scripted_server.reset()


@pytest.fixture
def azure_engine(azure) -> Iterator[sa.Engine]:
    engine = azure_sql.build_engine(sa.make_url(azure.url), pool_size=2, wait_seconds=5, credential=Identity())
    yield engine
    engine.dispose()
