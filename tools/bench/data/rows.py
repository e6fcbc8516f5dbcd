"""The rows of the benchmarks: a tenant, its people, and time entries derived from their number."""

import datetime as dt
import itertools
import uuid
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final, TypeAlias

from shared.db.schema import metadata
from tools.bench.data.directory import TID, oid


PEOPLE: Final = 200
PROJECTS: Final = ("Website", *(f"Project {number}" for number in range(2, 13)))
ITEMS_EACH: Final = 400  # per project
MONTHS: Final = tuple((year, month) for year in (2025, 2026) for month in range(1, 13))
REPORT_MONTH: Final = "2026-06"
_BEGAN: Final = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)

ENTRY: Final = (
    *("id", "tenant_id", "user_id", "public_id", "project_id", "work_item_id", "started_at", "stopped_at"),
    *("elapsed_ms", "time_zone", "source", "needs_review", "version", "created_at", "updated_at"),
)
DAY: Final = (
    *("tenant_id", "entry_id", "work_date", "month_key", "user_id", "project_id", "work_item_id", "elapsed_ms"),
    "starts_entry",
)
COLUMNS: Final = {"time_entries": ENTRY, "time_entry_days": DAY}
assert all(set(names) <= set(metadata.tables[table].c.keys()) for table, names in COLUMNS.items())  # noqa: S101 - checks the names
_BATCH: Final = 50_000

Values: TypeAlias = tuple[int | str, ...]
# Progress after the batch, from 0 to 1; rows of each table
Batch: TypeAlias = tuple[float, Sequence[Sequence[Values]]]


def rows(entries: int) -> Iterator[tuple[Values, Values]]:
    """Entries with their day, oldest first; all people work each working day of 24 months."""
    days = [day for year, month in MONTHS for day in _working_days(year, month)]
    return (_row(number, days[number * len(days) // entries]) for number in range(entries))


def batches(entries: int) -> Iterator[Batch]:
    """The same rows in batches."""
    coming, written = rows(entries), 0
    while batch := list(itertools.islice(coming, _BATCH)):
        written += len(batch)
        yield written / entries, list(zip(*batch, strict=True))


def _row(number: int, day: dt.date) -> tuple[Values, Values]:
    turn, person = divmod(number, PEOPLE)
    project = (person + turn % 3) % len(PROJECTS)  # three projects per person
    item = item_of(project, (turn * 31 + person * 7) % ITEMS_EACH)
    ms = 60_000 * (5 + number * 7 % 50) + number % 60_000
    date = _date(day)
    start, stop = _instant(date, (7 + turn % 9) * 3_600_000), _instant(date, (7 + turn % 9) * 3_600_000 + ms)
    of_what = (person + 1, f"{number:032x}", project + 1, item)
    entry = (number + 1, 1, *of_what, start, stop, ms, "Europe/Berlin", "timer", 0, 1, stop, stop)
    key = day.year * 100 + day.month
    return entry, (1, number + 1, date, key, person + 1, project + 1, item, ms, 1)


def item_of(project: int, number: int) -> int:
    """The work item's number in Azure DevOps."""
    return 1000 * (project + 1) + number


def _instant(date: str, ms: int) -> str:
    """The text of a time in SQLite's tables; no entry crosses midnight."""
    seconds, ms = divmod(ms, 1000)
    return f"{date}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{ms:03}Z"


@cache
def _date(day: dt.date) -> str:
    return day.isoformat()


def _working_days(year: int, month: int) -> list[dt.date]:
    first = dt.date(year, month, 1)
    month_of_days = (first + dt.timedelta(days=number) for number in range(31))
    return [day for day in month_of_days if day.month == month and day.weekday() < 5]  # noqa: PLR2004 - until Friday


def tenant() -> dict[str, Any]:
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


def person(number: int) -> dict[str, Any]:
    email = f"person{number}@contoso.example"
    return {
        "id": number + 1,
        "tenant_id": 1,
        "public_id": uuid.UUID(int=1000 + number),
        "entra_object_id": uuid.UUID(oid(number)),
        "email": email,
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


def organization() -> dict[str, Any]:
    return {
        "id": 1,
        "tenant_id": 1,
        "public_id": uuid.UUID(int=2),
        "name": "contoso",
        "name_key": "contoso",
        "is_active": True,
        "created_at": _BEGAN,
    }


def project(number: int) -> dict[str, Any]:
    name = PROJECTS[number]
    key = f"contoso/{name}".casefold()
    of = {"tenant_id": 1, "public_id": uuid.UUID(int=number + 1), "organization_id": 1, "organization": "contoso"}
    return {"id": number + 1, **of, "name": name, "name_key": key}


def items() -> Iterator[dict[str, Any]]:
    for of_project in range(len(PROJECTS)):
        for number in range(ITEMS_EACH):
            item = item_of(of_project, number)
            yield {
                "tenant_id": 1,
                "organization_id": 1,
                "organization_key": "contoso",
                "work_item_id": item,
                "type": ("Bug", "Task", "User Story")[number % 3],
                "title": f"Title of work item {item} with a common length",
                "assignee_name": f"Person {number % PEOPLE}",
                "state": "Active",
                "fetched_at": _BEGAN,
            }


def readings() -> Iterator[dict[str, Any]]:
    """The admin has read every work item, on a date that never expires."""
    for item in items():
        of = {name: item[name] for name in ("tenant_id", "organization_id", "work_item_id")}
        yield {**of, "user_id": 1, "read_on": dt.date.max}
