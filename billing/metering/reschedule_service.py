"""Reschedules usage that was never accepted, and records it in the audit log."""

import datetime as dt

import sqlalchemy as sa

from billing.metering import reconcile_store
from billing.metering.reconcile_rules import Entry, RescheduleRefused, free_hour
from billing.metering.rules import TAKEN_FOR
from shared import audit
from shared.work import Work


def new_hour(tx: sa.Connection, entry: Entry, *, now: dt.datetime) -> dt.datetime:
    """The hour that the event would get.

    Raises:
        RescheduleRefused: there is none.
    """
    return free_hour(entry, reconcile_store.reported_hours(tx, entry.event, now - TAKEN_FOR), now)


def reschedule(work: Work, entry: Entry, hour: dt.datetime) -> None:
    """Has the event sent again for another hour: Microsoft allows late units to be reported later.

    Raises:
        RescheduleRefused: it was changed since it was read.
    """
    if not reconcile_store.reschedule(work.tx, entry, hour):
        raise RescheduleRefused(f"event {entry.event.id} has changed; nothing was changed")
    audit.record(
        work,
        audit.Action.USAGE_RESLOTTED,
        before={"slot": entry.event.usage.slot, "plan": entry.event.usage.plan_id},
        after={"slot": hour, "plan": entry.plan_id},
    )
