"""Lists entries, newest start first, a page at a time; finds overlapping entries and projects by name."""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.calendar import Month
from shared.db.schema import organizations, projects, time_entries, time_entry_days, users
from shared.http.paging import TimeCursor
from shared.tenancy.organization_store import organization_key
from shared.tenancy.store import visible_to
from timers.entries import unwritten_store
from timers.entries.rules import Span
from timers.entries.store import ENTRIES, with_days
from timers.model import Source, TimeEntry
from timers.projects.store import counted_as, project_name_key


_DAY: Final = dt.timedelta(days=1)
_entries, _days = time_entries.c, time_entry_days.c
_earlier, _first_days = time_entries.alias("earlier"), time_entry_days.alias()


@dataclass(frozen=True, slots=True)
class Filters:
    """The conditions of a list; None does not filter. `days` are the first and the last one."""

    user_id: int | None = None
    organization: str | None = None
    projects: Sequence[int] | None = None
    work_item_ids: Sequence[int] | None = None
    days: tuple[dt.date, dt.date] | None = None
    needs_review: bool | None = None
    unwritten: str | None = None  # the state of a write-back that is not done
    source: Source | None = None
    changed_since: dt.datetime | None = None  # the list is in the order of changes, oldest first
    writes_back: bool = True  # whether the tenant's write-back is on


@dataclass(frozen=True, slots=True)
class ListedEntry:
    """An entry with its person's id on the wire, and name."""

    entry: TimeEntry
    user: uuid.UUID
    name: str


