"""Reads a tenant's subscription, its present price, and pages of its ledger."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from billing.subscriptions.ledger_store import rate_of
from billing.subscriptions.model import Rate, Subscription
from billing.subscriptions.store import subscription_of
from shared.db.schema import subscription_events, subscription_rates, subscriptions, users
from shared.tenancy.store import restricted_since


@dataclass(frozen=True, slots=True)
class Contact:
    id: uuid.UUID
    display_name: str | None


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """An event; `number` counts the tenant's events from 1, in recorded order."""

    number: int
    event_type: str
    source: str
    outcome: str
    marketplace_id: uuid.UUID | None
    plan_id: str
    quantity: int | None
    status: str
    effective_at: dt.datetime
    recorded_at: dt.datetime


_s, _r, _e = subscriptions.c, subscription_rates.c, subscription_events.c
# The live subscription; else the newest, pending before ended.
_CURRENT: Final[sa.Select[Any]] = (
    sa.select(subscriptions)
    .where(_s.tenant_id == bindparam("tenant"))
    .order_by(
        sa.case((_s.status.in_(("subscribed", "suspended")), 0), (_s.status == "pending", 1), else_=2), _s.id.desc()
    )
    .limit(1)
)
_RATE: Final[sa.Select[Any]] = (
    sa.select(subscription_rates)
    .where(
        _r.tenant_id == bindparam("tenant"),
        _r.subscription_id == bindparam("subscription"),
        _r.from_at <= bindparam("now"),
    )
    .order_by(_r.from_at.desc())
    .limit(1)
)
_CONTACT: Final = sa.select(
    users.c.public_id, users.c.display_name, restricted_since(users).label("restricted_since")
).where(users.c.tenant_id == bindparam("tenant"), users.c.id == bindparam("user"))
# Row numbers are internal, so events are counted. The ledger is append-only: an event keeps its number.
_NUMBERED: Final = (
    sa.select(
        sa.func.row_number().over(order_by=_e.id).label("number"),
        _e.event_type,
        _e.source,
        _e.outcome,
        _s.marketplace_id,
        _e.plan_id,
        _e.quantity,
        _e.status,
        _e.effective_at,
        _e.recorded_at,
    )
    .join(subscriptions, sa.and_(_s.tenant_id == _e.tenant_id, _s.id == _e.subscription_id))
    .where(_e.tenant_id == bindparam("tenant"))
    .subquery("numbered")
)
_LEDGER: Final[sa.Select[Any]] = (
    sa.select(_NUMBERED)
    .where(_NUMBERED.c.number < bindparam("before"))
    .order_by(_NUMBERED.c.number.desc())
    .limit(bindparam("limit"))
)


def current(tx: sa.Connection, tenant_id: int) -> Subscription | None:
    """The live subscription, or else the newest; None without any."""
    row = tx.execute(_CURRENT, {"tenant": tenant_id}).first()
    return None if row is None else subscription_of(row)


def billing_contact(tx: sa.Connection, subscription: Subscription) -> Contact | None:
    """The buyer, if they have an account; without a name if the processing of their data is restricted."""
    if subscription.billing_contact_id is None:
        return None
    key = {"tenant": subscription.tenant_id, "user": subscription.billing_contact_id}
    row = tx.execute(_CONTACT, key).one()
    return Contact(row.public_id, None if row.restricted_since else row.display_name)


def rate_in_force(tx: sa.Connection, subscription: Subscription, now: dt.datetime) -> Rate | None:
    """The present price; a bill has the price at the start of its period."""
    key = {"tenant": subscription.tenant_id, "subscription": subscription.id, "now": now}
    row = tx.execute(_RATE, key).first()
    return None if row is None else rate_of(row)


def ledger(tx: sa.Connection, tenant_id: int, *, before: int, limit: int) -> list[LedgerRow]:
    """At most `limit` events of the tenant's subscriptions, newest first, with a number below `before`."""
    return [LedgerRow(*row) for row in tx.execute(_LEDGER, {"tenant": tenant_id, "before": before, "limit": limit})]
