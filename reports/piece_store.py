"""Reads pieces of time, one for each day of an entry, with all columns of a detailed list."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from reports.store import (
    TENANT,
    Filter,
    ReportPerson,
    ReportQuery,
    WorkItemView,
    filters_with_unknown,
    of_cache,
    of_organization,
    parameters,
    person_of,
    where,
)
from shared.db.schema import organizations, projects, time_entries, time_entry_days, users, work_items
from timers.projects import counted_as


_BATCH: Final = 1000
_days, _entries, _items = time_entry_days.c, time_entries.c, work_items.c
_counted = projects.alias("counted")


@dataclass(frozen=True, slots=True)
class Piece:
    """The part of an entry on one day; `started_at` and `stopped_at` are of the whole entry. Aliases are resolved."""

    date: dt.date
    elapsed_ms: int
    starts_entry: bool
    user_id: int
    user: ReportPerson
    project_id: int
    organization: str
    project: str
    work_item: WorkItemView
    started_at: dt.datetime
    stopped_at: dt.datetime
    time_zone: str
    note: str | None
    source: str
    needs_review: bool


@cache
def statement(filters: frozenset[Filter], *, one_month: bool) -> sa.Select[Any]:
    """One statement for each set of filters and kind of span, built at the first use."""
    entry = sa.and_(_entries.tenant_id == TENANT, _entries.id == _days.entry_id)
    project = sa.and_(projects.c.tenant_id == TENANT, projects.c.id == _days.project_id)
    counted = sa.and_(_counted.c.tenant_id == TENANT, _counted.c.id == counted_as())
    user = sa.and_(users.c.tenant_id == TENANT, users.c.id == _days.user_id)
    columns = (
        *(_days.work_date, _days.elapsed_ms, _days.starts_entry, _days.user_id, _days.work_item_id),
        *(_counted.c.id.label("project_id"), _counted.c.name.label("project")),
        *(organizations.c.name.label("organization"), users.c.public_id),
        *(users.c.display_name, users.c.email, users.c.erased_at),
        *(_items.type, _entries.started_at, _entries.stopped_at),
        *(_entries.time_zone, _entries.note, _entries.source, _entries.needs_review),
    )
    return (
        sa.select(*columns)
        .select_from(time_entry_days)
        .join(time_entries, entry)
        .join(projects, project)
        .join(_counted, counted)
        .join(organizations, of_organization(projects.c.organization_id))
        .join(users, user)
        .outerjoin(work_items, of_cache(projects.c.organization_id, _days.work_item_id))
        .where(*where(filters, one_month=one_month))
        .order_by(
            _days.work_date, sa.func.lower(users.c.display_name), _days.user_id, _entries.started_at, _days.entry_id
        )
    )


@cache
def count_statement(filters: frozenset[Filter], *, one_month: bool) -> sa.Select[Any]:
    return sa.select(sa.func.count()).select_from(time_entry_days).where(*where(filters, one_month=one_month))


def count(tx: sa.Connection, tenant_id: int, query: ReportQuery) -> int:
    select = count_statement(filters_with_unknown(query), one_month=query.span.is_in_one_month)
    return int(tx.execute(select, parameters(tenant_id, query)).scalar_one())


def read(
    tx: sa.Connection, tenant_id: int, query: ReportQuery, visible: Mapping[tuple[str, int], WorkItemView]
) -> Iterator[Piece]:
    """By day, person and start, streamed in batches.

    `visible` has the work items whose titles the viewer may see, by organization and number. They are read once, since
    a join would look each of them up for every piece.
    """
    select = statement(filters_with_unknown(query), one_month=query.span.is_in_one_month)
    for row in tx.execute(select, parameters(tenant_id, query), execution_options={"yield_per": _BATCH}):
        item = (row.organization, row.work_item_id)
        yield Piece(
            date=row.work_date,
            elapsed_ms=row.elapsed_ms,
            starts_entry=row.starts_entry == 1,
            user_id=row.user_id,
            user=person_of(row),
            project_id=row.project_id,
            organization=row.organization,
            project=row.project,
            work_item=visible.get(item) or WorkItemView(*item, row.type),
            started_at=row.started_at,
            stopped_at=row.stopped_at,
            time_zone=row.time_zone,
            note=row.note,
            source=row.source,
            needs_review=row.needs_review,
        )
