"""A real SQL Server as the third engine of the tests, where TEST_MSSQL_URL names one; see docs/testing.md.

Its databases are made as the Bicep makes Azure's. The certificate that the server shows, where no authority of this
machine's signed it, is the file that TEST_MSSQL_CERTIFICATE names.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from ops.database_requirements import COLLATION
from ops.grant_access import denials
from shared.db.engine import make_engine
from tests.support import odbc


PASSWORD = "Not-a-secret-0"  # of a login that reads and writes the rows of databases made by tests


def is_given() -> bool:
    return bool(os.environ.get("TEST_MSSQL_URL"))


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """The URL of the given server's maintenance database, with the driver in place and its certificate trusted."""
    certificate = os.environ.get("TEST_MSSQL_CERTIFICATE")
    with odbc.required(folder, Path(certificate) if certificate else None):
        yield os.environ["TEST_MSSQL_URL"]


def make_database(server_url: str, name: str) -> str:
    """Makes an empty database anew; its URL."""
    # Each is copied from the one that is called `model`, by one at a time
    with (Path(tempfile.gettempdir()) / f"timetracker-mssql-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _run(
            server_url,
            f"DROP DATABASE IF EXISTS [{name}]",
            f"CREATE DATABASE [{name}] COLLATE {COLLATION}",
            f"ALTER DATABASE [{name}] SET READ_COMMITTED_SNAPSHOT ON",
        )
    return sa.make_url(server_url).set(database=name).render_as_string(hide_password=False)


def drop_database(server_url: str, name: str) -> None:
    """Removes a database and ends the connections to it."""
    _run(
        server_url,
        f"ALTER DATABASE [{name}] SET SINGLE_USER WITH ROLLBACK IMMEDIATE",
        f"DROP DATABASE [{name}]",
    )


def make_login(server_url: str, database_url: str, name: str) -> str:
    """A login that reads and writes rows and changes no table, as the app's identity; its URL of the database."""
    _run(
        server_url,
        f"IF SUSER_ID(N'{name}') IS NULL CREATE LOGIN [{name}] WITH PASSWORD = N'{PASSWORD}', CHECK_POLICY = OFF",
    )
    _run(
        database_url,
        f"IF USER_ID(N'{name}') IS NULL CREATE USER [{name}] FOR LOGIN [{name}]",
        f"ALTER ROLE db_datareader ADD MEMBER [{name}]",
        f"ALTER ROLE db_datawriter ADD MEMBER [{name}]",
        *denials(name),
    )
    return sa.make_url(database_url).set(username=name, password=PASSWORD).render_as_string(hide_password=False)


def _run(url: str, *statements: str) -> None:
    engine = make_engine(url, pool_size=1)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()
