"""Gives usage that was never taken another hour, on record."""

import datetime as dt
import uuid

import sqlalchemy as sa

from billing.metering import reconcile_store
from billing.metering.reconcile_rules import Entry, NotReslotted, free_hour
from billing.metering.rules import TAKEN_FOR
from shared import audit
from shared.work import OPERATOR


def new_hour(tx: sa.Connection, entry: Entry, *, now: dt.datetime) -> dt.datetime:
    """The hour that the event would get.

    Raises:
        NotReslotted: there is none.
    """
    return free_hour(entry, reconcile_store.hours_taken(tx, entry.event, now - TAKEN_FOR), now)


def reslot(tx: sa.Connection, entry: Entry, hour: dt.datetime, *, now: dt.datetime, row_id: uuid.UUID) -> None:
    """Lets the event be sent again, for another hour: Microsoft allows units that were too late to be told later.

    Raises:
        NotReslotted: somebody else changed it meanwhile.
    """
    if not reconcile_store.reslot(tx, entry, hour):
        raise NotReslotted(f"event {entry.event.id} was changed by somebody else meanwhile; nothing was changed")
    audit.record_row(
        tx,
        entry.event.tenant_id,
        audit.Action.USAGE_RESLOTTED,
        actor=OPERATOR,
        at=now,
        row_id=row_id,
        before={"slot": entry.event.usage.slot, "plan": entry.event.usage.plan_id},
        after={"slot": hour, "plan": entry.plan_id},
    )
