"""The rows behind a timer's life: running timers, time entries with their days, projects, and the log."""

import datetime as dt
import uuid
from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import projects, running_timers, time_entries, time_entry_days, timer_log
from shared.db.statements import InsertIfAbsent
from shared.tracking.model import RunningTimer, TimeEntry
from shared.tracking.store import RUNNING_COLUMNS, running_of


_running = running_timers.c
_MINE: Final = (_running.tenant_id == bindparam("tenant"), _running.user_id == bindparam("user"))


def _parameter(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    return bindparam(column.name, type_=column.type).label(column.name)


# The project is found and the timer started in one statement; no row back means either is in the way.
_START = InsertIfAbsent(
    running_timers,
    key=("tenant_id", "user_id"),
    columns=(
        "tenant_id",
        "user_id",
        "public_id",
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
_ADD_PROJECT = InsertIfAbsent(
    projects, key=("tenant_id", "name_key"), columns=("tenant_id", "organization", "name", "name_key")
)
_END: Final[Any] = running_timers.delete().where(*_MINE).returning(*RUNNING_COLUMNS)
_ADD_ENTRY = time_entries.insert().returning(time_entries.c.id)
_ADD_DAYS = time_entry_days.insert()
_LOG = timer_log.insert().inline()


def project_key(organization: str, project: str) -> str:
    """Azure DevOps takes names that differ only in case for the same."""
    return f"{organization}/{project}".casefold()


def start(
    tx: sa.Connection, tenant_id: int, user_id: int, *, timer_id: uuid.UUID, values: dict[str, Any]
) -> RunningTimer | None:
    """Starts a timer unless one runs or the project is not known yet; None then."""
    row = _START.run(tx, {"tenant_id": tenant_id, "user_id": user_id, "public_id": timer_id, **values})
    return None if row is None else running_of(row)


def add_project(tx: sa.Connection, tenant_id: int, *, organization: str, project: str) -> bool:
    """Makes a project known; False when it was."""
    values = {
        "tenant_id": tenant_id,
        "organization": organization,
        "name": project,
        "name_key": project_key(organization, project),
    }
    return _ADD_PROJECT.run(tx, values) is not None


def end_running(tx: sa.Connection, tenant_id: int, user_id: int) -> RunningTimer | None:
    """Takes the running timer away; of two at once, one gets it and the other None."""
    row = tx.execute(_END, {"tenant": tenant_id, "user": user_id}).first()
    return None if row is None else running_of(row)


def add_entry(tx: sa.Connection, tenant_id: int, entry: TimeEntry, *, time_zone: str, now: dt.datetime) -> None:
    """Writes an entry and its days; the unique key on the timer's id refuses a second entry of one timer."""
    entry_id = tx.execute(
        _ADD_ENTRY,
        {
            "tenant_id": tenant_id,
            "user_id": entry.user_id,
            "public_id": entry.id,
            "project_id": entry.work_item.project_id,
            "work_item_id": entry.work_item.work_item_id,
            "started_at": entry.started_at,
            "stopped_at": entry.stopped_at,
            "elapsed_ms": entry.elapsed_ms,
            "time_zone": time_zone,
            "existing_hours": entry.existing_hours,
            "note": entry.note,
            "source": entry.source.value,
            "needs_review": entry.needs_review,
            "version": entry.version,
            "created_at": now,
            "updated_at": now,
        },
    ).scalar_one()
    tx.execute(_ADD_DAYS, list(_day_rows(tenant_id, entry_id, entry)))


def _day_rows(tenant_id: int, entry_id: int, entry: TimeEntry) -> Iterable[dict[str, Any]]:
    for number, piece in enumerate(entry.days):
        yield {
            "tenant_id": tenant_id,
            "entry_id": entry_id,
            "work_date": piece.date,
            "month_key": piece.month_key,
            "user_id": entry.user_id,
            "project_id": entry.work_item.project_id,
            "work_item_id": entry.work_item.work_item_id,
            "elapsed_ms": piece.elapsed_ms,
            "starts_entry": int(number == 0),
        }


def log(
    tx: sa.Connection,
    tenant_id: int,
    timer: RunningTimer,
    event: str,
    *,
    actor_id: int | None,
    happened_at: dt.datetime,
    received_at: dt.datetime,
    elapsed_ms: int | None = None,
) -> None:
    """Appends to the timer log; a second start or end of one timer is refused by its unique key."""
    tx.execute(
        _LOG,
        {
            "tenant_id": tenant_id,
            "user_id": timer.user_id,
            "actor_id": actor_id,
            "timer_id": timer.id,
            "event": event,
            "happened_at": happened_at,
            "received_at": received_at,
            "project_id": timer.work_item.project_id,
            "work_item_id": timer.work_item.work_item_id,
            "elapsed_ms": elapsed_ms,
        },
    )