# An entry is in the range if one of its days is. Nearly all of those start at most a day before the range; the subquery
# finds the start of one that reaches into it from longer ago. So the index on starts is read between two bounds.
_since = bindparam("since", type_=_entries.started_at.type)
_earliest_start = (
    sa.select(sa.func.min(sa.case((_earlier.c.started_at < _since, _earlier.c.started_at), else_=_since)))
    .select_from(_first_days)
    .outerjoin(  # every day has its entry; with an outer join SQLite begins with the few days
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
_has_day_in_range = sa.exists().where(
    _days.tenant_id == bindparam("tenant"),
    _days.entry_id == _entries.id,
    _days.work_date.between(bindparam("first"), bindparam("last")),
)
_end_at = bindparam("end_at", type_=_entries.started_at.type)
_end_id = bindparam("end_public", type_=_entries.public_id.type)
_is_source = _entries.source == bindparam("source", type_=sa.String)
_CONDITIONS: Final[dict[str, sa.ColumnElement[bool]]] = {
    "user": _entries.user_id == bindparam("user"),
    "organization": projects.c.organization_id
    == sa.select(organizations.c.id)
    .where(
        organizations.c.tenant_id == bindparam("tenant"),
        organizations.c.name_key == bindparam("organization", type_=sa.String),
    )
    .scalar_subquery(),
    "projects": _entries.project_id.in_(bindparam("projects", expanding=True)),
    "work_items": _entries.work_item_id.in_(bindparam("work_items", expanding=True)),
    "days": sa.and_(
        _entries.started_at >= sa.func.coalesce(_earliest_start, _since),
        _entries.started_at < bindparam("until", type_=_entries.started_at.type),
        _has_day_in_range,
    ),
    "unwritten": _entries.public_id.in_(unwritten_store.ENTRIES),
    "source": _is_source,
    "rare_source": sa.and_(  # literally the predicate of the filtered index
        _entries.source != sa.literal_column("'timer'", sa.String), _is_source
    ),
    "changed": _entries.updated_at >= bindparam("changed", type_=_entries.updated_at.type),
    "to_review": _entries.needs_review == sa.true(),  # literally the predicate of the filtered index
    "reviewed": _entries.needs_review == sa.false(),
    "after": sa.and_(
        _entries.started_at <= _end_at,
        sa.or_(_entries.started_at < _end_at, _entries.public_id < _end_id),
    ),
    "after_change": sa.and_(
        _entries.updated_at >= _end_at,
        sa.or_(_entries.updated_at > _end_at, _entries.public_id > _end_id),
    ),
}
_BY_START: Final = (_entries.started_at.desc(), _entries.public_id.desc())
_BY_CHANGE: Final = (_entries.updated_at, _entries.public_id)
_PAGE: Final = (
    ENTRIES.add_columns(users.c.public_id.label("owner"), users.c.display_name)
    .join(users, sa.and_(users.c.tenant_id == _entries.tenant_id, users.c.id == _entries.user_id))
    .where(visible_to(users, bindparam("viewer")))
    .limit(bindparam("most"))
)
_PROJECT_NAMES: Final = sa.select(projects.c.id, projects.c.name, counted_as().label("counted_as")).where(
    projects.c.tenant_id == bindparam("tenant")
)
# Bounded on both sides: an index on starts cannot find a long entry of long ago that reaches this far.
_MAX_LENGTH: Final = dt.timedelta(days=31)
_SPANS: Final = sa.select(_entries.public_id, _entries.user_id, _entries.started_at, _entries.stopped_at).where(
    _entries.tenant_id == bindparam("tenant"),
    _entries.user_id.in_(bindparam("users", expanding=True)),
    _entries.started_at >= bindparam("since", type_=_entries.started_at.type),
    _entries.started_at < bindparam("until", type_=_entries.started_at.type),
    _entries.stopped_at > bindparam("first_start", type_=_entries.started_at.type),
)


@cache
def statement(conditions: tuple[str, ...]) -> sa.Select[Any]:
    """The SELECT with some of the conditions; built when it is first needed, since it is slow to build."""
    order = _BY_CHANGE if {"changed", "after_change"} & {*conditions} else _BY_START
    return _PAGE.where(*(_CONDITIONS[name] for name in conditions)).order_by(*order)


def read_page(
    tx: sa.Connection, tenant_id: int, filters: Filters, *, viewer: int, after: TimeCursor | None, limit: int
) -> list[sa.Row[Any]]:
    """At most `limit` rows after the cursor, also where its entry is deleted; `load` makes entries of them."""
    given = _parameters(filters, after)
    parameters: dict[str, Any] = {"tenant": tenant_id, "most": limit, "viewer": viewer}
    for values in given.values():
        parameters |= values
    return list(tx.execute(statement(tuple(given)), parameters))


def cursor(row: sa.Row[Any], filters: Filters) -> TimeCursor:
    """The position of a row in its list."""
    return TimeCursor(row.public_id, row.started_at if filters.changed_since is None else row.updated_at)


def load(tx: sa.Connection, tenant_id: int, rows: Sequence[sa.Row[Any]]) -> list[ListedEntry]:
    """The entries of the rows, with their days."""
    entries = with_days(tx, tenant_id, rows)
    return [ListedEntry(entry, row.owner, row.display_name) for entry, row in zip(entries, rows, strict=True)]


def find_spans(tx: sa.Connection, tenant_id: int, entries: Sequence[TimeEntry]) -> list[Span]:
    """The spans of the same people's entries that may overlap these, and of these themselves.

    Without those that start more than 31 days before all of them.
    """
    if not entries:
        return []
    first = min(entry.started_at for entry in entries)
    parameters = {
        "tenant": tenant_id,
        "users": sorted({entry.user_id for entry in entries}),
        "since": first - _MAX_LENGTH,
        "until": max(entry.stopped_at for entry in entries),
        "first_start": first,
    }
    return [Span(*row) for row in tx.execute(_SPANS, parameters)]


def find_projects(tx: sa.Connection, tenant_id: int, name: str) -> list[int]:
    """The projects with a name in every organization of the tenant, and those that count as one of them."""
    rows = tx.execute(_PROJECT_NAMES, {"tenant": tenant_id}).all()
    key = project_name_key(name)
    targets = {row.counted_as for row in rows if project_name_key(row.name) == key}
    return [row.id for row in rows if row.counted_as in targets]


def _parameters(filters: Filters, after: TimeCursor | None) -> dict[str, dict[str, Any]]:
    """The parameters of each condition that is needed."""
    given: dict[str, dict[str, Any]] = {}
    if filters.user_id is not None:
        given["user"] = {"user": filters.user_id}
    if filters.organization is not None:
        given["organization"] = {"organization": organization_key(filters.organization)}
    if filters.projects is not None:
        given["projects"] = {"projects": list(filters.projects)}
    if filters.work_item_ids is not None:
        given["work_items"] = {"work_items": list(filters.work_item_ids)}
    if filters.days is not None:
        given["days"] = _range(*filters.days)
    if filters.unwritten is not None:
        given["unwritten"] = {"unwritten": filters.unwritten, "is_on": int(filters.writes_back)}
    if filters.source is not None:
        given["source" if filters.source is Source.TIMER else "rare_source"] = {"source": filters.source.value}
    if filters.needs_review is not None:
        given["to_review" if filters.needs_review else "reviewed"] = {}
    return given | _position(filters, after)


def _position(filters: Filters, after: TimeCursor | None) -> dict[str, dict[str, Any]]:
    """The parameters of the beginning of a page, in the order of starts or of changes."""
    by_change = filters.changed_since is not None
    if after is not None:
        return {"after_change" if by_change else "after": {"end_at": after.at, "end_public": after.id}}
    return {"changed": {"changed": filters.changed_since}} if by_change else {}


def _range(first: dt.date, last: dt.date) -> dict[str, Any]:
    """Parameters for a range of days: a local day begins up to 14 hours before UTC's and ends up to 12 hours after it.

    The rest of the margin is for days that a time zone skipped.
    """
    midnight = dt.datetime(first.year, first.month, first.day, tzinfo=dt.UTC)
    return {
        "first": first,
        "last": last,
        "first_month": Month.of_day(first).key,
        "since": midnight - 3 * _DAY,
        "until": midnight + (last - first) + 2 * _DAY,
    }
