"""Statements that no two engines write alike: insert unless there, read with a lock, limit the time of a statement."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


class InsertIfAbsent:
    """One statement that inserts a row unless one with the same key is there, and tells which it was.

    The columns in `key` must have a unique index; it, not a check before, decides between two at once.
    Values come from the parameters, or, with `source`, from the row that this select finds; with `finds_many` from all
    its rows, for `run_many`.
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
        """The inserted row's `returning` columns, or None when a row with this key was there already."""
        return tx.execute(self.statement(tx.dialect.name), values).first()

    def run_all(self, tx: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Inserts many rows at once, without telling which of them were there already."""
        if rows:
            tx.execute(self._silent(tx.dialect.name), rows)

    def run_many(self, tx: sa.Connection, values: Mapping[str, Any]) -> None:
        """Inserts every row that the source finds, without telling which of them were there already."""
        tx.execute(self._silent(tx.dialect.name), values)

    @cache  # noqa: B019 - lives as long as the module that holds it
    def statement(self, dialect: str) -> Any:  # noqa: ANN401 - an INSERT of the dialect's own class
        """The statement as one dialect writes it; made once."""
        return self._silent(dialect).returning(*(self.table.c[name] for name in self.returning))

    @cache  # noqa: B019 - as above
    def _silent(self, dialect: str) -> Any:  # noqa: ANN401 - as above
        if dialect == "mssql":
            return self._guarded_insert()
        module = {"sqlite": sqlite, "postgresql": postgresql}[dialect]
        insert = module.insert(self.table)
        if self.source is not None:
            insert = insert.from_select(list(self.columns), self.source, include_defaults=False)
        else:
            insert = insert.values({name: sa.bindparam(name) for name in self.columns})
        target = [self.table.c[name] for name in self.key]
        return insert.on_conflict_do_nothing(index_elements=target, index_where=self.index_where)

    def _guarded_insert(self) -> sa.Insert:
        source = self.source if self.source is not None else sa.select(*self._parameters(self.columns))
        key: dict[str, sa.ColumnElement[Any]] = {
            name: sa.bindparam(name, type_=self.table.c[name].type) for name in self.key
        }
        if self.finds_many:
            found = source.subquery("found")
            source, key = sa.select(found), {name: found.c[name] for name in self.key}
        hint = "UPDLOCK, HOLDLOCK, FORCESEEK" if can_seek(self.table, self.key) else "UPDLOCK, HOLDLOCK"
        there: sa.Select[Any] = (
            sa.select(sa.literal_column("1"))
            .select_from(self.table)
            .with_hint(self.table, f"WITH ({hint})", "mssql")
            .where(*(self.table.c[name] == value for name, value in key.items()))
            .correlate(*source.get_final_froms() if self.finds_many else ())
        )
        return (
            self.table.insert()
            .inline()
            .from_select(list(self.columns), source.where(~sa.exists(there)), include_defaults=False)
        )

    def _parameters(self, names: Iterable[str]) -> list[sa.ColumnElement[Any]]:
        return [sa.bindparam(name, type_=self.table.c[name].type).label(name) for name in names]


def limit_statements(tx: sa.Connection, seconds: int) -> None:
    """Lets each statement of this transaction take so long, 0 as long as it wants; SQLite has no limit to change."""
    if tx.dialect.name == "postgresql":
        tx.exec_driver_sql(f"SET LOCAL statement_timeout = {seconds * 1000:d}")
    elif tx.dialect.name == "mssql":
        driver: Any = tx.connection.driver_connection
        driver.timeout = seconds  # the engine sets its own again for whoever has the connection next


def locked(select: sa.Select[Any], table: sa.Table) -> sa.Select[Any]:
    """Holds the rows of `table` that the select finds until the transaction ends.

    FOR NO KEY UPDATE on PostgreSQL (rows that point here may still be inserted), a hint on Azure SQL, and
    nothing on SQLite, where a writing transaction holds the only write lock from its first statement.
    Azure SQL asks for an index that leads with a column which the WHERE names, and for a column that is in none:
    it would go through a small table, holding every row, or lock a key in the place of the row.
    """
    hinted = select.with_hint(table, "WITH (UPDLOCK, ROWLOCK, FORCESEEK)", "mssql")
    return hinted.with_for_update(of=table, key_share=True)


def can_seek(table: sa.Table, names: Iterable[str]) -> bool:
    """Whether an index over all rows leads with one of the columns; without one SQL Server refuses to seek (8622)."""
    named = set(names)
    whole = [index for index in table.indexes if index.dialect_options["mssql"].get("where") is None]
    keys = [each for each in table.constraints if isinstance(each, sa.PrimaryKeyConstraint | sa.UniqueConstraint)]
    return any(next(iter(each.columns)).name in named for each in [*whole, *keys])
