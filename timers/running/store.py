"""Inserts running timers."""

import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import projects, running_timers
from shared.db.statements import InsertIfAbsent
from timers.model import RunningTimer
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


def insert(
    tx: sa.Connection, tenant_id: int, user_id: int, *, timer_id: uuid.UUID, values: dict[str, Any]
) -> RunningTimer | None:
    """Inserts a timer; None if one runs, or the project is not known yet."""
    row = _INSERT.run(tx, {"tenant_id": tenant_id, "user_id": user_id, "public_id": timer_id, **values})
    return None if row is None else to_running_timer(row)
