"""Statements that differ between databases: insert if absent, select for update, limit the time of statements."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


class InsertIfAbsent:
    """One statement that inserts a row unless one with the same key exists, and returns whether it did.

    The columns of `key` must have a unique index, which decides between concurrent inserts. Values come from the
    parameters, or with `source` from the row of that select; with `finds_many` from all its rows, for `run_many`.
    """

    def __init__(
        self,
        table: sa.Table,
        *,
        key: tuple[str, ...],
        columns: tuple[str, ...],
        returning: tuple[str, ...] | None = None,
        source: sa.Select[Any] | None = None,
        index_where: sa.ColumnElement[bool] | None = None,
        finds_many: bool = False,
    ) -> None:
        self.table, self.key, self.columns, self.source = table, key, columns, source
        self.returning = returning or key
        self.index_where, self.finds_many = index_where, finds_many

    def run(self, tx: sa.Connection, values: Mapping[str, Any]) -> sa.Row[Any] | None:
        """The `returning` columns of the inserted row; None if a row with this key exists."""
        return tx.execute(self.statement(tx.dialect.name), values).first()

    def run_all(self, tx: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Inserts many rows, without returning which of them existed."""
        if rows:
            tx.execute(self._build(tx.dialect.name), rows)

    def run_many(self, tx: sa.Connection, values: Mapping[str, Any]) -> None:
        """Inserts every row of the source, without returning which of them existed."""
        tx.execute(self._build(tx.dialect.name), values)

    @cache  # noqa: B019 - lives as long as the module that holds it
    def statement(self, dialect: str) -> Any:  # noqa: ANN401 - an INSERT of the dialect's own class
        """The statement of a dialect; built once."""
        return self._build(dialect).returning(*(self.table.c[name] for name in self.returning))

    @cache  # noqa: B019 - as above
    def _build(self, dialect: str) -> Any:  # noqa: ANN401 - as above
        if dialect == "mssql":
            return self._build_for_azure_sql()
        module = {"sqlite": sqlite, "postgresql": postgresql}[dialect]
        insert = module.insert(self.table)
        if self.source is not None:
            insert = insert.from_select(list(self.columns), self.source, include_defaults=False)
        else:
            insert = insert.values({name: sa.bindparam(name) for name in self.columns})
        target = [self.table.c[name] for name in self.key]
        return insert.on_conflict_do_nothing(index_elements=target, index_where=self.index_where)

    def _build_for_azure_sql(self) -> sa.Insert:
        source = self.source if self.source is not None else sa.select(*self._parameters(self.columns))
        key: dict[str, sa.ColumnElement[Any]] = {
            name: sa.bindparam(name, type_=self.table.c[name].type) for name in self.key
        }
        if self.finds_many:
            found = source.subquery("found")
            source, key = sa.select(found), {name: found.c[name] for name in self.key}
        hint = "UPDLOCK, HOLDLOCK, FORCESEEK" if can_seek(self.table, self.key) else "UPDLOCK, HOLDLOCK"
        existing: sa.Select[Any] = (
            sa.select(sa.literal_column("1"))
            .select_from(self.table)
            .with_hint(self.table, f"WITH ({hint})", "mssql")
            .where(*(self.table.c[name] == value for name, value in key.items()))
            .correlate(*source.get_final_froms() if self.finds_many else ())
        )
        return (
            self.table.insert()
            .inline()
            .from_select(list(self.columns), source.where(~sa.exists(existing)), include_defaults=False)
        )

    def _parameters(self, names: Iterable[str]) -> list[sa.ColumnElement[Any]]:
        return [sa.bindparam(name, type_=self.table.c[name].type).label(name) for name in names]


def limit_statements(tx: sa.Connection, seconds: int) -> None:
    """Limits the time of each statement of this transaction; 0 is no limit. SQLite has none to change."""
    if tx.dialect.name == "postgresql":
        tx.exec_driver_sql(f"SET LOCAL statement_timeout = {seconds * 1000:d}")
    elif tx.dialect.name == "mssql":
        driver: Any = tx.connection.driver_connection
        driver.timeout = seconds  # the engine restores its own limit at the next checkout


def for_update(select: sa.Select[Any], table: sa.Table) -> sa.Select[Any]:
    """Locks the selected rows of `table` until the transaction ends.

    FOR NO KEY UPDATE on PostgreSQL, so that rows with a foreign key to them can be inserted; a hint on Azure SQL;
    nothing on SQLite, where a writing transaction has the only write lock from its start. Azure SQL needs an index that
    starts with a column of the WHERE, and a selected column outside of it: otherwise it scans a small table and locks
    every row, or locks a key in place of the row.
    """
    hinted = select.with_hint(table, "WITH (UPDLOCK, ROWLOCK, FORCESEEK)", "mssql")
    return hinted.with_for_update(of=table, key_share=True)


def can_seek(table: sa.Table, names: Iterable[str]) -> bool:
    """Whether an index of all rows starts with one of the columns; otherwise SQL Server refuses FORCESEEK (8622)."""
    named = set(names)
    whole = [index for index in table.indexes if index.dialect_options["mssql"].get("where") is None]
    keys = [each for each in table.constraints if isinstance(each, sa.PrimaryKeyConstraint | sa.UniqueConstraint)]
    return any(next(iter(each.columns)).name in named for each in [*whole, *keys])
