"""Rows that several features of timers share: running timers, entries with their days, and the timer log."""

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import running_timers, time_entries, time_entry_days, timer_log
from shared.instants import rfc3339
from timers.model import RunningTimer, TimeEntry, TimerEvent, WorkItem


RUNNING_COLUMNS: Final = (
    running_timers.c.public_id,
    running_timers.c.user_id,
    running_timers.c.organization_id,
    running_timers.c.project_id,
    running_timers.c.organization,
    running_timers.c.project,
    running_timers.c.work_item_id,
    running_timers.c.started_at,
    running_timers.c.existing_hours,
    running_timers.c.note,
)
_OF_USER: Final = (running_timers.c.tenant_id == bindparam("tenant"), running_timers.c.user_id == bindparam("user"))
_RUNNING: Final[sa.Select[Any]] = sa.select(*RUNNING_COLUMNS).where(*_OF_USER)
_END: Final[Any] = running_timers.delete().where(*_OF_USER).returning(*RUNNING_COLUMNS)
_END_THIS: Final[Any] = (
    running_timers.delete()
    .where(*_OF_USER, running_timers.c.public_id == bindparam("public"))
    .returning(*RUNNING_COLUMNS)
)
_ADD_ENTRY = time_entries.insert().returning(time_entries.c.id)
_ADD_DAYS = time_entry_days.insert()
_LOG = timer_log.insert().inline()


def find_running(tx: sa.Connection, tenant_id: int, user_id: int) -> RunningTimer | None:
    row = tx.execute(_RUNNING, {"tenant": tenant_id, "user": user_id}).first()
    return None if row is None else to_running_timer(row)


def to_running_timer(row: sa.Row[Any]) -> RunningTimer:
    return RunningTimer(
        id=row.public_id,
        user_id=row.user_id,
        work_item=WorkItem(row.organization_id, row.project_id, row.organization, row.project, row.work_item_id),
        started_at=row.started_at,
        existing_hours=row.existing_hours,
        note=row.note,
    )


def end_running(
    tx: sa.Connection, tenant_id: int, user_id: int, timer_id: uuid.UUID | None = None
) -> RunningTimer | None:
    """Deletes and returns the running timer, or only the one with this id; of two callers at once one gets None."""
    key = {"tenant": tenant_id, "user": user_id}
    rows = tx.execute(_END, key) if timer_id is None else tx.execute(_END_THIS, {**key, "public": timer_id})
    row = rows.first()
    return None if row is None else to_running_timer(row)


def add_entry(tx: sa.Connection, tenant_id: int, entry: TimeEntry, *, now: dt.datetime) -> None:
    """Inserts an entry and its days; the unique key on the timer's id prevents a second entry of one timer."""
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
            "time_zone": entry.time_zone,
            "existing_hours": entry.existing_hours,
            "note": entry.note,
            "source": entry.source.value,
            "needs_review": entry.needs_review,
            "end_inferred": entry.end_inferred,
            "version": entry.version,
            "created_at": now,
            "updated_at": now,
        },
    ).scalar_one()
    add_days(tx, tenant_id, entry_id, entry)


def add_days(tx: sa.Connection, tenant_id: int, entry_id: int, entry: TimeEntry) -> None:
    """Inserts the days of an entry; `entry_id` is its row."""
    tx.execute(_ADD_DAYS, list(_day_rows(tenant_id, entry_id, entry)))


def append_event(tx: sa.Connection, tenant_id: int, event: TimerEvent) -> None:
    """Appends to the timer log; its key prevents a second start, a second end and two versions of one number."""
    append_events(tx, tenant_id, [event])


def append_events(tx: sa.Connection, tenant_id: int, events: Sequence[TimerEvent]) -> None:
    """Appends one or more events."""
    rows = [_event_row(tenant_id, event) for event in events]
    tx.execute(_LOG, rows[0] if len(rows) == 1 else rows)


def _event_row(tenant_id: int, event: TimerEvent) -> dict[str, Any]:
    return {
        "tenant_id": tenant_id,
        "user_id": event.user_id,
        "actor_id": event.actor_id,
        "timer_id": event.timer_id,
        "event": event.kind.value,
        "entry_version": event.entry_version,
        "happened_at": event.happened_at,
        "received_at": event.received_at,
        "reported_late": event.reported_late,
        "project_id": event.work_item.project_id,
        "work_item_id": event.work_item.work_item_id,
        "elapsed_ms": event.elapsed_ms,
        "reason": event.reason,
        "is_adjustment": event.is_adjustment,
        "before_change": _version(event.before),
        "after_change": _version(event.after),
    }


def _version(subject: TimeEntry | RunningTimer | None) -> dict[str, Any] | None:
    """A version of an entry or a running timer as the log stores it, with the names of the API."""
    if subject is None:
        return None
    item = subject.work_item
    common = {
        "organization": item.organization,
        "project": item.project,
        "workItemId": item.work_item_id,
        "startedAt": rfc3339(subject.started_at),
        "note": subject.note,
    }
    return {**common, **_entry_fields(subject)} if isinstance(subject, TimeEntry) else common


def _entry_fields(entry: TimeEntry) -> dict[str, Any]:
    return {
        "stoppedAt": rfc3339(entry.stopped_at),
        "elapsedMs": entry.elapsed_ms,
        "timeZone": entry.time_zone,
        "source": entry.source.value,
        "needsReview": entry.needs_review,
        "version": entry.version,
    }


def _day_rows(tenant_id: int, entry_id: int, entry: TimeEntry) -> Iterable[dict[str, Any]]:
    for number, piece in enumerate(entry.days):
        yield {
            "tenant_id": tenant_id,
            "entry_id": entry_id,
            "work_date": piece.date,
            "month_key": piece.month.key,
            "user_id": entry.user_id,
            "project_id": entry.work_item.project_id,
            "work_item_id": entry.work_item.work_item_id,
            "elapsed_ms": piece.elapsed_ms,
            "starts_entry": int(number == 0),
        }
