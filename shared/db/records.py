"""The append-only records: which columns of them may ever change, and the guard that erasure and retention open.

The triggers in `records_triggers` hold these rules in the database, for whoever runs the statement.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event


GUARD: Final = "record_guard"  # SQLite's table: a row in it opens the guard, for the transaction that inserted it
SETTING: Final = "timetracker.records"  # PostgreSQL's name of the guard, for one transaction
KEY: Final = "records"  # Azure SQL's name, for one connection
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
    """The one change that needs no open guard. In `transition`, SQL, {old} and {new} stand for the row."""

    columns: tuple[str, ...]
    transition: str


@dataclass(frozen=True, slots=True)
class Rule:
    """`erasable` columns change while the guard is open; others never, but for a voiding. Rows go only if `deletable`.

    `key` are the columns of the primary key.
    """

    erasable: tuple[str, ...] = ()
    deletable: bool = False  # while the guard is open
    voiding: Voiding | None = None
    key: tuple[str, ...] = ("id",)

    @property
    def soft(self) -> tuple[str, ...]:
        """The columns that may ever change; the others are facts."""
        return tuple(dict.fromkeys((*self.erasable, *(self.voiding.columns if self.voiding else ()))))


RULES: Final = {
    "audit_log": Rule(),
    "billing_lines": Rule(
        erasable=("email", "display_name"),
        voiding=Voiding(("is_void",), "CAST({old}.is_void AS INTEGER) = 0 AND CAST({new}.is_void AS INTEGER) = 1"),
        key=("record_id", "user_id", "activity_month"),
    ),
    "billing_records": Rule(
        erasable=("void_reason",),
        voiding=Voiding(("state", "voided_at", "void_reason"), "{old}.state = 'closed' AND {new}.state = 'void'"),
    ),
    "erasures": Rule(),
    "timer_log": Rule(erasable=("reason", "before_change", "after_change"), deletable=True),
}


@contextmanager
def records_open(tx: sa.Connection) -> Iterator[None]:
    """Lets this transaction change what erasure and retention may change of the records; not to be nested.

    Only they may use it, and migrations. An open guard ends with its transaction, whatever happens.
    """
    _set(tx, _OPEN, is_open=True)
    try:
        yield
    except BaseException:
        with suppress(sa.exc.SQLAlchemyError):  # the database may have given the transaction up
            _set(tx, _CLOSE, is_open=False)
        raise
    _set(tx, _CLOSE, is_open=False)


def watch(engine: sa.Engine) -> None:
    """Has no connection to Azure SQL carry an open guard to its next user."""
    event.listen(engine.pool, "reset", _close)


def _set(tx: sa.Connection, statements: dict[str, str], *, is_open: bool) -> None:
    tx.exec_driver_sql(statements[tx.dialect.name])
    tx.info[_IS_OPEN] = is_open


def _close(connection: Any, record: Any, state: Any) -> None:  # noqa: ANN401 - the driver's and the pool's own
    """On its way back to the pool; a connection that cannot be told is closed by the pool."""
    if state.terminate_only or not record.info.get(_IS_OPEN):
        return
    if not state.transaction_was_reset:
        connection.rollback()
    connection.autocommit = True
    connection.execute(_CLOSE["mssql"]).close()
    connection.autocommit = False
    record.info[_IS_OPEN] = False
