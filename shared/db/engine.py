"""The engine for a database URL, and the classification of database errors."""

from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL

from shared.db import azure_sql, dialects, documents, postgresql, row_level_security


LOCK_WAIT_SECONDS: Final = 5
SILENCE_SECONDS: Final = 10  # a connection without a received byte for this time is given up
POOL_SIZE: Final = 16  # one connection for every worker thread
_SQLITE_PRAGMAS: Final = (
    "journal_mode=WAL",
    "synchronous=FULL",  # an acknowledged commit survives a power loss
    "foreign_keys=ON",
    "recursive_triggers=ON",  # otherwise INSERT OR REPLACE deletes rows without their triggers
    f"busy_timeout={LOCK_WAIT_SECONDS * 1000}",
    "temp_store=MEMORY",
    "cache_size=-16384",  # KiB: the days of a large tenant's month, for its report
    "wal_autocheckpoint=4000",  # pages: fewer and larger checkpoints; the WAL itself is synced at every commit
)
_SQLITE_DUPLICATES: Final = {"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"}
# Against silently dropped packets: probes of a silent connection, and a limit for unacknowledged data
_PROBES: Final = {
    "keepalives_idle": SILENCE_SECONDS - 6,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": SILENCE_SECONDS * 1000,
}
# Serialization failure, deadlock, and a unique key taken by a concurrent transaction: the whole transaction was rolled
# back, and a repeat sees the result of the other one
_LOST_RACE: Final = {"40001", "40P01", "23505"}
# PostgreSQL: the connection was lost or refused, the server stops or starts, or has no connection left
_TRANSIENT: Final = {"08000", "08001", "08003", "08004", "08006", "57P01", "57P02", "57P03", "53300"}


def make_engine(url: str, *, pool_size: int = POOL_SIZE) -> sa.Engine:
    """An engine with the pool, the durability and the time limits that the product needs.

    Parameters of statements are in no exception's text, since that may be logged.

    Raises:
        ValueError: the database is not supported, or the connection would be insecure.
    """
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed, pool_size)
    if parsed.get_backend_name() == "mssql":
        return azure_sql.build_engine(parsed, pool_size=pool_size, wait_seconds=LOCK_WAIT_SECONDS)
    if parsed.get_backend_name() == "postgresql":
        return _postgresql(parsed, pool_size)
    raise ValueError("the database URL must be of SQLite, PostgreSQL or Azure SQL")


def _postgresql(url: URL, pool_size: int) -> sa.Engine:
    postgresql.check_url(url)
    limits = f"-c lock_timeout={LOCK_WAIT_SECONDS}s -c statement_timeout=30s -c timezone=UTC"
    engine = sa.create_engine(
        dialects.use_own_dialect(url),
        connect_args={"options": limits, "connect_timeout": 5, **_PROBES},
        pool_size=pool_size,
        max_overflow=0,
        pool_use_lifo=True,
        pool_pre_ping=True,
        pool_timeout=LOCK_WAIT_SECONDS,
        hide_parameters=True,
        json_deserializer=documents.parse,
    )
    row_level_security.track_tenant(engine)
    return engine


def _sqlite(url: URL, pool_size: int) -> sa.Engine:
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(
        dialects.use_own_dialect(url),
        connect_args={"timeout": LOCK_WAIT_SECONDS, "factory": dialects.SqliteConnection},
        pool_size=pool_size,
        max_overflow=0,
        hide_parameters=True,
        json_deserializer=documents.parse,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own
        connection.isolation_level = None  # the driver must not begin transactions itself
        for pragma in _SQLITE_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    return engine


def is_unique_violation(error: sa.exc.IntegrityError) -> bool:
    """Whether a row with the same unique key exists."""
    if getattr(error.orig, "sqlstate", None) == "23505":  # PostgreSQL
        return True
    if getattr(error.orig, "sqlite_errorname", "") in _SQLITE_DUPLICATES:
        return True
    return bool(azure_sql.error_numbers(error.orig) & azure_sql.DUPLICATE)


def lost_race(error: sa.exc.DBAPIError) -> bool:
    """Whether the transaction lost a race and was rolled back; an immediate repeat may succeed."""
    if getattr(error.orig, "sqlstate", None) in _LOST_RACE:
        return True
    return bool(azure_sql.error_numbers(error.orig) & (azure_sql.LOST_RACE | azure_sql.DUPLICATE))


def _failed_to_connect(error: sa.exc.DBAPIError) -> bool:
    """Whether psycopg got no connection: without a response of a server there is no code."""
    return isinstance(error, sa.exc.OperationalError) and getattr(error.orig, "sqlstate", "") is None


def is_transient(error: Exception) -> bool:
    """Whether it is a transient error: a lost connection, a failover, throttling, a database that resumes.

    The transaction is rolled back, unless the error met the COMMIT: then its outcome is unknown.
    """
    if not isinstance(error, sa.exc.DBAPIError):
        return isinstance(error, sa.exc.TimeoutError)
    if error.connection_invalidated or _failed_to_connect(error) or getattr(error.orig, "sqlstate", None) in _TRANSIENT:
        return True
    if azure_sql.error_numbers(error.orig) & azure_sql.TRANSIENT:
        return True
    return bool(error.orig and error.orig.args and error.orig.args[0] in azure_sql.CONNECTION_LOST)
