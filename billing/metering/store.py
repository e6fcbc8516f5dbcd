"""The outbox of usage: claims events, and stores the result of sending them."""

import datetime as dt
import uuid
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from billing.marketplace.usage_model import Usage
from billing.metering.model import UsageEvent, UsageState, Verdict
from billing.metering.rules import NOT_ASKED
from shared.db.schema import adopted_usage, billing_records, subscriptions, tenants, usage_events


_e, _r, _s, _a = usage_events.c, billing_records.c, subscriptions.c, adopted_usage.c
# Literals, so that the database can use the partial index of such events.
_OPEN = _e.state.in_([sa.literal_column(f"'{each}'") for each in (UsageState.PENDING, UsageState.HELD)])
_NOT_ACCEPTED = _e.state != sa.literal_column(f"'{UsageState.ACCEPTED}'")
# Voiding a record removes its untried events; the others count until they end in an alarm.
COUNTS_FOR_BILL: Final = sa.or_(_r.state == "closed", _e.settled_at.is_(None), _r.voided_at < _e.settled_at)
_now = bindparam("now", type_=_e.slot.type)
_FREE = sa.or_(_e.claimed_until.is_(None), _e.claimed_until <= _now)
_AFTER_TENANT = bindparam("after_tenant", type_=sa.BigInteger)
_AFTER = bindparam("after", type_=sa.BigInteger)


