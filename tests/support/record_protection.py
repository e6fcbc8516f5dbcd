"""Changes to append-only records that the database refuses, for tests of checks that find broken records."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from shared.db.records import RULES
from shared.db.records_triggers import protect, unprotect


def unprotect_all(tx: sa.Connection) -> None:
    """Drops the triggers on the records, for a transaction that is rolled back; only the owner of the tables may."""
    for table in RULES:
        unprotect(tx, table)


@contextmanager
def unprotected_records(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction without triggers on the records, committed at the end with the triggers restored."""
    with engine.begin() as tx:
        unprotect_all(tx)
        yield tx
        protect(tx)


@contextmanager
def failing_deletes(engine: sa.Engine, table: sa.Table, condition: str) -> Iterator[None]:
    """Makes the database refuse to delete the table's rows that meet the SQL condition, within the context."""
    with _failing(engine, "DELETE", table, condition):
        yield


@contextmanager
def failing_updates(engine: sa.Engine, table: sa.Table, condition: str) -> Iterator[None]:
    """Makes the database refuse to update the table's rows that meet the SQL condition, likewise."""
    with _failing(engine, "UPDATE", table, condition):
        yield


@contextmanager
def _failing(engine: sa.Engine, event: str, table: sa.Table, condition: str) -> Iterator[None]:
    make = [
        (
            f"CREATE TRIGGER undeletable BEFORE {event} ON {table.name} WHEN OLD.{condition} "
            "BEGIN SELECT RAISE(ABORT, 'stuck'); END"
        )
    ]
    drop = ["DROP TRIGGER undeletable"]
    if engine.dialect.name == "postgresql":
        make = [
            (
                "CREATE FUNCTION undeletable() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'stuck'; END $$"
            ),
            (
                f"CREATE TRIGGER undeletable BEFORE {event} ON {table.name} FOR EACH ROW WHEN (OLD.{condition}) "
                "EXECUTE FUNCTION undeletable()"
            ),
        ]
        drop = [f"DROP TRIGGER undeletable ON {table.name}", "DROP FUNCTION undeletable()"]
    _run(engine, make)
    try:
        yield
    finally:
        _run(engine, drop)


def _run(engine: sa.Engine, statements: list[str]) -> None:
    with engine.begin() as tx:
        for statement in statements:
            tx.exec_driver_sql(statement)
