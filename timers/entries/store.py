"""Reads time entries with their work item and their days."""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import projects, time_entries, time_entry_days
from shared.db.statements import for_update
from timers.model import DayPiece, Source, TimeEntry, WorkItem


_MAX_TO_REVIEW: Final = 50
_entries, _days = time_entries.c, time_entry_days.c
ENTRIES: Final[sa.Select[Any]] = (
    sa.select(time_entries, projects.c.organization_id, projects.c.organization, projects.c.name.label("project"))
    .join(projects, sa.and_(projects.c.tenant_id == _entries.tenant_id, projects.c.id == _entries.project_id))
    .where(_entries.tenant_id == bindparam("tenant"))
)
_TO_REVIEW: Final = (
    ENTRIES.where(_entries.user_id == bindparam("user"), _entries.needs_review == sa.true())
    .order_by(_entries.started_at, _entries.id)
    .limit(_MAX_TO_REVIEW)
)
_ENTRY: Final = ENTRIES.where(_entries.public_id == bindparam("public"))
_ENTRY_FOR_UPDATE: Final = for_update(_ENTRY, time_entries)
# The tenant is compared by a range, since with an equality and many entries SQLite would scan all days of the tenant.
_DAYS: Final[sa.Select[Any]] = (
    sa.select(_days.entry_id, _days.work_date, _days.elapsed_ms)
    .where(
        _days.tenant_id >= bindparam("tenant"),
        _days.tenant_id <= bindparam("tenant"),
        _days.entry_id.in_(bindparam("entries", expanding=True)),
    )
    .order_by(_days.entry_id, _days.work_date)
)


def entries_to_review(tx: sa.Connection, tenant_id: int, user_id: int) -> list[TimeEntry]:
    """A user's entries that need a review, the oldest 50."""
    return with_days(tx, tenant_id, tx.execute(_TO_REVIEW, {"tenant": tenant_id, "user": user_id}).all())


def find_entry(tx: sa.Connection, tenant_id: int, public_id: uuid.UUID, *, lock: bool = False) -> TimeEntry | None:
    """One entry; with `lock` nobody else changes it until the transaction ends."""
    rows = tx.execute(_ENTRY_FOR_UPDATE if lock else _ENTRY, {"tenant": tenant_id, "public": public_id}).all()
    return next(iter(with_days(tx, tenant_id, rows)), None)


def with_days(tx: sa.Connection, tenant_id: int, rows: Iterable[sa.Row[Any]]) -> list[TimeEntry]:
    """The entries of rows of ENTRIES, in the same order."""
    rows = list(rows)
    if not rows:
        return []
    days: dict[int, list[DayPiece]] = defaultdict(list)
    for piece in tx.execute(_DAYS, {"tenant": tenant_id, "entries": [row.id for row in rows]}):
        days[piece.entry_id].append(DayPiece(piece.work_date, piece.elapsed_ms))
    return [_entry(row, tuple(days[row.id])) for row in rows]


def _entry(row: Any, days: tuple[DayPiece, ...]) -> TimeEntry:  # noqa: ANN401 - a row
    return TimeEntry(
        id=row.public_id,
        user_id=row.user_id,
        work_item=WorkItem(row.organization_id, row.project_id, row.organization, row.project, row.work_item_id),
        started_at=row.started_at,
        stopped_at=row.stopped_at,
        elapsed_ms=row.elapsed_ms,
        existing_hours=row.existing_hours,
        note=row.note,
        source=Source(row.source),
        needs_review=row.needs_review,
        time_zone=row.time_zone,
        end_inferred=row.end_inferred,
        version=row.version,
        days=days,
    )
