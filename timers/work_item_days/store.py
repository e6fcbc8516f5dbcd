"""Reads and locks the entries of a person on a work item and a day."""

import datetime as dt
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import projects, time_entries, time_entry_days
from shared.db.statements import for_update
from timers.entries.store import ENTRIES, with_days
from timers.model import TimeEntry


MAX_ENTRIES: Final = 50
_DAY: Final = dt.timedelta(days=1)
_entries, _days = time_entries.c, time_entry_days.c
_ENTRIES: Final[sa.Select[Any]] = for_update(
    ENTRIES.where(
        _entries.user_id == bindparam("user"),
        _entries.work_item_id == bindparam("work_item"),
        projects.c.organization_id == bindparam("organization"),
        _entries.stopped_at > bindparam("since", type_=_entries.started_at.type),
        _entries.started_at < bindparam("until", type_=_entries.started_at.type),
        sa.exists().where(
            _days.tenant_id == bindparam("tenant"),
            _days.entry_id == _entries.id,
            _days.work_date == bindparam("day"),
            _days.elapsed_ms > 0,
        ),
    )
    .order_by(_entries.stopped_at, _entries.id)  # as the index on stopped_at
    .limit(MAX_ENTRIES + 1),
    time_entries,
)


def lock_entries(
    tx: sa.Connection, tenant_id: int, user_id: int, *, organization_id: int, work_item_id: int, day: dt.date
) -> list[TimeEntry]:
    """The entries with time on the day, locked; one more than `MAX_ENTRIES` at most."""
    midnight = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    parameters = {
        "tenant": tenant_id,
        "user": user_id,
        "organization": organization_id,
        "work_item": work_item_id,
        "day": day,
        "since": midnight - _DAY,  # a local day begins up to 14 hours before UTC's and ends up to 12 hours after it
        "until": midnight + 2 * _DAY,
    }
    return with_days(tx, tenant_id, tx.execute(_ENTRIES, parameters).all())
