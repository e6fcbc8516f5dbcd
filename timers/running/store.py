"""Inserts and changes running timers."""

import uuid
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import projects, running_timers, timer_log
from shared.db.statements import InsertIfAbsent
from timers.model import EventKind, RunningTimer
from timers.store import RUNNING_COLUMNS, to_running_timer


_running = running_timers.c


def _parameter(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    return bindparam(column.name, type_=column.type).label(column.name)


# Finds the project and inserts the timer in one statement; without a row the project is unknown or a timer runs.
_INSERT = InsertIfAbsent(
    running_timers,
    key=("tenant_id", "user_id"),
    columns=(
        "tenant_id",
        "user_id",
        "public_id",
        "organization_id",
        "project_id",
        "organization",
        "project",
        "work_item_id",
        "started_at",
        "existing_hours",
        "note",
    ),
    source=sa.select(
        _parameter(_running.tenant_id),
        _parameter(_running.user_id),
        _parameter(_running.public_id),
        projects.c.organization_id,
        projects.c.id,
        projects.c.organization,
        projects.c.name,
        _parameter(_running.work_item_id),
        _parameter(_running.started_at),
        _parameter(_running.existing_hours),
        _parameter(_running.note),
    ).where(projects.c.tenant_id == bindparam("tenant_id"), projects.c.name_key == bindparam("name_key")),
    returning=tuple(column.name for column in RUNNING_COLUMNS),
)

_CHANGE = (
    running_timers.update()
    .where(
        _running.tenant_id == bindparam("tenant"),
        _running.user_id == bindparam("user"),
        _running.public_id == bindparam("public"),
    )
    .values(started_at=bindparam("new_start"), note=bindparam("new_note"))
)
_LAST_CHANGE: Final[sa.Select[Any]] = sa.select(sa.func.max(timer_log.c.entry_version)).where(
    timer_log.c.tenant_id == bindparam("tenant"),
    timer_log.c.timer_id == bindparam("timer"),
    timer_log.c.event == EventKind.CHANGED.value,
)


def insert(
    tx: sa.Connection, tenant_id: int, user_id: int, *, timer_id: uuid.UUID, values: dict[str, Any]
) -> RunningTimer | None:
    """Inserts a timer; None if one runs, or the project is not known yet."""
    row = _INSERT.run(tx, {"tenant_id": tenant_id, "user_id": user_id, "public_id": timer_id, **values})
    return None if row is None else to_running_timer(row)


def change(tx: sa.Connection, tenant_id: int, timer: RunningTimer) -> bool:
    """Stores the start and the note of a running timer; False when it runs no longer."""
    key = {"tenant": tenant_id, "user": timer.user_id, "public": timer.id}
    return tx.execute(_CHANGE, {**key, "new_start": timer.started_at, "new_note": timer.note}).rowcount == 1


def last_change(tx: sa.Connection, tenant_id: int, timer_id: uuid.UUID) -> int:
    """The number of the last change of a timer in the log; 0 if there is none."""
    return tx.execute(_LAST_CHANGE, {"tenant": tenant_id, "timer": timer_id}).scalar() or 0
