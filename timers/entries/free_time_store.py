"""Reads the times of a person's entries on a day."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import time_entries
from timers.entries.free_time_rules import TimeRange


MAX_ENTRIES: Final = 1000
_entries = time_entries.c
_TIMES: Final = (
    sa.select(_entries.started_at, _entries.stopped_at)
    .where(
        _entries.tenant_id == bindparam("tenant"),
        _entries.user_id == bindparam("user"),
        _entries.stopped_at > bindparam("first", type_=_entries.started_at.type),
        _entries.started_at < bindparam("end", type_=_entries.started_at.type),
    )
    .order_by(_entries.stopped_at, _entries.id)  # as the index on stopped_at
    .limit(MAX_ENTRIES + 1)
)


def find_times(tx: sa.Connection, tenant_id: int, user_id: int, day: TimeRange) -> list[TimeRange]:
    """The times of the entries that reach into a day; one more than `MAX_ENTRIES` at most."""
    between = {"first": day.started_at, "end": day.stopped_at}
    return [TimeRange(*row) for row in tx.execute(_TIMES, {"tenant": tenant_id, "user": user_id, **between})]
