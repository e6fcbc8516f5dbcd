"""Adds a month up: rows by group, days, and a total that always agrees with both."""

import datetime as dt
import uuid
from dataclasses import dataclass

import sqlalchemy as sa

from reports import store
from reports.rules import Group, Month
from reports.store import Person, Sum
from shared import audit
from shared.audit import Action, Actor
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
    days = _sums(tx, tenant_id, frozenset({Group.DAY}), subject, user_id)
    sums = days if wanted == {Group.DAY} else _sums(tx, tenant_id, wanted, subject, user_id)
    projects = store.project_names(tx, tenant_id) if Group.PROJECT in wanted else {}
    people = store.people(tx, tenant_id) if Group.USER in wanted else {}
    rows = [
        Row(
            project=None if each.project is None else projects[each.project],
            user=None if each.user is None else people[each.user],
            work_item=each.work_item,
            date=each.day,
            elapsed_ms=each.elapsed_ms,
            entries=each.entries,
        )
        for each in sums
    ]
    rows.sort(key=_order)
    by_day = [(each.day, each.elapsed_ms) for each in days if each.day is not None]
    return Report(subject, caller.tenant.time_zone, groups, rows, by_day, sum(ms for _, ms in by_day))


def record_export(
    tx: sa.Connection, caller: Caller, subject: Month, *, file_format: str, now: dt.datetime, row_id: uuid.UUID
) -> None:
    """Puts on record that somebody took a month's report out."""
    audit.record(
        tx,
        caller.tenant.id,
        Action.REPORT_EXPORTED,
        actor=Actor.user(caller.user.id),
        at=now,
        row_id=row_id,
        after={"month": subject.first.strftime("%Y-%m"), "format": file_format},
    )


def _sums(
    tx: sa.Connection, tenant_id: int, groups: frozenset[Group], subject: Month, user_id: int | None
) -> list[Sum]:
    return store.month_sums(tx, tenant_id, groups, month_key=subject.key, first=subject.first, user_id=user_id)


def _order(row: Row) -> tuple[str, str, int, dt.date]:
    """As a reader looks for it: by name, then number, then date."""
    person = "" if row.user is None else f"{row.user.display_name}\0{row.user.email}".casefold()
    return (row.project or "").casefold(), person, row.work_item or 0, row.date or dt.date.min
