"""Our dialects of the three databases: the start of a transaction, and on Azure SQL the parameters of a statement.

Listeners on the engine would slow every statement, by about eight percent of a start or a stop.
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
from sqlalchemy.types import NullType, String, TypeEngine, Unicode

from shared.db import row_level_security


READS_ONLY: Final = "reads_only"  # an execution option: transactions without the write lock
_DRIVER: Final = "timetracker"
# A parameter in T-SQL, or quoted text, which stays unchanged
_MARKER: Final = re.compile(r"""'(?:[^']|'')*'|\[[^\]]*\]|"[^"]*"|\?""")


class SqliteConnection(sqlite3.Connection):
    """The driver's connection, with the statement that begins its next transaction."""

    # A writer takes the write lock at once: upgrading from a read would fail under contention
    begin: str = "BEGIN IMMEDIATE"


class _ReadsOnly(ConnectionCharacteristic):
    """Transactions of a connection begin without the write lock, until it returns to the pool."""

    transactional: ClassVar[bool] = True

    def set_characteristic(self, dialect: Any, dbapi_conn: Any, value: bool) -> None:  # noqa: ANN401, ARG002, FBT001 - SQLAlchemy's
        dbapi_conn.begin = "BEGIN" if value else SqliteConnection.begin

    def reset_characteristic(self, dialect: Any, dbapi_conn: Any) -> None:  # noqa: ANN401, ARG002 - as above
        dbapi_conn.begin = SqliteConnection.begin

    def get_characteristic(self, dialect: Any, dbapi_conn: Any) -> bool:  # noqa: ANN401, ARG002 - as above
        return bool(dbapi_conn.begin != SqliteConnection.begin)


class SqliteDialect(SQLiteDialect_pysqlite):
    """Begins a transaction with the lock that it needs, in place of the driver."""

    supports_statement_cache = True
    connection_characteristics = SQLiteDialect_pysqlite.connection_characteristics.union({READS_ONLY: _ReadsOnly()})

    def do_begin(self, dbapi_connection: Any) -> None:  # noqa: ANN401 - the pool's
        driven: SqliteConnection = dbapi_connection.driver_connection
        driven.execute(driven.begin)


class PostgresDialect(PGDialect_psycopg):
    """Notes that the server clears the tenant when a transaction begins, or a savepoint is undone."""

    supports_statement_cache = True

    def do_begin(self, dbapi_connection: Any) -> None:  # noqa: ANN401 - the pool's
        row_level_security.clear_tenant(dbapi_connection.info)

    def do_rollback_to_savepoint(self, connection: sa.Connection, name: str) -> None:
        super().do_rollback_to_savepoint(connection, name)  # type: ignore[no-untyped-call]
        row_level_security.clear_tenant(connection.info)


class AzureSqlDialect(MSDialect_pyodbc):
    """Replaces parameters that are None by a typed NULL in the statement, and declares the lengths of strings.

    For every None pyodbc would ask the server for its type, which costs a round trip each. So a statement has one text,
    and the server one plan, for each set of its parameters that are NULL. A string is declared as long as its column;
    with its own length the server would have a plan for each length.
    """

    supports_statement_cache = True

    def initialize(self, connection: sa.Connection) -> None:  # noqa: ARG002 - SQLAlchemy's
        """Sends nothing: SQLAlchemy would query known features, and take a lost connection for a missing one."""
        self.server_version_info = (16, 0)  # type: ignore[assignment] # SQL Server 2022
        self.default_schema_name = "dbo"
        self.default_isolation_level = "READ COMMITTED"
        self._setup_version_attributes()  # type: ignore[no-untyped-call]
        self._supports_nvarchar_max = self.supports_comments = True

    def do_set_input_sizes(self, cursor: Any, list_of_tuples: list[Any], context: Any) -> None:  # noqa: ANN401 - driver's
        context.input_types = list_of_tuples  # of each parameter: its name, the driver's type and the column type
        super().do_set_input_sizes(cursor, list_of_tuples, context)

    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:  # noqa: ANN401 - as above
        types = getattr(context, "input_types", None)
        if None in parameters:
            known = types or [("", None, NullType())] * len(parameters)
            nulls = [(at, self._null(known[at][2])) for at, value in enumerate(parameters) if value is None]
            statement = _with_nulls(statement, tuple(nulls))
            types = types and [type_ for type_, value in zip(types, parameters, strict=True) if value is not None]
            parameters = tuple(value for value in parameters if value is not None)
        if types:
            sized = [_declare_length(type_, value) for type_, value in zip(types, parameters, strict=True)]
            super().do_set_input_sizes(cursor, sized, context)
        super().do_execute(cursor, statement, parameters, context)  # type: ignore[no-untyped-call]

    def do_executemany(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:  # noqa: ANN401 - as above
        """Row by row, as pyodbc does, so that each row has its own NULLs and lengths."""
        for row in parameters:
            self.do_execute(cursor, statement, row, context)

    def _null(self, type_: TypeEngine[Any]) -> str:
        # CASE, COALESCE and NULLIF refuse an untyped NULL
        return "NULL" if isinstance(type_, NullType) else f"CAST(NULL AS {type_.compile(dialect=self)})"


def _declare_length(parameter: tuple[str, Any, TypeEngine[Any]], value: object) -> tuple[str, Any, TypeEngine[Any]]:
    """Declares a string as long as its column, unless it is longer."""
    name, driver_type, type_ = parameter
    if isinstance(type_, String) and type_.length and isinstance(value, str) and isinstance(driver_type, int):
        units = len(value.encode("utf-16-le")) // 2 if isinstance(type_, Unicode) else len(value.encode())
        if units <= type_.length:
            return name, (driver_type, type_.length, 0), type_
    return parameter


@lru_cache(maxsize=1024)
def _with_nulls(statement: str, nulls: Sequence[tuple[int, str]]) -> str:
    """The statement with NULLs in place of the parameters at the given positions, from 0."""
    words, number = dict(nulls), itertools.count()
    return _MARKER.sub(lambda match: words.get(next(number), "?") if match[0] == "?" else match[0], statement)


def use_own_dialect(url: URL) -> URL:
    """The URL with our dialect of its database."""
    return url.set(drivername=f"{url.get_backend_name()}+{_DRIVER}")


registry.register(f"sqlite.{_DRIVER}", __name__, SqliteDialect.__name__)
registry.register(f"postgresql.{_DRIVER}", __name__, PostgresDialect.__name__)
registry.register(f"mssql.{_DRIVER}", __name__, AzureSqlDialect.__name__)
