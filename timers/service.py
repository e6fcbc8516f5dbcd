"""The life of a timer: start, switch, stop, discard. Each runs in its caller's transaction and never commits."""

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa

from shared.errors import Conflict, FieldError, InvalidRequest
from shared.tenancy.model import Caller
from shared.tenancy.rules import require_tracking
from shared.tracking import store as tracking_store
from shared.tracking.model import EventKind, RunningTimer, TimeEntry, TimerEvent
from shared.tracking.service import stop_if_running
from shared.tracking.store import find_running
from timers import store


@dataclass(frozen=True, slots=True)
class Start:
    """What to start: the work item, as the caller names it."""

    organization: str
    project: str
    work_item_id: int
    existing_hours: Decimal | None = None
    note: str | None = None
    switch: bool = False


@dataclass(frozen=True, slots=True)
class Started:
    """`is_new` is False when the same work item was running already; `stopped` is what a switch ended."""

    timer: RunningTimer
    is_new: bool
    stopped: TimeEntry | None = None


class AnotherRuns(Conflict):
    """Carries the timer that is in the way, so that the caller need not ask for it."""

    code = "timer_already_running"

    def __init__(self, timer: RunningTimer) -> None:
        super().__init__(
            f"A timer runs on work item {timer.work_item.work_item_id}. Stop it first, or start with switch: true to "
            "stop it and start this one in one step."
        )
        self.timer = timer


def start(
    tx: sa.Connection, caller: Caller, subject: Start, *, now: dt.datetime, new_id: Callable[[], uuid.UUID]
) -> Started:
    """Starts a timer at `now`.

    Raises:
        PaymentRequired: the plan does not allow new time.
        InvalidRequest: the organisation is not the tenant's.
        AnotherRuns: another work item is running and `switch` is not set.
    """
    require_tracking(caller.tenant, now)
    require_own_organization(caller, subject.organization)
    timer = _start(tx, caller, subject, now=now, timer_id=new_id())
    if timer is not None:
        return Started(timer, is_new=True)
    running = find_running(tx, caller.tenant.id, caller.user.id)
    stopped = None
    if running is not None:
        if _same(running, subject):
            return Started(running, is_new=False)
        if not subject.switch:
            raise AnotherRuns(running)
        stopped = stop(tx, caller, now=now, end_inferred=True)
    store.add_project(tx, caller.tenant.id, organization=caller.tenant.organization, project=subject.project)
    timer = _start(tx, caller, subject, now=now, timer_id=new_id())
    if timer is None:
        raise Conflict("The timer changed while this was done. Look at the running timer and try again.")
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
        tracking_store.log(tx, caller.tenant.id, _event(EventKind.DISCARDED, caller, timer, at=now, now=now))


def _start(
    tx: sa.Connection, caller: Caller, subject: Start, *, now: dt.datetime, timer_id: uuid.UUID
) -> RunningTimer | None:
    values = {
        "name_key": store.project_key(subject.organization, subject.project),
        "work_item_id": subject.work_item_id,
        "started_at": now,
        "existing_hours": subject.existing_hours,
        "note": subject.note,
    }
    timer = store.start(tx, caller.tenant.id, caller.user.id, timer_id=timer_id, values=values)
    if timer is not None:
        tracking_store.log(tx, caller.tenant.id, _event(EventKind.STARTED, caller, timer, at=timer.started_at, now=now))
    return timer


def _event(kind: EventKind, caller: Caller, timer: RunningTimer, *, at: dt.datetime, now: dt.datetime) -> TimerEvent:
    return TimerEvent(kind, timer.id, caller.user.id, caller.user.id, timer.work_item, happened_at=at, received_at=now)


def require_own_organization(caller: Caller, organization: str) -> None:
    """Time is tracked in the tenant's Azure DevOps organisation.

    Raises:
        InvalidRequest: `wrong_organization`.
    """
    own = caller.tenant.organization
    if organization.casefold() != own.casefold():
        wrong = FieldError("/organization", f"must be {own}, the Azure DevOps organisation of {caller.tenant.name}")
        raise InvalidRequest(
            f"Your organisation tracks time in the Azure DevOps organisation {own}. A super admin can change that.",
            code="wrong_organization",
            errors=[wrong],
        )


def _same(running: RunningTimer, subject: Start) -> bool:
    item = running.work_item
    key = store.project_key(item.organization, item.project)
    return item.work_item_id == subject.work_item_id and key == store.project_key(subject.organization, subject.project)
