"""Statements of the hot path, made ready once: afterwards only the driver stands between a call and the database.

For every execution SQLAlchemy looks up the compiled statement, builds a context and wraps the rows in a result; that
is most of what a start or a stop costs in Python (docs/performance.md). The SQL, the column types and the errors
are still SQLAlchemy's.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import BindTyping
from sqlalchemy.sql.compiler import SQLCompiler


Statement: TypeAlias = Any  # a Select, Insert, Update or Delete
Values = Mapping[str, Any]
Process = Callable[[Any], Any] | None
Row: TypeAlias = Any  # columns are its attributes, as of SQLAlchemy's own rows
Driver: TypeAlias = Any  # whatever the driver takes and gives


class Prepared:
    """One statement. It is run with the same parameter names each time, and no list is expanded in it."""

    def __init__(self, statement: Statement) -> None:
        self.statement = statement
        self._ready: dict[Dialect, _Ready | None] = {}

    def first(self, tx: sa.Connection, values: Values) -> Row:
        """The first row, or None."""
        ready = self._for(tx, values)
        return tx.execute(self.statement, values).first() if ready is None else ready.first(tx, values)

    def run(self, tx: sa.Connection, values: Values) -> None:
        ready = self._for(tx, values)
        if ready is None:
            tx.execute(self.statement, values)
        else:
            ready.execute(tx, ready.parameters(values))

    def run_all(self, tx: sa.Connection, values: Sequence[Values]) -> None:
        """Runs it for each of the values, in one round trip where the driver knows how; there is at least one."""
        ready = self._for(tx, values[0])
        if ready is None:
            tx.execute(self.statement, values)
        elif len(values) == 1:
            ready.execute(tx, ready.parameters(values[0]))
        else:
            ready.execute(tx, [ready.parameters(each) for each in values], many=True)

    def _for(self, tx: sa.Connection, values: Values) -> "_Ready | None":
        """None where SQLAlchemy itself must run it: Azure SQL's driver has to be told each parameter's type."""
        try:
            return self._ready[tx.dialect]
        except KeyError:
            by_sqlalchemy = tx.dialect.bind_typing is BindTyping.SETINPUTSIZES
            ready = None if by_sqlalchemy else _Ready(self.statement, tx.dialect, names=list(values))
            return self._ready.setdefault(tx.dialect, ready)


class _Ready:
    """A statement in the words of one dialect, with what turns values into parameters and rows into values."""

    def __init__(self, statement: Statement, dialect: Dialect, *, names: list[str]) -> None:
        compiled: SQLCompiler = statement.compile(dialect=dialect, column_keys=names)
        self._sql = str(compiled)
        self._dialect = dialect
        self._error = dialect.loaded_dbapi.Error
        order = compiled.positiontup
        self._names = None if order is not None else tuple(compiled.binds)
        constants = {name: bind.effective_value for name, bind in compiled.binds.items() if not bind.required}
        self._constants = {name: value for name, value in constants.items() if name not in names}
        self._binds: list[tuple[str, Process]] = [
            (name, _impl(compiled.binds[name].type, dialect).bind_processor(dialect))
            for name in (order if order is not None else compiled.binds)
        ]
        self._columns = list(statement.exported_columns)
        self._row: Callable[[Sequence[Any]], Any] | None = None

    def parameters(self, values: Values) -> Driver:
        if self._constants:
            values = {**self._constants, **values}
        found = [values[name] if process is None else process(values[name]) for name, process in self._binds]
        return tuple(found) if self._names is None else dict(zip(self._names, found, strict=True))

    def execute(self, tx: sa.Connection, parameters: Driver, *, many: bool = False) -> None:
        self._with_cursor(tx, parameters, many=many, then=None)

    def first(self, tx: sa.Connection, values: Values) -> Row:
        return self._with_cursor(tx, self.parameters(values), many=False, then=self._first)

    def _with_cursor(
        self,
        tx: sa.Connection,
        parameters: Driver,
        *,
        many: bool,
        then: Callable[[Driver], Row] | None,
    ) -> Row:
        if not tx.in_transaction():
            tx.begin()  # as SQLAlchemy would
        cursor = tx.connection.cursor()
        try:
            (self._dialect.do_executemany if many else self._dialect.do_execute)(cursor, self._sql, parameters)
            return then(cursor) if then else None
        except self._error as error:
            raise sa.exc.DBAPIError.instance(
                self._sql, None, error, self._error, hide_parameters=True, dialect=self._dialect
            ) from error
        finally:
            cursor.close()

    def _first(self, cursor: Driver) -> Row:
        found = cursor.fetchone()
        if found is None:
            return None
        if self._row is None:
            self._row = self._row_maker(cursor.description)
        return self._row(found)

    def _row_maker(self, description: Iterable[Any]) -> Callable[[Sequence[Any]], Any]:
        """Some processors depend on what the driver says it returns, so this waits for the first row."""
        named: Any = namedtuple("Row", [column.name for column in self._columns])  # type: ignore[misc] # noqa: PYI024
        processes: list[Process] = [
            _impl(column.type, self._dialect).result_processor(self._dialect, told[1])
            for column, told in zip(self._columns, description, strict=True)
        ]

        def row(found: Sequence[Any]) -> Row:
            return named._make(
                value if process is None else process(value) for process, value in zip(processes, found, strict=True)
            )

        return row


def _impl(of: sa.types.TypeEngine[Any], dialect: Dialect) -> sa.types.TypeEngine[Any]:
    return of.dialect_impl(dialect)
