"""Closes one month of many paying tenants by the hourly job itself, on a database made for it: how long, how linear."""

import asyncio
import datetime as dt
import os
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from billing.jobs import close_all_owed
from devcloud.run import migrate
from shared.app import App, build
from shared.db.schema import metadata
from shared.settings import Settings


MONTH: Final = 202606
USERS: Final = 20
ENTRIES: Final = 100  # of a tenant in the month
SIZES: Final = (1_000, 10_000)
AIM_SECONDS: Final = 60.0
_PAID_FROM: Final = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
_NOW: Final = dt.datetime(2026, 7, 1, 0, 5, tzinfo=dt.UTC)
_NOBODY: Final = "00000000-0000-0000-0000-000000000000"
_BATCH: Final = 500  # tenants

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Closed:
    """One run of the job: so many tenants and lines in so many seconds, and what an idle run after it took."""

    tenants: int
    lines: int
    seconds: float
    idle_seconds: float

    @property
    def rate(self) -> float:
        return self.tenants / self.seconds


def run(folder: Path, tenants: int) -> Closed:
    """Makes the database anew, and closes the month of every tenant in it."""
    path = _filled(folder / f"closing-{tenants}.db", tenants)
    app = _app(path)
    try:
        began = perf_counter()
        closed = close_all_owed(app)
        took = perf_counter() - began
        again = close_all_owed(app)
        idle = perf_counter() - began - took
    finally:
        app.engine.dispose()
    lines = _count(path, "billing_lines")
    if (closed, again, lines) != (tenants, 0, tenants * USERS):
        raise AssertionError(f"{closed} bills with {lines} lines for {tenants} tenants, and {again} on the second run")
    return Closed(tenants, lines, took, idle)


def _app(path: Path) -> App:
    needed = {"ENTRA_API_CLIENT_ID": _NOBODY, "ENTRA_CLIENT_IDS": _NOBODY, "DATABASE_URL": f"sqlite:///{path}"}
    settings = Settings.from_env({**needed, "MARKETPLACE_METERING_DIMENSION": "active_user"})
    return replace(build(settings), now=lambda: _NOW)


def _filled(path: Path, tenants: int) -> Path:
    """Straight through the driver and without waiting for the disk; what is measured waits for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for old in path.parent.glob(f"{path.name}*"):
        old.unlink()
    asyncio.run(migrate({**os.environ, "DATABASE_URL": f"sqlite:///{path}"}))
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    for first in range(1, tenants + 1, _BATCH):
        connection.execute("BEGIN")
        for tenant in range(first, min(first + _BATCH, tenants + 1)):
            for table, rows in _rows(tenant):
                _insert(connection, table, rows)
        connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path


def _insert(connection: sqlite3.Connection, table: str, rows: list[Row]) -> None:
    columns = tuple(rows[0])
    assert set(columns) <= set(metadata.tables[table].columns.keys())  # noqa: S101 - a slip of ours
    marks = ", ".join("?" * len(columns))
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - names of ours
    connection.executemany(statement, [tuple(row.values()) for row in rows])


def _rows(tenant: int) -> Iterator[tuple[str, list[Row]]]:
    """A tenant that pays, its people, each of whom signs in, and their time."""
    began = _text(_PAID_FROM)
    made = {"version": 1, "created_at": began, "updated_at": began}
    ids = {"public_id": _hex(tenant), "entra_tenant_id": _hex(tenant), "slug": f"t{tenant}"}
    plan = {"plan_kind": "paid", "status": "active", "time_zone": "UTC", "seats_used": USERS}
    yield "tenants", [{"id": tenant, **ids, "name": "Contoso", "organization": "contoso", **plan, **made}]
    people = [tenant * USERS + number for number in range(USERS)]
    yield "users", [_person(tenant, user, made) for user in people]
    signed_in = {"month_key": MONTH, "first_sign_in_at": began, "last_sign_in_at": began}
    yield "user_months", [{"tenant_id": tenant, "user_id": user, **signed_in} for user in people]
    names = {"organization": "contoso", "name": "Website", "name_key": "contoso/website"}
    yield "projects", [{"id": tenant, "tenant_id": tenant, **names}]
    work = [_entry(tenant, number, people[number % USERS]) for number in range(ENTRIES)]
    yield "time_entries", [entry for entry, _ in work]
    yield "time_entry_days", [day for _, day in work]
    bought = {"status": "subscribed", "offer_id": "o", "plan_id": "paid", "term_unit": "P1M", "auto_renew": 1}
    paid = {"marketplace_id": _hex(tenant), "paid_from": began, **bought, **made}
    yield "subscriptions", [{"id": tenant, "tenant_id": tenant, **paid}]
    rate = {"from_at": began, "plan_id": "paid", "rate_per_user": 45_000, "currency": "EUR"}
    yield "subscription_rates", [{"tenant_id": tenant, "subscription_id": tenant, **rate}]


def _person(tenant: int, user: int, made: Row) -> Row:
    email = f"p{user}@contoso.example"
    ids = {"id": user, "tenant_id": tenant, "public_id": _hex(user), "entra_object_id": _hex(user)}
    about = {"email": email, "email_key": email, "display_name": f"Person {user}", "role": "user"}
    return {**ids, **about, "auth_provider": "microsoft", "is_active": 1, **made}


def _entry(tenant: int, number: int, user: int) -> tuple[Row, Row]:
    entry_id = tenant * ENTRIES + number
    start = _PAID_FROM + dt.timedelta(days=number % 28, hours=9)
    stop, ms = start + dt.timedelta(hours=1), 3_600_000
    of = {"tenant_id": tenant, "user_id": user, "project_id": tenant, "work_item_id": 7, "elapsed_ms": ms}
    when = {"started_at": _text(start), "stopped_at": _text(stop), "created_at": _text(stop), "updated_at": _text(stop)}
    kind = {"time_zone": "UTC", "source": "timer", "needs_review": 0, "version": 1}
    entry = {"id": entry_id, "public_id": _hex(entry_id), **of, **when, **kind}
    day = {"entry_id": entry_id, "work_date": start.date().isoformat(), "month_key": MONTH, "starts_entry": 1}
    return entry, {**of, **day}


def _count(path: Path, table: str) -> int:
    connection = sqlite3.connect(path)
    (found,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - a name of ours
    connection.close()
    return int(found)


def _hex(number: int) -> str:
    return uuid.UUID(int=number).hex


def _text(instant: dt.datetime) -> str:
    return instant.isoformat(timespec="milliseconds")[:23] + "Z"
