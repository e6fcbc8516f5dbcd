"""Applies offline events: starts and stops that name their timer or their instant, and arrive late and in any order.

The result depends on the content of the events, never on their order. A start that arrives after a later one has ended
already: its end is inferred, until a stop gives the real one. Events never change an end that a person gave.
"""

import datetime as dt
from dataclasses import replace

from shared.errors import Conflict, RetryableConflict
from shared.tenancy.model import User
from shared.tenancy.organization_service import require_active
from shared.tenancy.rules import require_processing, require_tracking
from shared.work import Work
from timers import store as timers_store
from timers.entries import change_service
from timers.entries.finish_service import create_entry_from_timer
from timers.entries.store import find_entry
from timers.model import EventKind, RunningTimer, Source, TimeEntry
from timers.projects.service import add_project
from timers.projects.store import find_work_item
from timers.running import late_store, rules
from timers.running.insert_service import append_started, concurrent_change, insert_running_timer
from timers.running.model import Start, StartResult, Stop


def start(work: Work, user: User, subject: Start) -> StartResult:
    """Starts a timer at the given instant; where a later start is known, the timer ends at that one.

    Raises:
        InvalidRequest: the instant is too long ago or in the future, or the organization is not one of the tenant's
            (an active one, for a start now).
        PaymentRequired: the plan did not allow new time at that instant.
        Forbidden: the processing of the user's data is restricted.
        Conflict: another timer runs, or ran at that instant; or the id is taken.
    """
    at = work.now
    if subject.started_at is not None:
        advice = "Add the time by hand."
        at = rules.checked_instant(subject.started_at, work.now, field="/startedAt", advice=advice)
    require_tracking(work.tenant, at)
    require_processing(user)
    is_late = subject.started_at is not None
    require_active(work.tx, work.tenant, subject.organization, or_former=is_late)
    running = timers_store.find_running(work.tx, work.tenant.id, user.id)
    known = _find_repeat(work, user, subject, running, at=at)
    if known is not None:
        return StartResult(known, is_new=False)
    is_after_running = not is_late or (running is not None and running.started_at <= at)
    if running is not None and is_after_running and not subject.switch:
        raise rules.TimerAlreadyRunning(running, is_final=not is_late)
    if is_late:
        shorten_inferred(work, user, at=at, reported_late=True)
    stopped = None
    if running is not None and is_after_running:
        stopped = _end(work, running, at=at, reported_late=is_late, end_inferred=True)
        running = None
    return _insert_timer_or_entry(work, user, subject, running, at=at, stopped=stopped)


def stop(work: Work, user: User, subject: Stop) -> TimeEntry:
    """Stops the named timer, or the one that ran at the given instant.

    A timer with an explicit end keeps it: its entry is returned as it is.

    Raises:
        InvalidRequest: the instant is too long ago or in the future.
        RetryableConflict: the timer is not known yet, was discarded, or cannot have ended then.
    """
    at = work.now
    if subject.stopped_at is not None:
        advice = "Stop the timer now, then correct its entry."
        at = rules.checked_instant(subject.stopped_at, work.now, field="/stoppedAt", advice=advice)
    running = timers_store.find_running(work.tx, work.tenant.id, user.id)
    is_named = subject.timer_id is not None
    if running is not None and (running.id == subject.timer_id if is_named else running.started_at <= at):
        return _stop_running(work, user, subject, running, at=at)
    entry = _find_ended(work, user, subject, running, at=at)
    if not entry.end_inferred:
        return entry
    return _replace_inferred_end(work, subject, entry, running, at=at)


def _find_repeat(
    work: Work, user: User, subject: Start, running: RunningTimer | None, *, at: dt.datetime
) -> RunningTimer | None:
    """The running timer, if this start is a repeat of its start; without an id, if it is on the same work item."""
    if running is not None and rules.is_on_same_item(running, subject):
        if running.id == subject.timer_id or (subject.timer_id is None and running.started_at <= at):
            return running
    elif running is not None and running.id == subject.timer_id:
        raise _id_taken()
    if subject.timer_id is None:
        return None
    owner_id = late_store.find_owner(work.tx, work.tenant.id, subject.timer_id)
    if owner_id is None:
        return None
    if owner_id != user.id:
        raise _id_taken()
    ended = find_entry(work.tx, work.tenant.id, subject.timer_id)
    raise rules.TimerAlreadyEnded(ended, advice="Start a new one.")


def shorten_inferred(work: Work, user: User, *, at: dt.datetime, reported_late: bool) -> tuple[TimeEntry, ...]:
    """Ends at this start the entries that cover it and whose end is only inferred; returns them.

    Raises:
        OverlapsEntry: an entry that covers it has an explicit end.
    """
    entries = late_store.lock_entries_at(work.tx, work.tenant.id, user.id, at)
    shortened = rules.shorten(at, entries, limit_ms=work.tenant.forgotten_timer_limit_ms)
    for old, new in shortened:
        change_service.replace(work, old, new, EventKind.CORRECTED, reported_late=reported_late)
    return tuple(new for _, new in shortened)


