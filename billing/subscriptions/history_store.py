"""Reads what a tenant pays for: its subscription, the price in force, and the ledger a page at a time."""

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
    """`number` counts the tenant's events from 1, in the order in which they were recorded."""

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
# The one that is paid for; else the one that was last, pending ones before ended ones.
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
# Row numbers stay inside, so events are counted: the ledger is only ever added to, and an event keeps its number.
_numbered: Final = (
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
    sa.select(_numbered)
    .where(_numbered.c.number < bindparam("end"))
    .order_by(_numbered.c.number.desc())
    .limit(bindparam("most"))
)


def current(tx: sa.Connection, tenant_id: int) -> Subscription | None:
    """What the tenant pays for, or paid for last; None when it never bought anything."""
    row = tx.execute(_CURRENT, {"tenant": tenant_id}).first()
    return None if row is None else subscription_of(row)


def billing_contact(tx: sa.Connection, subscription: Subscription) -> Contact | None:
    """The buyer, where they have an account; without a name where the processing of their data is stopped."""
    if subscription.billing_contact_id is None:
        return None
    key = {"tenant": subscription.tenant_id, "user": subscription.billing_contact_id}
    row = tx.execute(_CONTACT, key).one()
    return Contact(row.public_id, None if row.restricted_since else row.display_name)


def rate_in_force(tx: sa.Connection, subscription: Subscription, now: dt.datetime) -> Rate | None:
    """What a user costs now; a bill has what was in force at the first instant of its period."""
    key = {"tenant": subscription.tenant_id, "subscription": subscription.id, "now": now}
    row = tx.execute(_RATE, key).first()
    return None if row is None else rate_of(row)


def ledger(tx: sa.Connection, tenant_id: int, *, end: int, most: int) -> list[LedgerRow]:
    """At most `most` events of all the tenant's subscriptions, newest first, before the one numbered `end`."""
    return [LedgerRow(*row) for row in tx.execute(_LEDGER, {"tenant": tenant_id, "end": end, "most": most})]
