"""A real SQL Server as the third engine of the tests, given by TEST_MSSQL_URL; see docs/testing.md.

Its databases have the options of the Bicep template. TEST_MSSQL_CERTIFICATE is the file of a certificate to trust, if
no authority known to this machine has signed it.
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


PASSWORD = "Not-a-secret-0"  # of a login for databases of tests


def is_given() -> bool:
    return bool(os.environ.get("TEST_MSSQL_URL"))


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """The URL of the given server's maintenance database, with the driver in place and its certificate trusted."""
    certificate = os.environ.get("TEST_MSSQL_CERTIFICATE")
    with odbc.required(folder, Path(certificate) if certificate else None):
        yield os.environ["TEST_MSSQL_URL"]


def make_database(server_url: str, name: str) -> str:
    """Creates an empty database in place of the former one; returns its URL."""
    # SQL Server copies the database `model` each time, for one process at a time
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
    """The database's URL for a login that reads and writes rows and changes no table, like the app's identity."""
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
