"""How a transaction begins on SQLite and PostgreSQL: said by the dialect, since a listener of the engine's taxes it.

SQLAlchemy asks around before and after every statement of an engine that has any listener, about eight hundredths of a
start or a stop.
"""

import sqlite3
from typing import Any, ClassVar, Final

import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import URL
from sqlalchemy.engine.characteristics import ConnectionCharacteristic

from shared.db import wall


READS_ONLY: Final = "reads_only"  # the execution option of a connection whose transactions leave the write lock alone
_DRIVER: Final = "timetracker"


class SqliteConnection(sqlite3.Connection):
    """The driver's connection, with the words its next transaction begins with."""

    # A writer takes the write lock at once: upgrading from a read would fail under contention
    begin: str = "BEGIN IMMEDIATE"


class _ReadsOnly(ConnectionCharacteristic):
    """Has the transactions of a connection begin without the write lock, until it goes back to the pool."""

    transactional: ClassVar[bool] = True

    def set_characteristic(self, dialect: Any, dbapi_conn: Any, value: bool) -> None:  # noqa: ANN401, ARG002, FBT001 - SQLAlchemy's
        dbapi_conn.begin = "BEGIN" if value else SqliteConnection.begin

    def reset_characteristic(self, dialect: Any, dbapi_conn: Any) -> None:  # noqa: ANN401, ARG002 - as above
        dbapi_conn.begin = SqliteConnection.begin

    def get_characteristic(self, dialect: Any, dbapi_conn: Any) -> bool:  # noqa: ANN401, ARG002 - as above
        return bool(dbapi_conn.begin != SqliteConnection.begin)


class SqliteDialect(SQLiteDialect_pysqlite):
    """Begins with the lock that the transaction needs; the driver has no say in it."""

    supports_statement_cache = True
    connection_characteristics = SQLiteDialect_pysqlite.connection_characteristics.union({READS_ONLY: _ReadsOnly()})

    def do_begin(self, dbapi_connection: Any) -> None:  # noqa: ANN401 - the pool's
        driven: SqliteConnection = dbapi_connection.driver_connection
        driven.execute(driven.begin)


class PostgresDialect(PGDialect_psycopg):
    """Knows that the server forgets the tenant of a transaction when another begins, or a savepoint is undone."""

    supports_statement_cache = True

    def do_begin(self, dbapi_connection: Any) -> None:  # noqa: ANN401 - the pool's
        wall.forget(dbapi_connection.info)

    def do_rollback_to_savepoint(self, connection: sa.Connection, name: str) -> None:
        super().do_rollback_to_savepoint(connection, name)  # type: ignore[no-untyped-call]
        wall.forget(connection.info)


def ours(url: URL) -> URL:
    """The URL, of SQLite or PostgreSQL, by our dialect of it."""
    return url.set(drivername=f"{url.get_backend_name()}+{_DRIVER}")


registry.register(f"sqlite.{_DRIVER}", __name__, SqliteDialect.__name__)
registry.register(f"postgresql.{_DRIVER}", __name__, PostgresDialect.__name__)
