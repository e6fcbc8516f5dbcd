"""Reads metered subscriptions with their events and records, and writes adopted usage."""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from billing.closing.model import Record, State
from billing.closing.record_store import record_of
from billing.metering.model import UsageEvent, UsageState
from billing.metering.rules import LISTED
from billing.metering.store import event_of, midnight
from shared.calendar import Month
from shared.db.schema import adopted_usage, billing_records, subscriptions, tenants, usage_events


_e, _r, _s, _a = usage_events.c, billing_records.c, subscriptions.c, adopted_usage.c
_TENANT: Final = bindparam("tenant", type_=sa.BigInteger)
_METERED: Final[sa.Select[Any]] = (
    sa.select(_s.tenant_id, _s.id, _s.marketplace_id, tenants.c.public_id, tenants.c.slug)
    .join(tenants, tenants.c.id == _s.tenant_id)
    .where(
        _s.marketplace_id.is_not(None),
        _s.quantity.is_(None),
        _s.paid_from.is_not(None),
        sa.or_(_s.ended_at.is_(None), _s.ended_at >= bindparam("since", type_=_s.ended_at.type)),
    )
    .order_by(_s.tenant_id, _s.id)
)
_EVENTS: Final[sa.Select[Any]] = (
    sa.select(usage_events, tenants.c.public_id.label("tenant"))
    .join(tenants, tenants.c.id == _e.tenant_id)
    .where(
        _e.tenant_id == _TENANT,
        _e.marketplace_id == bindparam("subscription", type_=sa.Uuid),
        _e.slot >= bindparam("first", type_=_e.slot.type),
    )
    .order_by(_e.id)
)
_RECORDS: Final[sa.Select[Any]] = (
    sa.select(billing_records)
    .where(_r.tenant_id == _TENANT, _r.subscription_id == bindparam("subscription", type_=sa.BigInteger))
    .order_by(_r.id)
)
_OF_SUBSCRIPTION: Final[sa.Select[Any]] = sa.select(adopted_usage).where(
    _a.tenant_id == _TENANT, _a.marketplace_id == bindparam("subscription", type_=sa.Uuid)
)
_OF_TENANT: Final[sa.Select[Any]] = (
    sa.select(adopted_usage).where(_a.tenant_id == _TENANT).order_by(_a.day, _a.marketplace_id, _a.dimension)
)
# Except events that are being sent.
_SETTLE: Final = (
    usage_events.update()
    .where(
        _e.tenant_id == _TENANT,
        _e.id == bindparam("event", type_=sa.BigInteger),
        _e.state.in_([UsageState.PENDING.value, UsageState.HELD.value]),
        sa.or_(_e.claimed_until.is_(None), _e.claimed_until <= bindparam("now", type_=_e.slot.type)),
    )
    .values(
        state=UsageState.ACCEPTED.value,
        last_result=LISTED,
        claimed_until=None,
        settled_at=bindparam("now", type_=_e.slot.type),
    )
)
_ADD: Final = adopted_usage.insert().inline()
_ADD_UNITS: Final = (
    adopted_usage.update()
    .where(_a.tenant_id == _TENANT, _a.id == bindparam("row", type_=sa.BigInteger), _a.quantity == bindparam("seen"))
    .values(quantity=bindparam("new_quantity"))
)
_ASSIGN: Final = (
    adopted_usage.update()
    .where(
        _a.tenant_id == _TENANT,
        _a.id == bindparam("row", type_=sa.BigInteger),
        _a.month_key.is_(None),
    )
    .values(month_key=bindparam("month", type_=sa.Integer))
)


@dataclass(frozen=True, slots=True)
class Metered:
    """A subscription with metered usage; `tenant` is the public id of its tenant."""

    tenant_id: int
    id: int
    marketplace_id: uuid.UUID
    tenant: uuid.UUID
    slug: str


@dataclass(frozen=True, slots=True)
class AdoptedRow:
    id: int
    marketplace_id: uuid.UUID
    dimension: str
    day: dt.date
    quantity: int
    plan_id: str
    month: Month | None
    adopted_at: dt.datetime


def metered(tx: sa.Connection, ended_since: dt.datetime) -> list[Metered]:
    """All metered subscriptions, live or ended since an instant, by tenant."""
    return [Metered(*row) for row in tx.execute(_METERED, {"since": ended_since})]


def events(tx: sa.Connection, of: Metered, since: dt.date) -> list[UsageEvent]:
    """The usage events of a subscription, from a day of UTC on."""
    key = {"tenant": of.tenant_id, "subscription": of.marketplace_id, "first": midnight(since)}
    return [event_of(row) for row in tx.execute(_EVENTS, key)]


def records(tx: sa.Connection, of: Metered) -> list[Record]:
    """A subscription's records, including void ones, in closing order."""
    return [record_of(row) for row in tx.execute(_RECORDS, {"tenant": of.tenant_id, "subscription": of.id})]


def closed_by_month(records: Sequence[Record]) -> dict[Month, Record]:
    """The records by month, without void ones."""
    return {each.period.month: each for each in records if each.state is State.CLOSED}


def adopted_of_subscription(tx: sa.Connection, of: Metered) -> list[AdoptedRow]:
    """A subscription's adopted usage."""
    rows = tx.execute(_OF_SUBSCRIPTION, {"tenant": of.tenant_id, "subscription": of.marketplace_id})
    return [_adopted_row(row) for row in rows]


def adopted_of_tenant(tx: sa.Connection, tenant_id: int) -> list[AdoptedRow]:
    """A tenant's adopted usage, by day."""
    return [_adopted_row(row) for row in tx.execute(_OF_TENANT, {"tenant": tenant_id})]


def settle(tx: sa.Connection, event: UsageEvent, *, now: dt.datetime) -> bool:
    """Accepts an open event that the meter lists; False if it is being sent or was settled."""
    return tx.execute(_SETTLE, {"tenant": event.tenant_id, "event": event.id, "now": now}).rowcount == 1


def add(tx: sa.Connection, tenant_id: int, row: AdoptedRow) -> None:
    """Adds adopted usage of a day, which has one row."""
    values = {
        "tenant_id": tenant_id,
        "marketplace_id": row.marketplace_id,
        "dimension": row.dimension,
        "day": row.day,
        "quantity": row.quantity,
        "plan_id": row.plan_id,
        "month_key": None if row.month is None else row.month.key,
        "adopted_at": row.adopted_at,
    }
    tx.execute(_ADD, values)


def add_units(tx: sa.Connection, tenant_id: int, row: AdoptedRow, more: int) -> bool:
    """Adds units to adopted usage of a day; False after a concurrent change."""
    values = {"tenant": tenant_id, "row": row.id, "seen": row.quantity, "new_quantity": row.quantity + more}
    return tx.execute(_ADD_UNITS, values).rowcount == 1


def assign(tx: sa.Connection, tenant_id: int, row_id: int, month: Month) -> bool:
    """Assigns adopted usage to a month; False if it has one."""
    return tx.execute(_ASSIGN, {"tenant": tenant_id, "row": row_id, "month": month.key}).rowcount == 1


def _adopted_row(row: sa.Row[Any]) -> AdoptedRow:
    return AdoptedRow(
        row.id,
        row.marketplace_id,
        row.dimension,
        row.day,
        row.quantity,
        row.plan_id,
        None if row.month_key is None else Month.from_key(row.month_key),
        row.adopted_at,
    )
