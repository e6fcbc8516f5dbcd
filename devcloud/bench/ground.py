"""The databases a bench stands on: a tenant with its people and projects, and as many time entries as are asked for."""

import asyncio
import datetime as dt
import hashlib
import os
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from devcloud.bench.directory import TID, oid
from devcloud.bench.processes import PROJECT
from devcloud.run import migrate
from shared.db.engine import make_engine
from shared.db.schema import metadata, projects, tenants, users


PEOPLE: Final = 200
PROJECTS: Final = ("Website", *(f"Project {number}" for number in range(2, 13)))
MONTHS: Final = tuple((year, month) for year in (2025, 2026) for month in range(1, 13))
REPORT_MONTH: Final = "2026-06"
THIN_MONTH: Final = "2024-12"  # as many entries in every database, however large the table
THIN_ENTRIES: Final = 400
_BATCH: Final = 50_000
_BEGAN: Final = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)

Progress = Callable[[float], None]


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def empty(path: Path) -> Path:
    """A migrated database with the tenant, its people and its projects, and no time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for old in path.parent.glob(f"{path.name}*"):
        old.unlink()
    asyncio.run(migrate({**os.environ, "DATABASE_URL": url_of(path)}))
    engine = make_engine(url_of(path))
    with engine.begin() as tx:
        tx.execute(tenants.insert(), _tenant())
        tx.execute(users.insert(), [_person(number) for number in range(PEOPLE)])
        tx.execute(projects.insert(), [_project(number) for number in range(len(PROJECTS))])
    engine.dispose()
    return path


def filled(folder: Path, entries: int, progress: Progress) -> Path:
    """The database with that many entries in 24 months; made once, and again when tables or this module change."""
    made_of = [*sorted((PROJECT / "migrations" / "versions").glob("*.py")), Path(__file__)]
    version = hashlib.sha256(b"".join(each.read_bytes() for each in made_of)).hexdigest()[:8]
    path = folder / f"entries-{entries}-{version}.db"
    if not path.exists():
        for old in folder.glob(f"entries-{entries}-*"):
            old.unlink()
        draft = empty(folder / "draft.db")
        _fill(draft, entries, progress)
        draft.rename(path)
    progress(1.0)
    return path


def month_total(path: Path, month: str) -> tuple[int, int]:
    """Rows and milliseconds of a month, added up without the product."""
    connection = sqlite3.connect(path)
    key = (int(month.replace("-", "")),)
    found = connection.execute(
        "SELECT count(*), sum(elapsed_ms) FROM time_entry_days NOT INDEXED WHERE month_key = ?", key
    ).fetchall()
    connection.close()
    return int(found[0][0]), int(found[0][1])


def _tenant() -> dict[str, Any]:
    return {
        "id": 1,
        "public_id": uuid.UUID(int=1),
        "entra_tenant_id": uuid.UUID(TID),
        "slug": "contoso",
        "name": "Contoso",
        "organization": "contoso",
        "plan_kind": "internal",
        "status": "active",
        "time_zone": "Europe/Berlin",
        "seats_used": PEOPLE,
        "version": 1,
        "created_at": _BEGAN,
        "updated_at": _BEGAN,
    }


def _person(number: int) -> dict[str, Any]:
    email = f"person{number}@contoso.example"
    return {
        "id": number + 1,
        "tenant_id": 1,
        "public_id": uuid.UUID(int=1000 + number),
        "entra_object_id": uuid.UUID(oid(number)),
        "email": email,
        "email_key": email,
        "display_name": f"Person {number}",
        "role": "admin" if number == 0 else "user",
        "auth_provider": "microsoft",
        "is_active": True,
        "first_sign_in_at": _BEGAN,
        "last_sign_in_at": _BEGAN,
        "version": 1,
        "created_at": _BEGAN,
        "updated_at": _BEGAN,
    }


def _project(number: int) -> dict[str, Any]:
    name = PROJECTS[number]
    key = f"contoso/{name}".casefold()
    return {"id": number + 1, "tenant_id": 1, "organization": "contoso", "name": name, "name_key": key}


def _fill(path: Path, entries: int, progress: Progress) -> None:
    """Straight through the driver and without waiting for the disk: a copy that is lost is made again."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("synchronous=OFF", "cache_size=-262144", "foreign_keys=OFF"):
        connection.execute(f"PRAGMA {pragma}")
    into_entries = _insert("time_entries", "id", *_ENTRY)
    into_days = _insert("time_entry_days", *_DAY)
    batch: list[tuple[tuple[Any, ...], tuple[Any, ...]]] = []

    def write() -> None:
        connection.execute("BEGIN")
        connection.executemany(into_entries, [entry for entry, _ in batch])
        connection.executemany(into_days, [day for _, day in batch])
        connection.execute("COMMIT")
        batch.clear()

    for number, row in enumerate(_rows(entries)):
        batch.append(row)
        if len(batch) == _BATCH:
            write()
            progress(number / entries)
    write()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


_ENTRY = (
    *("tenant_id", "user_id", "public_id", "project_id", "work_item_id", "started_at", "stopped_at", "elapsed_ms"),
    *("time_zone", "source", "needs_review", "version", "created_at", "updated_at"),
)
_DAY = (
    *("tenant_id", "entry_id", "work_date", "month_key", "user_id", "project_id", "work_item_id", "elapsed_ms"),
    "starts_entry",
)


def _insert(table: str, *columns: str) -> str:
    assert set(columns) <= set(metadata.tables[table].columns.keys())  # noqa: S101 - a slip of ours
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - ours


def _rows(entries: int) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """Everybody works every working day; who, on what and how long follows from the entry's number."""
    days = [day for year, month in MONTHS for day in _working_days(year, month)]
    thin = list(_working_days(*map(int, THIN_MONTH.split("-"))))
    for number in range(entries):
        if number < THIN_ENTRIES:
            yield _entry(number, thin[number * len(thin) // THIN_ENTRIES])
        else:
            yield _entry(number, days[(number - THIN_ENTRIES) * len(days) // (entries - THIN_ENTRIES)])


def _entry(number: int, day: dt.date) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    user = number % PEOPLE
    project = (user + number // PEOPLE % 3) % len(PROJECTS)  # three projects each
    item = 1000 * (project + 1) + number * 31 % 400
    ms = 60_000 * (5 + number * 7 % 50) + number % 60_000
    began = dt.datetime(day.year, day.month, day.day, 7 + number // PEOPLE % 9, tzinfo=dt.UTC)
    start, stop = (_text(each) for each in (began, began + dt.timedelta(milliseconds=ms)))
    entry = (1, user + 1, f"{number:032x}", project + 1, item, start, stop, ms)
    more = ("Europe/Berlin", "timer", 0, 1, stop, stop)
    key = day.year * 100 + day.month
    return (number + 1, *entry, *more), (1, number + 1, day.isoformat(), key, user + 1, project + 1, item, ms, 1)


def _text(instant: dt.datetime) -> str:
    return instant.isoformat(timespec="milliseconds")[:23] + "Z"


def _working_days(year: int, month: int) -> Iterator[dt.date]:
    day = dt.date(year, month, 1)
    while day.month == month:
        if day.weekday() < 5:  # noqa: PLR2004 - Monday to Friday
            yield day
        day += dt.timedelta(days=1)
