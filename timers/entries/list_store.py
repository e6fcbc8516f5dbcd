"""Reads entries a page at a time, newest start first, and what lies beside them; finds the project of a new one."""

import datetime as dt
import itertools
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import organizations, projects, time_entries, time_entry_days, users
from shared.tenancy.organization_store import organization_key
from shared.tenancy.store import shown_to
from timers.cursor import PageEnd
from timers.entries import unwritten_store
from timers.entries.rules import Span
from timers.entries.store import ENTRIES, with_days
from timers.model import TimeEntry, WorkItem
from timers.projects import store as projects_store
from timers.projects.store import counted_as, project_key, project_name_key


_DAY: Final = dt.timedelta(days=1)
_entries, _days = time_entries.c, time_entry_days.c
_earlier, _first_days = time_entries.alias("earlier"), time_entry_days.alias()


@dataclass(frozen=True, slots=True)
class Filters:
    """Which entries are wanted; None does not ask. `days` are the first and the last one."""

    user_id: int | None = None
    organization: str | None = None
    projects: Sequence[int] | None = None
    work_item_id: int | None = None
    days: tuple[dt.date, dt.date] | None = None
    needs_review: bool | None = None
    unwritten: str | None = None  # the state of what is not written back
    writes_back: bool = True  # whether the tenant has the write-back on


@dataclass(frozen=True, slots=True)
class Owned:
    """An entry, and its person's id on the wire."""

    entry: TimeEntry
    user: uuid.UUID


# An entry is in the range when one of its days is. It starts at most a day before that one, unless it is the rare one
# that reaches into the first day from long before: with both ends known, the index on the start is read no further.
_since = bindparam("since", type_=_entries.started_at.type)
_reaches_in = (
    sa.select(sa.func.min(sa.case((_earlier.c.started_at < _since, _earlier.c.started_at), else_=_since)))
    .select_from(_first_days)
    .outerjoin(  # each has its entry; the outer join has SQLite begin with the day, of which there are few
        _earlier,
        sa.and_(_earlier.c.tenant_id == _first_days.c.tenant_id, _earlier.c.id == _first_days.c.entry_id),
    )
    .where(
        _first_days.c.tenant_id == bindparam("tenant"),
        _first_days.c.month_key == bindparam("first_month"),
        _first_days.c.work_date == bindparam("first"),
        _first_days.c.starts_entry == 0,
    )
    .scalar_subquery()
)
_in_range = sa.exists().where(
    _days.tenant_id == bindparam("tenant"),
    _days.entry_id == _entries.id,
    _days.work_date.between(bindparam("first"), bindparam("last")),
)
_end_at = bindparam("end_at", type_=_entries.started_at.type)
_end_id = bindparam("end_public", type_=_entries.public_id.type)
_PARTS: Final[dict[str, tuple[sa.ColumnElement[bool], ...]]] = {
    "user": (_entries.user_id == bindparam("user"),),
    "organization": (
        projects.c.organization_id
        == sa.select(organizations.c.id)
        .where(
            organizations.c.tenant_id == bindparam("tenant"),
            organizations.c.name_key == bindparam("organization", type_=sa.String),
        )
        .scalar_subquery(),
    ),
    "projects": (_entries.project_id.in_(bindparam("projects", expanding=True)),),
    "work_item": (_entries.work_item_id == bindparam("work_item"),),
    "days": (
        _entries.started_at >= sa.func.coalesce(_reaches_in, _since),
        _entries.started_at < bindparam("until", type_=_entries.started_at.type),
        _in_range,
    ),
    "unwritten": (_entries.public_id.in_(unwritten_store.ENTRIES),),
    "to_review": (_entries.needs_review == sa.true(),),  # in these words the index of what needs review is used
    "reviewed": (_entries.needs_review == sa.false(),),
    "end": (
        _entries.started_at <= _end_at,
        sa.or_(_entries.started_at < _end_at, _entries.public_id < _end_id),
    ),
}
_PAGE: Final = (
    ENTRIES.add_columns(users.c.public_id.label("owner"))
    .join(users, sa.and_(users.c.tenant_id == _entries.tenant_id, users.c.id == _entries.user_id))
    .where(shown_to(users, bindparam("viewer")))
    .order_by(_entries.started_at.desc(), _entries.public_id.desc())
    .limit(bindparam("most"))
)
_STATEMENTS: Final = {
    frozenset(asked): _PAGE.where(*(part for name in asked for part in _PARTS[name]))
    for size in range(len(_PARTS) + 1)
    for asked in itertools.combinations(_PARTS, size)
    if not {"to_review", "reviewed"} <= set(asked)
}
_PROJECT: Final = sa.select(projects.c.id, projects.c.organization_id, projects.c.organization, projects.c.name).where(
    projects.c.tenant_id == bindparam("tenant"), projects.c.name_key == bindparam("name_key")
)
_PROJECT_NAMES: Final = sa.select(projects.c.id, projects.c.name, counted_as().label("counted_as")).where(
    projects.c.tenant_id == bindparam("tenant")
)
# Bounded on both sides, since an index on starts cannot tell what an entry of long ago still covers.
_LONG: Final = dt.timedelta(days=31)
_SPANS: Final = sa.select(_entries.public_id, _entries.user_id, _entries.started_at, _entries.stopped_at).where(
    _entries.tenant_id == bindparam("tenant"),
    _entries.user_id.in_(bindparam("users", expanding=True)),
    _entries.started_at >= bindparam("since", type_=_entries.started_at.type),
    _entries.started_at < bindparam("until", type_=_entries.started_at.type),
    _entries.stopped_at > bindparam("first_start", type_=_entries.started_at.type),
)


