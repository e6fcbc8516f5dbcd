"""The floor of a close: for each tenant one transaction, by the driver alone, that writes who has time in the month.

It is two statements: one finds these people and writes a line with the e-mail of each, one writes the record. They are
as durable as the product's. No rule is held: no sign-ins, rates, usage, audit, adjustments or locks. One connection
does them all: two at once were no quicker on PostgreSQL, and SQLite has one writer.
"""

import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

import psycopg


_TABLES: Final = (
    "CREATE TABLE floor_records (tenant_id BIGINT PRIMARY KEY, month_key INTEGER, people INTEGER)",
    "CREATE TABLE floor_lines (tenant_id BIGINT, user_id BIGINT, email VARCHAR(320), PRIMARY KEY (tenant_id, user_id))",
)
_LINES: Final = (
    "INSERT INTO floor_lines (tenant_id, user_id, email) SELECT worked.tenant_id, worked.user_id, users.email FROM "
    "(SELECT DISTINCT tenant_id, user_id FROM time_entry_days WHERE tenant_id = ? AND month_key = ?) AS worked "
    "JOIN users ON users.id = worked.user_id"
)
_RECORD: Final = "INSERT INTO floor_records (tenant_id, month_key, people) VALUES (?, ?, ?)"
_COUNTED: Final = "SELECT (SELECT count(*) FROM floor_records), (SELECT count(*) FROM floor_lines)"


@dataclass(frozen=True, slots=True)
class Written:
    """One run of the floor in a process of its own, and what its tables held afterwards."""

    bills: int
    lines: int
    seconds: float


def write(url: str, month_key: int) -> Written:
    """Writes the month of every tenant into tables of the floor's own, which are made before and gone afterwards."""
    lines, record = (text if url.startswith("sqlite") else text.replace("?", "%s") for text in (_LINES, _RECORD))
    with closing(_connected(url)) as connection:
        for table in _TABLES:
            connection.execute(table)
        began = time.perf_counter()
        for (tenant,) in connection.execute("SELECT id FROM tenants ORDER BY id").fetchall():
            connection.execute("BEGIN")
            people = connection.execute(lines, (tenant, month_key)).rowcount
            connection.execute(record, (tenant, month_key, people))
            connection.execute("COMMIT")
        seconds = time.perf_counter() - began
        [(bills, written)] = connection.execute(_COUNTED).fetchall()
        for name in ("floor_records", "floor_lines"):
            connection.execute(f"DROP TABLE {name}")
    return Written(bills, written, seconds)


def _connected(url: str) -> sqlite3.Connection | psycopg.Connection[Any]:
    """One that leaves transactions to us."""
    if not url.startswith("sqlite"):
        return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=4000"):  # as the product's
        connection.execute(f"PRAGMA {pragma}")
    return connection
