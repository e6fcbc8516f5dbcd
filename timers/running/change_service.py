"""Changes and discards the running timer."""

import datetime as dt
import uuid
from dataclasses import replace

from shared.errors import Conflict
from shared.tenancy.model import User
from shared.work import Work
from timers import store as timers_store
from timers.entries.store import find_entry
from timers.model import EventKind, RunningTimer, TimeEntry, TimerEvent
from timers.running import late_store, rules, store
from timers.running.insert_service import concurrent_change
from timers.running.late_service import shorten_inferred
from timers.running.model import ChangedTimer, TimerChange


def change(work: Work, user: User, subject: TimerChange) -> ChangedTimer:
    """Changes the note or the start of the running timer, with an event in the timer log.

    Without a difference it stays as it is.

    Raises:
        InvalidRequest: the start is too long ago or in the future.
        Conflict: no timer or another one runs, the named one has ended, or the start is inside an entry.
    """
    running = timers_store.find_running(work.tx, work.tenant.id, user.id)
    if running is None or subject.timer_id not in {None, running.id}:
        _refuse_other(work, user, running, subject.timer_id, advice="Correct its time entry.")
        raise Conflict("No timer is running, so there is nothing to change.", code="no_running_timer")
    new = replace(running, note=None if subject.clears_note else subject.note or running.note)
    if subject.started_at is not None:
        advice = "Stop the timer, then correct its entry."
        at = rules.checked_instant(subject.started_at, work.now, field="/startedAt", advice=advice)
        new = replace(new, started_at=at)
    if new == running:
        return ChangedTimer(running)
    shortened = _shorten_overlapping_entries(work, user, running, at=new.started_at)
    if not store.change(work.tx, work.tenant.id, new):
        raise concurrent_change()
    number = store.last_change(work.tx, work.tenant.id, running.id) + 1
    event = TimerEvent.of_change(work, running, new, number=number)
    timers_store.append_event(work.tx, work.tenant.id, event)
    return ChangedTimer(new, shortened)


def discard(work: Work, user: User, timer_id: uuid.UUID | None) -> None:
    """Deletes the running timer, or only the one with this id, with an event in the timer log.

    Without one nothing happens.

    Raises:
        OtherTimerRunning: another timer runs.
        TimerAlreadyEnded: the timer has a time entry.
    """
    timer = timers_store.end_running(work.tx, work.tenant.id, user.id, timer_id)
    if timer is not None:
        event = TimerEvent.of_timer(work, EventKind.DISCARDED, timer, happened_at=work.now)
        timers_store.append_event(work.tx, work.tenant.id, event)
    elif timer_id is not None:
        running = timers_store.find_running(work.tx, work.tenant.id, user.id)
        advice = "Its time is recorded; to remove it, delete the time entry."
        _refuse_other(work, user, running, timer_id, advice=advice)


def _refuse_other(
    work: Work, user: User, running: RunningTimer | None, timer_id: uuid.UUID | None, *, advice: str
) -> None:
    """Refuses a change of another running timer, or of a named one that has an entry."""
    if running is not None:
        raise rules.OtherTimerRunning(running)
    entry = None if timer_id is None else find_entry(work.tx, work.tenant.id, timer_id)
    if entry is not None and entry.user_id == user.id:
        raise rules.TimerAlreadyEnded(entry, advice=advice)


def _shorten_overlapping_entries(
    work: Work, user: User, running: RunningTimer, *, at: dt.datetime
) -> tuple[TimeEntry, ...]:
    """Shortens entries with an inferred end to the timer's earlier start, as for a late start.

    Raises:
        OverlapsEntry: time after the new start is in an entry of another timer.
    """
    if at >= running.started_at:
        return ()
    shortened = shorten_inferred(work, user, at=at, reported_late=False)
    following = late_store.find_first_after(work.tx, work.tenant.id, user.id, at)
    if following is not None and following.started_at < running.started_at:
        raise rules.OverlapsEntry(following)
    return shortened
