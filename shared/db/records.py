"""The append-only records: the columns that may change, and the guard that erasure and retention open.

The triggers of `records_triggers` enforce these rules in the database, for every role.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event


GUARD: Final = "record_guard"  # SQLite's table: a row in it opens the guard for its transaction
SETTING: Final = "timetracker.records"  # of PostgreSQL, for one transaction
KEY: Final = "records"  # of Azure SQL's session context, for one connection
_OPEN: Final = {
    "sqlite": f"INSERT INTO {GUARD} (is_open) VALUES (1)",  # noqa: S608 - our own name
    "postgresql": f"SELECT set_config('{SETTING}', 'open', true)",
    "mssql": f"EXEC sys.sp_set_session_context N'{KEY}', 1",
}
_CLOSE: Final = {
    "sqlite": f"DELETE FROM {GUARD}",  # noqa: S608 - likewise
    "postgresql": f"SELECT set_config('{SETTING}', '', true)",
    "mssql": f"EXEC sys.sp_set_session_context N'{KEY}', NULL",
}
_IS_OPEN: Final = "records_are_open"  # in a connection's info


@dataclass(frozen=True, slots=True)
class Voiding:
    """The one change that needs no open guard. `transition` is SQL, with {old} and {new} for the row."""

    columns: tuple[str, ...]
    transition: str


@dataclass(frozen=True, slots=True)
class RecordRule:
    """`erasable` columns may change while the guard is open; others never, except by a voiding.

    `key` has the columns of the primary key.
    """

    erasable: tuple[str, ...] = ()
    deletable: bool = False  # rows, while the guard is open
    voiding: Voiding | None = None
    key: tuple[str, ...] = ("id",)

    @property
    def soft(self) -> tuple[str, ...]:
        """The columns that may change; the others are facts."""
        return tuple(dict.fromkeys((*self.erasable, *(self.voiding.columns if self.voiding else ()))))


RULES: Final = {
    "audit_log": RecordRule(),
    "billing_lines": RecordRule(
        erasable=("email", "display_name"),
        voiding=Voiding(("is_void",), "CAST({old}.is_void AS INTEGER) = 0 AND CAST({new}.is_void AS INTEGER) = 1"),
        key=("record_id", "user_id", "activity_month"),
    ),
    "billing_records": RecordRule(
        erasable=("void_reason",),
        voiding=Voiding(("state", "voided_at", "void_reason"), "{old}.state = 'closed' AND {new}.state = 'void'"),
    ),
    "erasures": RecordRule(),
    "timer_log": RecordRule(erasable=("reason", "before_change", "after_change"), deletable=True),
}


@contextmanager
def open_records(tx: sa.Connection) -> Iterator[None]:
    """Opens the guard in this transaction; must not be nested.

    Only for erasure, retention and migrations. The guard closes with the transaction in any case.
    """
    _set(tx, _OPEN, is_open=True)
    try:
        yield
    except BaseException:
        with suppress(sa.exc.SQLAlchemyError):  # the transaction may have failed
            _set(tx, _CLOSE, is_open=False)
        raise
    _set(tx, _CLOSE, is_open=False)


def close_guard_on_reset(engine: sa.Engine) -> None:
    """Closes the guard of a connection to Azure SQL that returns to the pool."""
    event.listen(engine.pool, "reset", _close)


def _set(tx: sa.Connection, statements: dict[str, str], *, is_open: bool) -> None:
    tx.exec_driver_sql(statements[tx.dialect.name])
    tx.info[_IS_OPEN] = is_open


def _close(connection: Any, record: Any, state: Any) -> None:  # noqa: ANN401 - the driver's and the pool's own
    """Called when a connection returns to the pool, which closes it after an error."""
    if state.terminate_only or not record.info.get(_IS_OPEN):
        return
    if not state.transaction_was_reset:
        connection.rollback()
    connection.autocommit = True
    connection.execute(_CLOSE["mssql"]).close()
    connection.autocommit = False
    record.info[_IS_OPEN] = False
