"""Makes the engine for a database URL, and tells the database's faults apart."""

from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL

from shared.db import azure_sql, dialects, documents, postgresql, row_level_security


LOCK_WAIT_SECONDS: Final = 5
SILENCE_SECONDS: Final = 10  # a line on which nothing is heard for so long is given up, whoever still waits on it
POOL_SIZE: Final = 16  # one connection for every worker thread
_SQLITE_PRAGMAS: Final = (
    "journal_mode=WAL",
    "synchronous=FULL",  # an acknowledged commit survives the loss of power, too
    "foreign_keys=ON",
    "recursive_triggers=ON",  # else INSERT OR REPLACE removes a row on record, and no trigger is asked
    f"busy_timeout={LOCK_WAIT_SECONDS * 1000}",
    "temp_store=MEMORY",
    "cache_size=-16384",  # KiB: the days of a large tenant's month, which its report goes through
    "wal_autocheckpoint=4000",  # pages: fewer and larger checkpoints; the WAL itself is synced at every commit
)
_SQLITE_DUPLICATES: Final = {"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"}
# Where packets are dropped without a word: probes once nothing comes for a while, and a limit for what is not received
_PROBES: Final = {
    "keepalives_idle": SILENCE_SECONDS - 6,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": SILENCE_SECONDS * 1000,
}
# Serialization failure, PostgreSQL's deadlock, and a unique key that somebody else's row took while we waited: the
# whole transaction was undone, and run again it sees what the other one did
_UNDONE: Final = {"40001", "40P01", "23505"}
# PostgreSQL: the connection was lost or never made, the server goes down or comes up, and has none left to give
_PASSES: Final = {"08000", "08001", "08003", "08004", "08006", "57P01", "57P02", "57P03", "53300"}


def make_engine(url: str, *, pool_size: int = POOL_SIZE) -> sa.Engine:
    """An engine with the pool, the durability and the time limits that the product relies on.

    Statement parameters never show in an exception's text, since that may reach a log.

    Raises:
        ValueError: the URL is that of another database, or would weaken the line to it.
    """
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed, pool_size)
    if parsed.get_backend_name() == "mssql":
        return azure_sql.make(parsed, pool_size=pool_size, wait_seconds=LOCK_WAIT_SECONDS)
    if parsed.get_backend_name() == "postgresql":
        return _postgresql(parsed, pool_size)
    raise ValueError("the URL must be one of SQLite, PostgreSQL or Azure SQL")


def _postgresql(url: URL, pool_size: int) -> sa.Engine:
    postgresql.check(url)
    limits = f"-c lock_timeout={LOCK_WAIT_SECONDS}s -c statement_timeout=30s -c timezone=UTC"
    engine = sa.create_engine(
        dialects.ours(url),
        connect_args={"options": limits, "connect_timeout": 5, **_PROBES},
        pool_size=pool_size,
        max_overflow=0,
        pool_use_lifo=True,
        pool_pre_ping=True,
        pool_timeout=LOCK_WAIT_SECONDS,
        hide_parameters=True,
        json_deserializer=documents.read,
    )
    row_level_security.watch(engine)
    return engine


def _sqlite(url: URL, pool_size: int) -> sa.Engine:
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(
        dialects.ours(url),
        connect_args={"timeout": LOCK_WAIT_SECONDS, "factory": dialects.SqliteConnection},
        pool_size=pool_size,
        max_overflow=0,
        hide_parameters=True,
        json_deserializer=documents.read,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own
        connection.isolation_level = None  # the driver must not begin transactions of its own
        for pragma in _SQLITE_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    return engine


def is_unique_violation(error: sa.exc.IntegrityError) -> bool:
    """Whether a row with the same unique key was there."""
    if getattr(error.orig, "sqlstate", None) == "23505":  # PostgreSQL
        return True
    if getattr(error.orig, "sqlite_errorname", "") in _SQLITE_DUPLICATES:
        return True
    return bool(azure_sql.error_numbers(error.orig) & azure_sql.DUPLICATE)


def was_undone(error: sa.exc.DBAPIError) -> bool:
    """Whether the transaction lost a race, was undone, and may well succeed when it is run again at once."""
    if getattr(error.orig, "sqlstate", None) in _UNDONE:
        return True
    return bool(azure_sql.error_numbers(error.orig) & (azure_sql.LOST_RACE | azure_sql.DUPLICATE))


def _was_never_made(error: sa.exc.DBAPIError) -> bool:
    """Whether psycopg found nobody who listens, or waited in vain: no server has said anything, so there is no code."""
    return isinstance(error, sa.exc.OperationalError) and getattr(error.orig, "sqlstate", "") is None


def passes(error: Exception) -> bool:
    """Whether it is a fault that passes by itself: lost lines, failovers, throttling, a database that wakes up.

    What was not committed is undone by it; after a fault at the COMMIT nobody knows whether that was.
    """
    if not isinstance(error, sa.exc.DBAPIError):
        return isinstance(error, sa.exc.TimeoutError)
    if error.connection_invalidated or _was_never_made(error) or getattr(error.orig, "sqlstate", None) in _PASSES:
        return True
    if azure_sql.error_numbers(error.orig) & azure_sql.TRANSIENT:
        return True
    return bool(error.orig and error.orig.args and error.orig.args[0] in azure_sql.LINE_LOST)
