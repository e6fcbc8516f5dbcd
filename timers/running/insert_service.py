"""Inserts the running timer and its event."""

import datetime as dt
import uuid

from shared.errors import Conflict
from shared.work import Work
from timers import store as timers_store
from timers.model import EventKind, RunningTimer, TimerEvent
from timers.projects.store import project_key
from timers.running import store
from timers.running.model import Start


def insert_running_timer(
    work: Work, user_id: int, start: Start, *, at: dt.datetime, timer_id: uuid.UUID
) -> RunningTimer | None:
    """Inserts a timer that runs from an instant on; None if another one runs, or the project is not known yet."""
    values = {
        "name_key": project_key(start.organization, start.project),
        "work_item_id": start.work_item_id,
        "started_at": at,
        "existing_hours": start.existing_hours,
        "note": start.note,
    }
    timer = store.insert(work.tx, work.tenant.id, user_id, timer_id=timer_id, values=values)
    if timer is not None:
        is_late = start.started_at is not None
        append_started(work, timer, reported_late=is_late)
    return timer


def append_started(work: Work, timer: RunningTimer, *, reported_late: bool) -> None:
    """Appends a timer's start to the timer log."""
    event = TimerEvent.of_timer(
        work, EventKind.STARTED, timer, happened_at=timer.started_at, reported_late=reported_late
    )
    timers_store.append_event(work.tx, work.tenant.id, event)


def concurrent_change() -> Conflict:
    return Conflict("Your timer was changed from another window or device at the same moment. Check it and try again.")
