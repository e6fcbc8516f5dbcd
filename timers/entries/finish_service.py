"""Ends a running timer: creates its entry, split into days, and the log's row."""

import datetime as dt
from dataclasses import replace

from shared.work import Work
from timers import days as rules
from timers import store
from timers.entries import change_service
from timers.model import EventKind, RunningTimer, Source, TimeEntry


def stop_if_running(
    work: Work, user_id: int, *, note: str | None = None, end_inferred: bool = False
) -> TimeEntry | None:
    """Stops a user's timer now and creates its entry, with its note or another one; None when none runs."""
    timer = store.end_running(work.tx, work.tenant.id, user_id)
    if timer is None:
        return None
    timer = replace(timer, note=note or timer.note)
    return create_entry_from_timer(work, timer, stopped_at=work.now, end_inferred=end_inferred)


def create_entry_from_timer(
    work: Work,
    timer: RunningTimer,
    *,
    stopped_at: dt.datetime,
    source: Source = Source.TIMER,
    end_inferred: bool = False,
    reported_late: bool = False,
) -> TimeEntry:
    """Adds the entry of a timer that was ended."""
    # After a correction of the server's clock the end may precede the start: 0 ms, and the person reviews the entry.
    clock_set_back = stopped_at < timer.started_at
    stopped_at = max(stopped_at, timer.started_at)
    elapsed = rules.elapsed_ms(timer.started_at, stopped_at)
    is_long = elapsed > work.tenant.forgotten_timer_limit_ms
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
        needs_review=clock_set_back or source is Source.AUTO_STOPPED or is_long,
        time_zone=work.tenant.time_zone,
        end_inferred=end_inferred,
        version=1,
        days=rules.split(timer.started_at, stopped_at, work.tenant.zone),
    )
    change_service.add(work, entry, EventKind.STOPPED, reported_late=reported_late)
    return entry
