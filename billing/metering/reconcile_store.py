"""Reads the outbox for reconciliation and operators, and reschedules an event."""

import datetime as dt
import uuid
from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from billing.metering.model import UsageEvent, UsageState
from billing.metering.reconcile_rules import Accepted, Entry
from billing.metering.store import COUNTS_FOR_BILL, event_of
from shared.calendar import Month
from shared.db.schema import adopted_usage, billing_records, subscriptions, tenants, usage_events


_e, _r, _s, _a = usage_events.c, billing_records.c, subscriptions.c, adopted_usage.c


def _entries() -> sa.Select[Any]:
    columns = (tenants.c.public_id.label("tenant"), tenants.c.slug, _r.month_key, _s.ended_at)
    return (
        sa.select(usage_events, *columns, _s.plan_id.label("present_plan"))
        .join(tenants, tenants.c.id == _e.tenant_id)
        .join(billing_records, sa.and_(_r.tenant_id == _e.tenant_id, _r.id == _e.record_id))
        .join(subscriptions, sa.and_(_s.tenant_id == _r.tenant_id, _s.id == _r.subscription_id))
        .where(COUNTS_FOR_BILL)
    )


_FIND: Final = _entries().where(_e.id == bindparam("event"))
_OPEN: Final = _entries().where(_e.state != UsageState.ACCEPTED.value).order_by(_e.tenant_id, _e.id)
_OPEN_OF: Final = (
    _entries().where(_e.state != UsageState.ACCEPTED.value, _e.tenant_id == bindparam("tenant")).order_by(_e.id)
)
_ACCEPTED: Final[sa.Select[Any]] = (
    sa.select(usage_events, tenants.c.public_id.label("tenant"))
    .join(tenants, tenants.c.id == _e.tenant_id)
    .where(
        _e.state == UsageState.ACCEPTED.value,
        _e.slot >= bindparam("since", type_=_e.slot.type),
        _e.slot < bindparam("before", type_=_e.slot.type),
    )
)
_ADOPTED: Final[sa.Select[Any]] = (
    sa.select(adopted_usage, tenants.c.public_id.label("tenant"))
    .join(tenants, tenants.c.id == _a.tenant_id)
    .where(_a.day >= bindparam("first", type_=_a.day.type), _a.day <= bindparam("last", type_=_a.day.type))
)
_OWNERS: Final[sa.Select[Any]] = (
    sa.select(_s.marketplace_id, tenants.c.public_id)
    .join(tenants, tenants.c.id == _s.tenant_id)
    .where(_s.marketplace_id.in_(bindparam("subscriptions", expanding=True)))
)
_HOURS: Final[sa.Select[Any]] = sa.select(_e.slot).where(
    _e.tenant_id == bindparam("tenant"),
    _e.marketplace_id == bindparam("subscription"),
    _e.dimension == bindparam("dimension"),
    _e.slot >= bindparam("since", type_=_e.slot.type),
)
# A concurrent reschedule has ended the alarm.
_RESCHEDULE: Final = (
    usage_events.update()
    .where(
        _e.tenant_id == bindparam("tenant"),
        _e.id == bindparam("event"),
        _e.state == UsageState.ALARM.value,
        _e.slot == bindparam("seen", type_=_e.slot.type),
    )
    .values(
        state=UsageState.PENDING.value,
        slot=bindparam("hour", type_=_e.slot.type),
        plan_id=bindparam("plan"),
        usage_event_id=None,
        claimed_until=None,
        settled_at=None,
    )
)


def find(tx: sa.Connection, event_id: int) -> Entry | None:
    row = tx.execute(_FIND, {"event": event_id}).first()
    return None if row is None else _entry(row)


def not_accepted(tx: sa.Connection, tenant_id: int | None = None) -> list[Entry]:
    """The events that count for a bill and are not accepted, of all tenants or one."""
    found = tx.execute(_OPEN) if tenant_id is None else tx.execute(_OPEN_OF, {"tenant": tenant_id})
    return [_entry(row) for row in found]


def accepted(tx: sa.Connection, since: dt.datetime, before: dt.datetime) -> list[Accepted]:
    """The accepted events with an hour in a half-open range."""
    rows = tx.execute(_ACCEPTED, {"since": since, "before": before})
    return [
        Accepted(row.tenant, row.marketplace_id, row.dimension, row.slot.astimezone(dt.UTC).date(), row.quantity)
        for row in rows
    ]


def adopted(tx: sa.Connection, since: dt.date, until: dt.date) -> list[Accepted]:
    """The adopted usage between two days of UTC, inclusive."""
    rows = tx.execute(_ADOPTED, {"first": since, "last": until})
    return [Accepted(row.tenant, row.marketplace_id, row.dimension, row.day, row.quantity) for row in rows]


def owners(tx: sa.Connection, subscription_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """The public ids of the subscriptions' tenants; unknown subscriptions are left out."""
    rows = tx.execute(_OWNERS, {"subscriptions": list(subscription_ids)})
    return {row.marketplace_id: row.public_id for row in rows}


def reported_hours(tx: sa.Connection, event: UsageEvent, since: dt.datetime) -> set[dt.datetime]:
    """The hours that events of the same subscription and dimension have since an instant."""
    of = {"subscription": event.usage.subscription_id, "dimension": event.usage.dimension}
    return set(tx.scalars(_HOURS, {"tenant": event.tenant_id, "since": since, **of}))


def reschedule(tx: sa.Connection, entry: Entry, hour: dt.datetime) -> bool:
    """Gives an event in alarm another hour and its subscription's present plan; False if it has changed."""
    of = {"tenant": entry.event.tenant_id, "event": entry.event.id, "seen": entry.event.usage.slot}
    return tx.execute(_RESCHEDULE, {**of, "hour": hour, "plan": entry.plan_id}).rowcount == 1


def _entry(row: sa.Row[Any]) -> Entry:
    return Entry(
        event_of(row), row.slug, Month.from_key(row.month_key), row.last_result, row.present_plan, row.ended_at
    )
