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
Process = Callable[[Any], Any]
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
        positional = compiled.positiontup is not None
        self._order = tuple(compiled.positiontup or compiled.binds)
        self._names = None if positional else self._order
        constants = {name: bind.effective_value for name, bind in compiled.binds.items() if not bind.required}
        self._constants = {name: value for name, value in constants.items() if name not in names}
        types = [compiled.binds[name].type.dialect_impl(dialect) for name in self._order]
        self._binds = _those_that_do(each.bind_processor(dialect) for each in types)
        self._columns = list(statement.exported_columns)
        self._row: Callable[[Sequence[Any]], Any] | None = None

    def parameters(self, values: Values) -> Driver:
        if self._constants:
            values = {**self._constants, **values}
        found = [values[name] for name in self._order]
        for place, process in self._binds:
            found[place] = process(found[place])
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
        processes = _those_that_do(
            column.type.dialect_impl(self._dialect).result_processor(self._dialect, told[1])
            for column, told in zip(self._columns, description, strict=True)
        )

        def row(found: Sequence[Any]) -> Row:
            values = list(found)
            for place, process in processes:
                values[place] = process(values[place])
            return named._make(values)

        return row


def _those_that_do(processes: Iterable[Process | None]) -> list[tuple[int, Process]]:
    """Most values go through as they are: only the places of the others, with what is done to them."""
    return [(place, process) for place, process in enumerate(processes) if process is not None]
