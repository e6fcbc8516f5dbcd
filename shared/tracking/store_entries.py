"""Reads whole time entries, with their work item and their days."""

from collections import defaultdict
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import projects, time_entries, time_entry_days
from shared.tracking.model import DayPiece, Source, TimeEntry, WorkItem


MOST_TO_REVIEW: Final = 50
_entries, _days = time_entries.c, time_entry_days.c
_TO_REVIEW: Final[sa.Select[Any]] = (
    sa.select(time_entries, projects.c.organization, projects.c.name.label("project"))
    .join(projects, sa.and_(projects.c.tenant_id == _entries.tenant_id, projects.c.id == _entries.project_id))
    .where(
        _entries.tenant_id == bindparam("tenant"),
        _entries.user_id == bindparam("user"),
        _entries.needs_review == sa.true(),
    )
    .order_by(_entries.started_at, _entries.id)
    .limit(MOST_TO_REVIEW)
)
_DAYS: Final[sa.Select[Any]] = (
    sa.select(_days.entry_id, _days.work_date, _days.elapsed_ms)
    .where(_days.tenant_id == bindparam("tenant"), _days.entry_id.in_(bindparam("entries", expanding=True)))
    .order_by(_days.entry_id, _days.work_date)
)


def entries_to_review(tx: sa.Connection, tenant_id: int, user_id: int) -> list[TimeEntry]:
    """A user's entries that wait for a look, the oldest 50."""
    rows = tx.execute(_TO_REVIEW, {"tenant": tenant_id, "user": user_id}).all()
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
        work_item=WorkItem(row.project_id, row.organization, row.project, row.work_item_id),
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