def _due(*of: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return (
        sa.select(
            usage_events,
            tenants.c.public_id.label("tenant"),
            _r.period_to,
            _s.plan_id.label("present_plan"),
            _s.ended_at,
        )
        .join(tenants, tenants.c.id == _e.tenant_id)
        .join(billing_records, sa.and_(_r.tenant_id == _e.tenant_id, _r.id == _e.record_id))
        .join(subscriptions, sa.and_(_s.tenant_id == _r.tenant_id, _s.id == _r.subscription_id))
        .where(_OPEN, _e.slot <= _now, _FREE, *of)
        .order_by(_e.tenant_id, _e.id)
        .limit(bindparam("limit", type_=sa.Integer))
    )


_DUE: Final = _due(sa.or_(_e.tenant_id > _AFTER_TENANT, sa.and_(_e.tenant_id == _AFTER_TENANT, _e.id > _AFTER)))
_DUE_OF: Final = _due(_e.tenant_id == bindparam("tenant"), _e.id > _AFTER)
_THIS = (_e.tenant_id == bindparam("tenant"), _e.id == bindparam("event"))
_until = bindparam("until", type_=_e.claimed_until.type)
_CLAIM: Final = (
    usage_events.update()
    .where(*_THIS, _OPEN, _FREE)
    .values(claimed_until=_until, attempts=_e.attempts + 1, tried_at=_now, plan_id=bindparam("plan"))
)
# A claim that expired and was taken over by another process changes nothing.
_MINE = (*_THIS, _e.claimed_until == _until)
_SETTLE: Final = (
    usage_events.update()
    .where(*_MINE)
    .values(
        state=bindparam("new_state"),
        last_result=bindparam("word"),
        usage_event_id=bindparam("event_id", type_=_e.usage_event_id.type),
        settled_at=bindparam("settled", type_=_e.settled_at.type),
        claimed_until=None,
    )
)
_RELEASE: Final = usage_events.update().where(*_MINE).values(last_result=bindparam("word"), claimed_until=None)
_OTHER_EVENTS: Final[sa.Select[Any]] = (
    sa.select(usage_events, tenants.c.public_id.label("tenant"))
    .join(tenants, tenants.c.id == _e.tenant_id)
    .where(
        _e.tenant_id == bindparam("tenant"),
        _e.marketplace_id == bindparam("subscription"),
        _e.dimension == bindparam("dimension"),
        _e.id != bindparam("event"),
        _e.slot >= bindparam("since", type_=_e.slot.type),
        _e.slot < bindparam("before", type_=_e.slot.type),
    )
)
_ADOPTED: Final[sa.Select[Any]] = sa.select(sa.func.coalesce(sa.func.sum(_a.quantity), 0)).where(
    _a.tenant_id == bindparam("tenant"),
    _a.marketplace_id == bindparam("subscription", type_=sa.Uuid),
    _a.dimension == bindparam("dimension", type_=_a.dimension.type),
    _a.day >= bindparam("first", type_=_a.day.type),
    _a.day <= bindparam("last", type_=_a.day.type),
)
_LATE: Final[sa.Select[Any]] = (
    sa.select(tenants.c.public_id, sa.func.count().label("events"))
    .join(tenants, tenants.c.id == _e.tenant_id)
    .join(billing_records, sa.and_(_r.tenant_id == _e.tenant_id, _r.id == _e.record_id))
    .where(
        _NOT_ACCEPTED,
        _e.slot <= bindparam("before", type_=_e.slot.type),
        COUNTS_FOR_BILL,
    )
    .group_by(tenants.c.public_id)
)
_WAITING_FOR_LIST: Final[sa.Select[Any]] = (
    sa.select(tenants.c.public_id, sa.func.count().label("events"))
    .join(tenants, tenants.c.id == _e.tenant_id)
    .where(_OPEN, _e.last_result == bindparam("word"), _e.created_at <= bindparam("before", type_=_e.created_at.type))
    .group_by(tenants.c.public_id)
)


def due(
    tx: sa.Connection, *, now: dt.datetime, after: tuple[int, int], limit: int, tenant_id: int | None = None
) -> list[UsageEvent]:
    """The next events to send, of all tenants or one, by tenant and row, after the given position.

    Each has the present plan of its subscription, since the meter accepts no other.
    """
    values: dict[str, Any] = {"now": now, "after": after[1], "limit": limit}
    if tenant_id is None:
        return [_due_of(row) for row in tx.execute(_DUE, {**values, "after_tenant": after[0]})]
    return [_due_of(row) for row in tx.execute(_DUE_OF, {**values, "tenant": tenant_id})]


def claim(tx: sa.Connection, event: UsageEvent, *, now: dt.datetime, until: dt.datetime) -> UsageEvent | None:
    """Claims an event until an instant; None if another process has claimed or settled it."""
    values = {"tenant": event.tenant_id, "event": event.id, "now": now, "until": until, "plan": event.usage.plan_id}
    if tx.execute(_CLAIM, values).rowcount == 0:
        return None
    return replace(event, attempts=event.attempts + 1, claimed_until=until)


def settle(tx: sa.Connection, event: UsageEvent, verdict: Verdict, *, now: dt.datetime) -> bool:
    """Stores the verdict and ends the claim; False, without a change, if the claim was lost."""
    is_final = verdict.state in {UsageState.ACCEPTED, UsageState.ALARM}
    result = {"new_state": verdict.state.value, "word": verdict.word, "event_id": verdict.usage_event_id}
    return tx.execute(_SETTLE, {**_mine(event), **result, "settled": now if is_final else None}).rowcount == 1


def release(tx: sa.Connection, event: UsageEvent, word: str) -> None:
    """Ends the claim without a result; `word` says why."""
    tx.execute(_RELEASE, {**_mine(event), "word": word})


def other_events(tx: sa.Connection, event: UsageEvent, since: dt.date, until: dt.date) -> list[UsageEvent]:
    """The other events of the subscription and dimension between two days of UTC, inclusive."""
    values = {"tenant": event.tenant_id, "event": event.id, "since": midnight(since)}
    of = {"subscription": event.usage.subscription_id, "dimension": event.usage.dimension}
    rows = tx.execute(_OTHER_EVENTS, {**values, **of, "before": midnight(until + dt.timedelta(days=1))})
    return [event_of(row) for row in rows]


def adopted_units(tx: sa.Connection, event: UsageEvent, since: dt.date, until: dt.date) -> int:
    """Adopted units of the subscription and dimension between two days of UTC, inclusive."""
    of = {"subscription": event.usage.subscription_id, "dimension": event.usage.dimension}
    return int(tx.execute(_ADOPTED, {"tenant": event.tenant_id, "first": since, "last": until, **of}).scalar_one())


def midnight(day: dt.date) -> dt.datetime:
    """The beginning of a day of UTC."""
    return dt.datetime.combine(day, dt.time(), dt.UTC)


def waiting_for_list(tx: sa.Connection, before: dt.datetime) -> list[tuple[uuid.UUID, int]]:
    """The tenants with events created before an instant that wait for the meter's list, and their number."""
    return [(row.public_id, row.events) for row in tx.execute(_WAITING_FOR_LIST, {"before": before, "word": NOT_ASKED})]


def late(tx: sa.Connection, before: dt.datetime) -> list[tuple[uuid.UUID, int]]:
    """The tenants with events of hours before an instant that are not accepted, and their number."""
    return [(row.public_id, row.events) for row in tx.execute(_LATE, {"before": before})]


def _due_of(row: sa.Row[Any]) -> UsageEvent:
    event = event_of(row)
    usage = replace(event.usage, plan_id=row.present_plan)
    return replace(event, usage=usage, period_ends_at=row.period_to, has_ended=row.ended_at is not None)


def _mine(event: UsageEvent) -> dict[str, Any]:
    return {"tenant": event.tenant_id, "event": event.id, "until": event.claimed_until}


def event_of(row: sa.Row[Any]) -> UsageEvent:
    """The row of the outbox, read together with its tenant's public id as `tenant`."""
    return UsageEvent(
        id=row.id,
        tenant_id=row.tenant_id,
        tenant=row.tenant,
        usage=Usage(row.marketplace_id, row.dimension, row.quantity, row.plan_id, row.slot),
        state=UsageState(row.state),
        attempts=row.attempts,
        claimed_until=row.claimed_until,
        last_result=row.last_result,
    )