def _insert_timer_or_entry(
    work: Work,
    user: User,
    subject: Start,
    running: RunningTimer | None,
    *,
    at: dt.datetime,
    stopped: TimeEntry | None,
) -> StartResult:
    """Inserts the timer, or its entry if a later start has ended it."""
    tx, tenant_id = work.tx, work.tenant.id
    timer_id = subject.timer_id or work.new_id()
    following = None
    if subject.started_at is not None:
        following = rules.first_after(at, running, late_store.find_first_after(tx, tenant_id, user.id, at))
    if following is None:
        timer = insert_running_timer(work, user.id, subject, at=at, timer_id=timer_id)
        if timer is None:
            add_project(work, subject.organization, subject.project)
            timer = insert_running_timer(work, user.id, subject, at=at, timer_id=timer_id)
        if timer is None:
            raise concurrent_change()
        return StartResult(timer, is_new=True, stopped=stopped)
    add_project(work, subject.organization, subject.project)
    item = find_work_item(
        tx, tenant_id, organization=subject.organization, project=subject.project, number=subject.work_item_id
    )
    assert item is not None, "its project was added"  # noqa: S101 - narrows the type
    timer = RunningTimer(timer_id, user.id, item, at, subject.existing_hours, subject.note)
    append_started(work, timer, reported_late=True)
    entry = create_entry_from_timer(work, timer, stopped_at=following.started_at, end_inferred=True, reported_late=True)
    return StartResult(timer, is_new=True, stopped=stopped, ended=entry)


def _stop_running(work: Work, user: User, subject: Stop, running: RunningTimer, *, at: dt.datetime) -> TimeEntry:
    is_late = subject.stopped_at is not None
    if is_late:
        following = late_store.find_first_after(work.tx, work.tenant.id, user.id, running.started_at)
        at = rules.end_of_running(running, at, is_named=subject.timer_id is not None, following=following)
    running = replace(running, note=_note(work, subject, running))
    return _end(work, running, at=at, reported_late=is_late, end_inferred=False)


def _find_ended(work: Work, user: User, subject: Stop, running: RunningTimer | None, *, at: dt.datetime) -> TimeEntry:
    """The locked entry of a stop; without an id, the one that covers the instant and whose end is only inferred."""
    tx, tenant_id = work.tx, work.tenant.id
    if subject.timer_id is None:
        inferred = [each for each in late_store.lock_entries_at(tx, tenant_id, user.id, at) if each.end_inferred]
        if not inferred:
            raise rules.stop_before_start() if running is not None else rules.no_running_timer()
        return inferred[-1]
    entry = find_entry(tx, tenant_id, subject.timer_id, lock=True)
    if entry is not None and entry.user_id == user.id:
        return entry
    if late_store.find_owner(tx, tenant_id, subject.timer_id) == user.id:
        raise rules.no_running_timer()
    raise RetryableConflict(
        "TimeTracker does not know this timer yet. Its start must be sent first.", code="timer_not_started"
    )


def _replace_inferred_end(
    work: Work, subject: Stop, entry: TimeEntry, running: RunningTimer | None, *, at: dt.datetime
) -> TimeEntry:
    """Replaces the inferred end of an entry by the given one."""
    following_entry = late_store.find_first_after(work.tx, work.tenant.id, entry.user_id, entry.started_at)
    following = rules.first_after(entry.started_at, running, following_entry)
    is_late = subject.stopped_at is not None
    if not is_late and (entry.source is not Source.AUTO_STOPPED or following is not None):
        return entry  # a start ended it before this stop
    at = rules.end_of_entry(entry, at, is_named=subject.timer_id is not None, following=following)
    new = rules.with_end(entry, at, end_inferred=False, limit_ms=work.tenant.forgotten_timer_limit_ms)
    new = replace(new, note=_note(work, subject, entry))
    change_service.replace(work, entry, new, EventKind.CORRECTED, reported_late=is_late)
    return new


def _note(work: Work, subject: Stop, ended: RunningTimer | TimeEntry) -> str | None:
    """The note of the stop, unless the person has changed the timer or its entry since the stop's instant."""
    if subject.note is None or subject.note == ended.note:
        return ended.note
    since = subject.stopped_at
    if since is not None and late_store.is_changed_since(work.tx, work.tenant.id, ended.id, since):
        return ended.note
    return subject.note


def _end(work: Work, timer: RunningTimer, *, at: dt.datetime, reported_late: bool, end_inferred: bool) -> TimeEntry:
    if timers_store.end_running(work.tx, work.tenant.id, timer.user_id, timer.id) is None:
        raise concurrent_change()
    return create_entry_from_timer(work, timer, stopped_at=at, end_inferred=end_inferred, reported_late=reported_late)


def _id_taken() -> Conflict:
    return Conflict("Another timer has this id. Each timer needs a new random UUID.", code="timer_id_taken")
