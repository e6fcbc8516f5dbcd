"""Adds a month up: rows by group, days, and a total that always agrees with both."""

import datetime as dt
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa

from reports import store
from reports.rules import Group, Month
from reports.store import Person, Sum
from shared.tenancy.model import Caller


@dataclass(frozen=True, slots=True)
class Row:
    project: str | None
    user: Person | None
    work_item: int | None
    date: dt.date | None
    elapsed_ms: int
    entries: int


@dataclass(frozen=True, slots=True)
class Report:
    month: Month
    time_zone: str
    groups: tuple[Group, ...]
    rows: list[Row]
    days: list[tuple[dt.date, int]]
    total_ms: int


def month(
    tx: sa.Connection, caller: Caller, subject: Month, *, groups: tuple[Group, ...], user_id: int | None
) -> Report:
    """The month of one user, or of the whole tenant, by the days in force when each entry was stopped."""
    tenant_id = caller.tenant.id
    wanted = frozenset(groups)
    # Where few rows come of it, the days are read with the groups, and the month is gone through once instead of twice.
    read = wanted | {Group.DAY} if wanted <= {Group.PROJECT, Group.DAY} else wanted
    sums = _sums(tx, tenant_id, read, subject, user_id)
    days = sums if Group.DAY in read else _sums(tx, tenant_id, frozenset({Group.DAY}), subject, user_id)
    projects = store.project_names(tx, tenant_id) if Group.PROJECT in wanted else {}
    people = store.people(tx, tenant_id) if Group.USER in wanted else {}
    rows = [
        Row(
            project=None if key.project is None else projects[key.project],
            user=None if key.user is None else people[key.user],
            work_item=key.work_item,
            date=key.day,
            elapsed_ms=elapsed_ms,
            entries=entries,
        )
        for key, (elapsed_ms, entries) in _regroup(sums, wanted).items()
    ]
    rows.sort(key=_order)
    by_day = [(key.day, ms) for key, (ms, _) in _regroup(days, frozenset({Group.DAY})).items() if key.day is not None]
    return Report(subject, caller.tenant.time_zone, groups, rows, sorted(by_day), sum(ms for _, ms in by_day))


class _Key(NamedTuple):
    project: int | None
    user: int | None
    work_item: int | None
    day: dt.date | None


def _regroup(sums: list[Sum], groups: frozenset[Group]) -> dict[_Key, tuple[int, int]]:
    """Time and entries by coarser groups. An entry of several days counts on each by day, and once otherwise."""
    together: dict[_Key, tuple[int, int]] = {}
    for each in sums:
        key = _Key(
            each.project if Group.PROJECT in groups else None,
            each.user if Group.USER in groups else None,
            each.work_item if Group.WORK_ITEM in groups else None,
            each.day if Group.DAY in groups else None,
        )
        elapsed_ms, entries = together.get(key, (0, 0))
        counted = each.pieces if Group.DAY in groups else each.begun
        together[key] = elapsed_ms + each.elapsed_ms, entries + counted
    return together


def _sums(
    tx: sa.Connection, tenant_id: int, groups: frozenset[Group], subject: Month, user_id: int | None
) -> list[Sum]:
    return store.month_sums(tx, tenant_id, groups, month_key=subject.key, first=subject.first, user_id=user_id)


def _order(row: Row) -> tuple[str, str, int, dt.date]:
    """As a reader looks for it: by name, then number, then date."""
    person = "" if row.user is None else f"{row.user.display_name}\0{row.user.email}".casefold()
    return (row.project or "").casefold(), person, row.work_item or 0, row.date or dt.date.min
