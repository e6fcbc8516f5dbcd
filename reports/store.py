"""The sums behind a report: each is one range of the covering index on the days of the entries."""

import datetime as dt
import itertools
import uuid
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from reports.rules import Group
from shared.db.schema import projects, time_entry_days, users


@dataclass(frozen=True, slots=True)
class Sum:
    """`project` and `user` are our row numbers; what the report is not grouped by is None."""

    project: int | None
    user: int | None
    work_item: int | None
    day: dt.date | None
    elapsed_ms: int
    entries: int


@dataclass(frozen=True, slots=True)
class Person:
    id: uuid.UUID
    display_name: str
    email: str


_days = time_entry_days.c
_COLUMN: Final[dict[Group, sa.Column[Any]]] = {
    Group.PROJECT: _days.project_id,
    Group.USER: _days.user_id,
    Group.WORK_ITEM: _days.work_item_id,
    Group.DAY: _days.work_date,
}
# An entry that began before the month counts on the month's first day.
_COUNTS = sa.case((sa.or_(_days.starts_entry == 1, _days.work_date == bindparam("first")), 1), else_=0)


def _sums(groups: frozenset[Group], *, one_user: bool) -> sa.Select[Any]:
    grouped = [_COLUMN[group] for group in Group if group in groups]
    dimensions = [
        (_COLUMN[group] if group in groups else sa.null()).label(f"of_{group.name.lower()}") for group in Group
    ]
    # On one day an entry has one piece; over several, it is counted on the day it begins.
    entries = sa.func.count() if Group.DAY in groups else sa.func.sum(_COUNTS)
    select = sa.select(
        *dimensions,
        sa.func.sum(_days.elapsed_ms, type_=sa.BigInteger).label("elapsed_ms"),
        sa.type_coerce(entries, sa.Integer).label("entries"),
    ).where(_days.tenant_id == bindparam("tenant"), _days.month_key == bindparam("month"))
    if one_user:
        select = select.where(_days.user_id == bindparam("user"))
    return select.group_by(*grouped).order_by(*grouped)


_ALL_GROUPS: Final = [frozenset(some) for size in range(1, 5) for some in itertools.combinations(Group, size)]
_STATEMENTS: Final = {
    (groups, one_user): _sums(groups, one_user=one_user) for groups in _ALL_GROUPS for one_user in (False, True)
}
_PROJECTS = sa.select(projects.c.id, projects.c.name).where(projects.c.tenant_id == bindparam("tenant"))
_PEOPLE = sa.select(users.c.id, users.c.public_id, users.c.display_name, users.c.email).where(
    users.c.tenant_id == bindparam("tenant")
)


def month_sums(
    tx: sa.Connection, tenant_id: int, groups: frozenset[Group], *, month_key: int, first: dt.date, user_id: int | None
) -> list[Sum]:
    """The month's time by every combination of the groups; of one user, or of everyone."""
    parameters: dict[str, Any] = {"tenant": tenant_id, "month": month_key, "first": first}
    if user_id is not None:
        parameters["user"] = user_id
    rows = tx.execute(_STATEMENTS[groups, user_id is not None], parameters)
    return [Sum(row[0], row[1], row[2], row[3], int(row[4]), int(row[5])) for row in rows]


def project_names(tx: sa.Connection, tenant_id: int) -> dict[int, str]:
    return {row.id: row.name for row in tx.execute(_PROJECTS, {"tenant": tenant_id})}


def people(tx: sa.Connection, tenant_id: int) -> dict[int, Person]:
    rows = tx.execute(_PEOPLE, {"tenant": tenant_id})
    return {row.id: Person(row.public_id, row.display_name, row.email) for row in rows}
