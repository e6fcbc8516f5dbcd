"""The life of a timer: start, switch, stop, discard. Each runs in its caller's transaction and never commits."""

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa

from shared.errors import Conflict
from shared.tenancy import organization_store
from shared.tenancy.model import Caller
from shared.tenancy.organization_service import require_active
from shared.tenancy.rules import require_processing, require_tracking
from timers import store as tracking_store
from timers.entries.finish_service import stop_if_running
from timers.model import EventKind, RunningTimer, TimeEntry, TimerEvent
from timers.projects import store as projects_store
from timers.projects.store import project_key
from timers.running import rules, store
from timers.store import find_running


@dataclass(frozen=True, slots=True)
class Start:
    """What to start: the work item, as the caller names it."""

    organization: str
    project: str
    work_item_id: int
    existing_hours: Decimal | None = None
    note: str | None = None
    switch: bool = False
    started_at: dt.datetime | None = None
    timer_id: uuid.UUID | None = None

    @property
    def is_report(self) -> bool:
        """Whether it says which timer or when, so that it may come late and in any order."""
        return self.started_at is not None or self.timer_id is not None


@dataclass(frozen=True, slots=True)
class Stop:
    """What to stop, and when it was: what runs, and now, unless it says otherwise."""

    stopped_at: dt.datetime | None = None
    timer_id: uuid.UUID | None = None

    @property
    def is_report(self) -> bool:
        """As of a Start."""
        return self.stopped_at is not None or self.timer_id is not None


@dataclass(frozen=True, slots=True)
class Started:
    """`is_new` is False when it was running already; `stopped` is what a switch ended; `ended` it is itself already."""

    timer: RunningTimer
    is_new: bool
    stopped: TimeEntry | None = None
    ended: TimeEntry | None = None

    @property
    def made(self) -> dict[str, TimeEntry]:
        """The entries that came of it, by their names here."""
        named = {"stopped": self.stopped, "ended": self.ended}
        return {name: entry for name, entry in named.items() if entry is not None}


def start(
    tx: sa.Connection, caller: Caller, subject: Start, *, now: dt.datetime, new_id: Callable[[], uuid.UUID]
) -> Started:
    """Starts a timer at `now`.

    Raises:
        PaymentRequired: the plan does not allow new time.
        Forbidden: the caller has had the processing of their data stopped.
        InvalidRequest: the organization is no active one of the tenant.
        AnotherRuns: another work item is running and `switch` is not set.
    """
    require_tracking(caller.tenant, now)
    require_processing(caller.user)
    require_active(tx, caller.tenant, subject.organization)
    timer = _start(tx, caller, subject, at=now, now=now, timer_id=new_id())
    if timer is not None:
        return Started(timer, is_new=True)
    running = find_running(tx, caller.tenant.id, caller.user.id)
    stopped = None
    if running is not None:
        if is_same(running, subject):
            return Started(running, is_new=False)
        if not subject.switch:
            raise rules.AnotherRuns(running, is_final=True)
        stopped = stop(tx, caller, now=now, end_inferred=True)
    add_project(tx, caller, subject, new_id=new_id)
    timer = _start(tx, caller, subject, at=now, now=now, timer_id=new_id())
    if timer is None:
        raise changed_meanwhile()
    return Started(timer, is_new=True, stopped=stopped)


def stop(tx: sa.Connection, caller: Caller, *, now: dt.datetime, end_inferred: bool = False) -> TimeEntry:
    """Ends the running timer at `now`, whatever the plan's state: hours are never held hostage.

    A switch infers the end: a stop that was made before it, and is under way, may still say when that was.

    Raises:
        Conflict: `no_running_timer`.
    """
    user_id = caller.user.id
    entry = stop_if_running(tx, caller.tenant, user_id, actor_id=user_id, now=now, end_inferred=end_inferred)
    if entry is None:
        raise Conflict("No timer is running, so there is nothing to stop.", code="no_running_timer")
    return entry


def discard(tx: sa.Connection, caller: Caller, *, now: dt.datetime) -> None:
    """Throws the running timer away, on record; when none runs there is nothing to do."""
    timer = tracking_store.end_running(tx, caller.tenant.id, caller.user.id)
    if timer is not None:
        log(tx, caller, EventKind.DISCARDED, timer, at=now, now=now)


def let_run(
    tx: sa.Connection,
    caller: Caller,
    subject: Start,
    *,
    at: dt.datetime,
    now: dt.datetime,
    timer_id: uuid.UUID,
    new_id: Callable[[], uuid.UUID],
) -> RunningTimer:
    """Lets a timer run from an instant on, where none runs.

    Raises:
        Conflict: one runs after all.
    """
    timer = _start(tx, caller, subject, at=at, now=now, timer_id=timer_id)
    if timer is None:
        add_project(tx, caller, subject, new_id=new_id)
        timer = _start(tx, caller, subject, at=at, now=now, timer_id=timer_id)
    if timer is None:
        raise changed_meanwhile()
    return timer


def _start(
    tx: sa.Connection, caller: Caller, subject: Start, *, at: dt.datetime, now: dt.datetime, timer_id: uuid.UUID
) -> RunningTimer | None:
    values = {
        "name_key": project_key(subject.organization, subject.project),
        "work_item_id": subject.work_item_id,
        "started_at": at,
        "existing_hours": subject.existing_hours,
        "note": subject.note,
    }
    timer = store.start(tx, caller.tenant.id, caller.user.id, timer_id=timer_id, values=values)
    if timer is not None:
        said = subject.started_at is not None
        log(tx, caller, EventKind.STARTED, timer, at=timer.started_at, now=now, reported_late=said)
    return timer


def add_project(tx: sa.Connection, caller: Caller, subject: Start, *, new_id: Callable[[], uuid.UUID]) -> None:
    projects_store.add(
        tx, caller.tenant.id, organization=subject.organization, project=subject.project, public_id=new_id()
    )


def log(
    tx: sa.Connection,
    caller: Caller,
    kind: EventKind,
    timer: RunningTimer,
    *,
    at: dt.datetime,
    now: dt.datetime,
    reported_late: bool = False,
) -> None:
    """Puts on record what the caller did to their timer."""
    user_id = caller.user.id
    event = TimerEvent(
        kind,
        timer.id,
        user_id,
        user_id,
        timer.work_item,
        happened_at=at,
        received_at=now,
        reported_late=reported_late,
    )
    tracking_store.log(tx, caller.tenant.id, event)


def changed_meanwhile() -> Conflict:
    return Conflict("The timer changed while this was done. Look at the running timer and try again.")


def is_same(running: RunningTimer, subject: Start) -> bool:
    """Whether a timer runs on the work item that is to be started, whatever its project is called now."""
    item = running.work_item
    one, other = (organization_store.organization_key(name) for name in (item.organization, subject.organization))
    return (one, item.work_item_id) == (other, subject.work_item_id)
