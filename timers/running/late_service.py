"""Starts and stops that name their timer or say when it was, from a client that was offline: they come in any order.

What a report does depends on what it says and never on when it arrives. A start that comes after a later one has
ended already; the end that nobody said is inferred, and a stop that comes still later says it. What somebody has
said is never changed by a report.
"""

import datetime as dt
import uuid
from collections.abc import Callable

import sqlalchemy as sa

from shared.errors import Conflict, RetryableConflict
from shared.tenancy.model import Caller
from shared.tenancy.organization_service import require_active
from shared.tenancy.rules import require_processing, require_tracking
from timers import store as tracking_store
from timers.entries import changes
from timers.entries.finish_service import keep_time
from timers.entries.store import find_entry
from timers.model import EventKind, RunningTimer, Source, TimeEntry
from timers.projects.store import project_key
from timers.running import late_store, rules, service
from timers.running.service import Start, Started, Stop


def start(
    tx: sa.Connection, caller: Caller, subject: Start, *, now: dt.datetime, new_id: Callable[[], uuid.UUID]
) -> Started:
    """Starts a timer at the said instant; it has ended already when a later start is known.

    Raises:
        InvalidRequest: the instant is too long ago or in the future, or the organization is none of the tenant's;
            at `now` it must be an active one.
        PaymentRequired: the plan did not allow new time at that instant.
        Forbidden: the caller has had the processing of their data stopped.
        Conflict: another timer runs, or ran then; or the id is taken.
    """
    at = now
    if subject.started_at is not None:
        by_hand = "Enter the time by hand."
        at = rules.said_at(subject.started_at, now, field="/startedAt", instead=by_hand)
    require_tracking(caller.tenant, at)
    require_processing(caller.user)
    said = subject.started_at is not None
    require_active(tx, caller.tenant, subject.organization, or_former=said)
    running = tracking_store.find_running(tx, caller.tenant.id, caller.user.id)
    known = _known(tx, caller, subject, running, at=at)
    if known is not None:
        return Started(known, is_new=False)
    earlier = not said or (running is not None and running.started_at <= at)
    if running is not None and earlier and not subject.switch:
        raise rules.AnotherRuns(running, is_final=not said)
    if said:
        _make_room(tx, caller, at=at, now=now)
    stopped = None
    if running is not None and earlier:
        stopped = _end(tx, caller, running, at=at, now=now, reported_late=said, end_inferred=True)
        running = None
    return _place(tx, caller, subject, running, at=at, now=now, stopped=stopped, new_id=new_id)


def stop(tx: sa.Connection, caller: Caller, subject: Stop, *, now: dt.datetime) -> TimeEntry:
    """Ends the timer that is named, or the one that ran at the said instant.

    A timer whose end was said before keeps it: then this answers with its entry as it is.

    Raises:
        InvalidRequest: the instant is too long ago or in the future.
        RetryableConflict: the timer is not known yet, was thrown away, or cannot have ended then.
    """
    at = now
    if subject.stopped_at is not None:
        without = "Stop the timer now, then correct its entry."
        at = rules.said_at(subject.stopped_at, now, field="/stoppedAt", instead=without)
    running = tracking_store.find_running(tx, caller.tenant.id, caller.user.id)
    named = subject.timer_id is not None
    if running is not None and (running.id == subject.timer_id if named else running.started_at <= at):
        return _stop_running(tx, caller, subject, running, at=at, now=now)
    entry = _ended_one(tx, caller, subject, running, at=at)
    if not entry.end_inferred:
        return entry
    return _say_end(tx, caller, subject, entry, running, at=at, now=now)


def _known(
    tx: sa.Connection, caller: Caller, subject: Start, running: RunningTimer | None, *, at: dt.datetime
) -> RunningTimer | None:
    """The running timer, if this start was for it; an unnamed one is for what runs on its work item."""
    if running is not None and service.is_same(running, subject):
        if running.id == subject.timer_id or (subject.timer_id is None and running.started_at <= at):
            return running
    elif running is not None and running.id == subject.timer_id:
        raise _id_taken()
    if subject.timer_id is None:
        return None
    owner = late_store.user_of(tx, caller.tenant.id, subject.timer_id)
    if owner is None:
        return None
    if owner != caller.user.id:
        raise _id_taken()
    raise rules.AlreadyEnded(find_entry(tx, caller.tenant.id, subject.timer_id))


def _make_room(tx: sa.Connection, caller: Caller, *, at: dt.datetime, now: dt.datetime) -> None:
    """Whatever ran on past this start, since nobody had said when it ended, ended at it."""
    tenant = caller.tenant
    around = late_store.entries_around(tx, tenant.id, caller.user.id, at)
    for old, new in rules.make_room(at, around, limit_ms=tenant.forgotten_timer_limit_ms):
        kind = EventKind.CORRECTED
        changes.replace(tx, tenant, old, new, kind, actor_id=caller.user.id, now=now, reported_late=True)


