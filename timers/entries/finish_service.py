"""The end of a running timer: it becomes an entry split into days, and the log says so."""

import datetime as dt

import sqlalchemy as sa

from shared.tenancy.model import Tenant
from timers import days as rules
from timers import store
from timers.entries import changes
from timers.model import EventKind, RunningTimer, Source, TimeEntry


def stop_if_running(
    tx: sa.Connection,
    tenant: Tenant,
    user_id: int,
    *,
    actor_id: int | None,
    now: dt.datetime,
    end_inferred: bool = False,
) -> TimeEntry | None:
    """Ends a user's timer at `now` and keeps its time; None when none runs. `actor_id` is None for the service."""
    timer = store.end_running(tx, tenant.id, user_id)
    if timer is None:
        return None
    return keep_time(tx, tenant, timer, stopped_at=now, actor_id=actor_id, now=now, end_inferred=end_inferred)


def keep_time(
    tx: sa.Connection,
    tenant: Tenant,
    timer: RunningTimer,
    *,
    stopped_at: dt.datetime,
    actor_id: int | None,
    now: dt.datetime,
    source: Source = Source.TIMER,
    end_inferred: bool = False,
    reported_late: bool = False,
) -> TimeEntry:
    """Makes the entry of a timer that runs no more."""
    # A clock that was set back must not make negative time: 0 ms, and the person is asked to look at it.
    set_back = stopped_at < timer.started_at
    stopped_at = max(stopped_at, timer.started_at)
    elapsed = rules.elapsed_ms(timer.started_at, stopped_at)
    entry = TimeEntry(
        id=timer.id,
        user_id=timer.user_id,
        work_item=timer.work_item,
        started_at=timer.started_at,
        stopped_at=stopped_at,
        elapsed_ms=elapsed,
        existing_hours=timer.existing_hours,
        note=timer.note,
        source=source,
        needs_review=set_back or source is Source.AUTO_STOPPED or elapsed > tenant.forgotten_timer_limit_ms,
        time_zone=tenant.time_zone,
        end_inferred=end_inferred,
        version=1,
        days=rules.split(timer.started_at, stopped_at, tenant.zone),
    )
    changes.add(tx, tenant, entry, EventKind.STOPPED, actor_id=actor_id, now=now, reported_late=reported_late)
    return entry
