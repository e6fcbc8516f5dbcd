"""Stops forgotten timers at the tenant's limit; their entries need a review."""

import datetime as dt
from typing import Final

from shared.work import Work
from timers.entries.finish_service import create_entry_from_timer
from timers.forgotten import store as forgotten_store
from timers.model import Source
from timers.store import end_running


BATCH_SIZE: Final = 100


def stop_forgotten(work: Work) -> int:
    """Stops up to 100 of the tenant's timers that exceed its limit, exactly at the limit; returns their number.

    Locks the users before it deletes their timers, in the same order as their own stops. So a timer that its user stops
    at the same moment is stopped once: by the user or by this job.
    """
    tx, tenant = work.tx, work.tenant
    limit = dt.timedelta(milliseconds=tenant.forgotten_timer_limit_ms)
    overdue = forgotten_store.find_overdue(tx, tenant.id, before=work.now - limit, limit=BATCH_SIZE)
    forgotten_store.lock_users(tx, tenant.id, [each.user_id for each in overdue])
    stopped = 0
    for each in overdue:
        timer = end_running(tx, tenant.id, each.user_id, each.timer_id)
        if timer is not None:
            stopped_at = timer.started_at + limit
            create_entry_from_timer(work, timer, stopped_at=stopped_at, source=Source.AUTO_STOPPED, end_inferred=True)
            stopped += 1
    return stopped