def _place(
    tx: sa.Connection,
    caller: Caller,
    subject: Start,
    running: RunningTimer | None,
    *,
    at: dt.datetime,
    now: dt.datetime,
    stopped: TimeEntry | None,
    new_id: Callable[[], uuid.UUID],
) -> Started:
    """Lets the timer run, or keeps its time until the next start when that is known."""
    tenant, user_id = caller.tenant, caller.user.id
    timer_id = subject.timer_id or new_id()
    following = None
    if subject.started_at is not None:
        following = rules.next_of(at, running, late_store.first_after(tx, tenant.id, user_id, at))
    if following is None:
        timer = service.let_run(tx, caller, subject, at=at, now=now, timer_id=timer_id, new_id=new_id)
        return Started(timer, is_new=True, stopped=stopped)
    service.add_project(tx, caller, subject, new_id=new_id)
    key = project_key(subject.organization, subject.project)
    item = late_store.work_item(tx, tenant.id, name_key=key, number=subject.work_item_id)
    timer = RunningTimer(timer_id, user_id, item, at, subject.existing_hours, subject.note)
    service.log(tx, caller, EventKind.STARTED, timer, at=at, now=now, reported_late=True)
    end = following.started_at
    entry = keep_time(
        tx, tenant, timer, stopped_at=end, actor_id=user_id, now=now, end_inferred=True, reported_late=True
    )
    return Started(timer, is_new=True, stopped=stopped, ended=entry)


def _stop_running(
    tx: sa.Connection, caller: Caller, subject: Stop, running: RunningTimer, *, at: dt.datetime, now: dt.datetime
) -> TimeEntry:
    said = subject.stopped_at is not None
    if said:
        following = late_store.first_after(tx, caller.tenant.id, caller.user.id, running.started_at)
        at = rules.end_of_running(running, at, named=subject.timer_id is not None, following=following)
    return _end(tx, caller, running, at=at, now=now, reported_late=said, end_inferred=False)


def _ended_one(
    tx: sa.Connection, caller: Caller, subject: Stop, running: RunningTimer | None, *, at: dt.datetime
) -> TimeEntry:
    """The entry that a stop is about, held; unnamed, the one that ran then and whose end nobody has said."""
    tenant_id, user_id = caller.tenant.id, caller.user.id
    if subject.timer_id is None:
        inferred = [entry for entry in late_store.entries_around(tx, tenant_id, user_id, at) if entry.end_inferred]
        if not inferred:
            raise rules.stop_before_start() if running is not None else rules.nothing_ran()
        return inferred[-1]
    entry = find_entry(tx, tenant_id, subject.timer_id, hold=True)
    if entry is not None and entry.user_id == user_id:
        return entry
    if late_store.user_of(tx, tenant_id, subject.timer_id) == user_id:
        raise rules.nothing_ran()
    raise RetryableConflict("This timer was not started yet. Send its start first.", code="timer_not_started")


def _say_end(
    tx: sa.Connection,
    caller: Caller,
    subject: Stop,
    entry: TimeEntry,
    running: RunningTimer | None,
    *,
    at: dt.datetime,
    now: dt.datetime,
) -> TimeEntry:
    """Puts the said end in the place of one that was inferred."""
    tenant, user_id = caller.tenant, caller.user.id
    following = rules.next_of(
        entry.started_at, running, late_store.first_after(tx, tenant.id, user_id, entry.started_at)
    )
    said = subject.stopped_at is not None
    if not said and (entry.source is not Source.AUTO_STOPPED or following is not None):
        return entry  # a start ended it before this stop
    at = rules.end_of_entry(entry, at, named=subject.timer_id is not None, following=following)
    new = rules.ended(entry, at, end_inferred=False, limit_ms=tenant.forgotten_timer_limit_ms)
    changes.replace(tx, tenant, entry, new, EventKind.CORRECTED, actor_id=user_id, now=now, reported_late=said)
    return new


def _end(
    tx: sa.Connection,
    caller: Caller,
    timer: RunningTimer,
    *,
    at: dt.datetime,
    now: dt.datetime,
    reported_late: bool,
    end_inferred: bool,
) -> TimeEntry:
    if tracking_store.end_running(tx, caller.tenant.id, caller.user.id, timer.id) is None:
        raise service.changed_meanwhile()
    return keep_time(
        tx,
        caller.tenant,
        timer,
        stopped_at=at,
        actor_id=caller.user.id,
        now=now,
        end_inferred=end_inferred,
        reported_late=reported_late,
    )


def _id_taken() -> Conflict:
    return Conflict("This id of a timer is taken. Choose a fresh random UUID for each timer.", code="timer_id_taken")
