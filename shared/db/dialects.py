"""Our dialects of the three engines: how a transaction begins, and on Azure SQL how a NULL is sent.

Said by the dialect, since a listener of the engine's taxes every statement: SQLAlchemy asks around before and after
each of an engine that has any, about eight hundredths of a start or a stop.
"""

import itertools
import re
import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, ClassVar, Final

import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.mssql.pyodbc import MSDialect_pyodbc
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import URL
from sqlalchemy.engine.characteristics import ConnectionCharacteristic
from sqlalchemy.types import NullType, TypeEngine

from shared.db import wall


READS_ONLY: Final = "reads_only"  # the execution option of a connection whose transactions leave the write lock alone
_DRIVER: Final = "timetracker"
# A parameter's place in T-SQL, or what is quoted and stays as it is
_MARKER: Final = re.compile(r"""'(?:[^']|'')*'|\[[^\]]*\]|"[^"]*"|\?""")


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


class AzureSqlDialect(MSDialect_pyodbc):
    """Writes NULL, typed, into the text of a statement in the place of a parameter that is None.

    pyodbc asks the server for the type of every None, a round trip each, whatever type it was told, and cannot be kept
    from it. So a statement has one text, and the server one plan, for each set of its parameters that are NULL.
    """

    supports_statement_cache = True

    def do_set_input_sizes(self, cursor: Any, list_of_tuples: list[Any], context: Any) -> None:  # noqa: ANN401 - driver's
        context.input_types = list_of_tuples  # of each parameter: its name, the driver's type and the column type
        super().do_set_input_sizes(cursor, list_of_tuples, context)

    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:  # noqa: ANN401 - as above
        if None in parameters:
            types = getattr(context, "input_types", None) or [("", None, NullType())] * len(parameters)
            nulls = [(at, self._null(types[at][2])) for at, value in enumerate(parameters) if value is None]
            statement = _with_nulls(statement, tuple(nulls))
            if left := [type_ for type_, value in zip(types, parameters, strict=True) if value is not None]:
                super().do_set_input_sizes(cursor, left, context)
            parameters = tuple(value for value in parameters if value is not None)
        super().do_execute(cursor, statement, parameters, context)  # type: ignore[no-untyped-call]

    def _null(self, type_: TypeEngine[Any]) -> str:
        # CASE, COALESCE and NULLIF refuse the bare word where nothing else tells the type
        return "NULL" if isinstance(type_, NullType) else f"CAST(NULL AS {type_.compile(dialect=self)})"


@lru_cache(maxsize=1024)
def _with_nulls(statement: str, nulls: Sequence[tuple[int, str]]) -> str:
    """The statement with words in the place of those of its parameters that are named by their number, from 0."""
    words, number = dict(nulls), itertools.count()
    return _MARKER.sub(lambda found: words.get(next(number), "?") if found[0] == "?" else found[0], statement)


def ours(url: URL) -> URL:
    """The URL, of any of the three, by our dialect of it."""
    return url.set(drivername=f"{url.get_backend_name()}+{_DRIVER}")


registry.register(f"sqlite.{_DRIVER}", __name__, SqliteDialect.__name__)
registry.register(f"postgresql.{_DRIVER}", __name__, PostgresDialect.__name__)
registry.register(f"mssql.{_DRIVER}", __name__, AzureSqlDialect.__name__)