def page(
    tx: sa.Connection, tenant_id: int, filters: Filters, *, viewer: int, end: PageEnd | None, most: int
) -> list[sa.Row[Any]]:
    """At most `most` rows, for `whole`, after the place that `end` names, whether its entry still exists or not."""
    asked: dict[str, dict[str, Any]] = {}
    if filters.user_id is not None:
        asked["user"] = {"user": filters.user_id}
    if filters.organization is not None:
        asked["organization"] = {"organization": organization_key(filters.organization)}
    if filters.projects is not None:
        asked["projects"] = {"projects": list(filters.projects)}
    if filters.work_item_id is not None:
        asked["work_item"] = {"work_item": filters.work_item_id}
    if filters.days is not None:
        asked["days"] = _range(*filters.days)
    if filters.needs_review is not None:
        asked["to_review" if filters.needs_review else "reviewed"] = {}
    if filters.unwritten is not None:
        asked["unwritten"] = {"unwritten": filters.unwritten, "is_on": int(filters.writes_back)}
    if end is not None:
        asked["end"] = {"end_at": end.started_at, "end_public": end.id}
    parameters = {name: value for values in asked.values() for name, value in values.items()}
    found = tx.execute(
        _STATEMENTS[frozenset(asked)], {"tenant": tenant_id, "most": most, "viewer": viewer, **parameters}
    )
    return list(found)


def whole(tx: sa.Connection, tenant_id: int, rows: Sequence[sa.Row[Any]]) -> list[Owned]:
    return [Owned(entry, row.owner) for entry, row in zip(with_days(tx, tenant_id, rows), rows, strict=True)]


def spans_beside(tx: sa.Connection, tenant_id: int, entries: Sequence[TimeEntry]) -> list[Span]:
    """When the same people's entries were that may share time with these, these included.

    One that began more than 31 days before all of them is not looked for.
    """
    if not entries:
        return []
    first = min(entry.started_at for entry in entries)
    parameters = {
        "tenant": tenant_id,
        "users": sorted({entry.user_id for entry in entries}),
        "since": first - _LONG,
        "until": max(entry.stopped_at for entry in entries),
        "first_start": first,
    }
    return [Span(*row) for row in tx.execute(_SPANS, parameters)]


def projects_called(tx: sa.Connection, tenant_id: int, name: str) -> list[int]:
    """The projects of a name in every organization of the tenant, and those that count as one of them."""
    rows = tx.execute(_PROJECT_NAMES, {"tenant": tenant_id}).all()
    wanted = project_name_key(name)
    counted_as = {row.counted_as for row in rows if project_name_key(row.name) == wanted}
    return [row.id for row in rows if row.counted_as in counted_as]


def work_item(
    tx: sa.Connection,
    tenant_id: int,
    *,
    organization: str,
    project: str,
    number: int,
    new_id: Callable[[], uuid.UUID],
) -> WorkItem:
    """What is worked on; its project becomes known unless it is."""
    parameters = {"tenant": tenant_id, "name_key": project_key(organization, project)}
    row = tx.execute(_PROJECT, parameters).first()
    if row is None:
        projects_store.add(tx, tenant_id, organization=organization, project=project, public_id=new_id())
        row = tx.execute(_PROJECT, parameters).one()
    return WorkItem(row.organization_id, row.id, row.organization, row.name, number)


def _range(first: dt.date, last: dt.date) -> dict[str, Any]:
    """A local day begins at most 14 hours before UTC's, and ends at most 12 after; the rest is for skipped days."""
    midnight = dt.datetime(first.year, first.month, first.day, tzinfo=dt.UTC)
    return {
        "first": first,
        "last": last,
        "first_month": first.year * 100 + first.month,
        "since": midnight - 3 * _DAY,
        "until": midnight + (last - first) + 2 * _DAY,
    }
