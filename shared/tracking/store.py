"""Reads the running timer of one user."""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import running_timers
from shared.tracking.model import RunningTimer, WorkItem


RUNNING_COLUMNS: Final = (
    running_timers.c.public_id,
    running_timers.c.user_id,
    running_timers.c.project_id,
    running_timers.c.organization,
    running_timers.c.project,
    running_timers.c.work_item_id,
    running_timers.c.started_at,
    running_timers.c.existing_hours,
    running_timers.c.note,
)
_RUNNING: Final[sa.Select[Any]] = sa.select(*RUNNING_COLUMNS).where(
    running_timers.c.tenant_id == bindparam("tenant"), running_timers.c.user_id == bindparam("user")
)


def find_running(tx: sa.Connection, tenant_id: int, user_id: int) -> RunningTimer | None:
    row = tx.execute(_RUNNING, {"tenant": tenant_id, "user": user_id}).first()
    return None if row is None else running_of(row)


def running_of(row: sa.Row[Any]) -> RunningTimer:
    return RunningTimer(
        id=row.public_id,
        user_id=row.user_id,
        work_item=WorkItem(row.project_id, row.organization, row.project, row.work_item_id),
        started_at=row.started_at,
        existing_hours=row.existing_hours,
        note=row.note,
    )
