"""Forgotten timers: what ran longer than the tenant allows ends at the limit, and its person is asked about it."""

import datetime as dt
from typing import Final

import sqlalchemy as sa

from shared.tenancy.store import read_tenant
from timers.entries.finish_service import keep_time
from timers.forgotten import store as forgotten_store
from timers.model import Source
from timers.store import end_running


MOST_AT_ONCE: Final = 100


def stop_forgotten(tx: sa.Connection, tenant_id: int, *, now: dt.datetime) -> int:
    """Stops at most 100 of a tenant's timers over its limit, each exactly at the limit; how many.

    People are held before their timers are touched, in the order in which their own stops take both. So a timer that
    its person stops at the same moment is theirs, or this job's, and never both.
    """
    tenant = read_tenant(tx, tenant_id)
    limit = dt.timedelta(milliseconds=tenant.forgotten_timer_limit_ms)
    overdue = forgotten_store.overdue(tx, tenant_id, before=now - limit, most=MOST_AT_ONCE)
    forgotten_store.hold_users(tx, tenant_id, [each.user_id for each in overdue])
    stopped = 0
    for each in overdue:
        timer = end_running(tx, tenant_id, each.user_id, each.timer_id)
        if timer is not None:
            keep_time(
                tx,
                tenant,
                timer,
                stopped_at=timer.started_at + limit,
                actor_id=None,
                now=now,
                source=Source.AUTO_STOPPED,
                end_inferred=True,
            )
            stopped += 1
    return stopped
