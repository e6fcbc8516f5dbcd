"""The append-only ledger of a subscription: its events and its rates."""

import datetime as dt
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from billing.subscriptions.model import Event, Outcome, Price, Quote, Rate, Subscription, SubscriptionStatus
from shared.db.schema import subscription_events, subscription_rates, subscriptions
from shared.db.statements import InsertIfAbsent
from shared.money import MONTH


_r, _s = subscription_rates.c, subscriptions.c
_ADD_EVENT: Final = InsertIfAbsent(
    subscription_events,
    key=("operation_id",),
    index_where=subscription_events.c.operation_id.is_not(None),
    columns=(
        "tenant_id",
        "subscription_id",
        "operation_id",
        "event_type",
        "source",
        "outcome",
        "plan_id",
        "quantity",
        "status",
        "effective_at",
        "recorded_at",
    ),
    returning=("id",),
)
_ADD_OWN_EVENT: Final = subscription_events.insert().inline()
_ADD_RATE: Final = InsertIfAbsent(
    subscription_rates,
    key=("subscription_id", "from_at"),
    columns=(
        *("tenant_id", "subscription_id", "from_at", "plan_id"),
        *("rate_per_user", "currency", "rate_unit", "included_users", "included_unit"),
    ),
)
_LAST_RATE: Final = (
    sa.select(subscription_rates)
    .where(_r.tenant_id == bindparam("tenant"), _r.subscription_id == bindparam("subscription"))
    .order_by(_r.from_at.desc())
    .limit(1)
)
_WITHOUT_PRICE: Final = sa.select(_s.id).where(
    _s.marketplace_id.is_not(None),
    _s.status.in_((SubscriptionStatus.SUBSCRIBED.value, SubscriptionStatus.SUSPENDED.value)),
    sa.select(_r.rate_per_user)
    .where(_r.tenant_id == _s.tenant_id, _r.subscription_id == _s.id)
    .order_by(_r.from_at.desc())
    .limit(1)
    .scalar_subquery()
    .is_(None),
)


def add_event(tx: sa.Connection, after: Subscription, event: Event, outcome: Outcome, *, now: dt.datetime) -> bool:
    """Appends an event; False if the ledger has its operation already."""
    values = {
        "tenant_id": after.tenant_id,
        "subscription_id": after.id,
        "operation_id": event.operation_id,
        "event_type": event.event_type[:64],
        "source": event.source.value,
        "outcome": outcome.value,
        "plan_id": after.terms.plan_id,
        "quantity": after.terms.quantity,
        "status": after.terms.status.value,
        "effective_at": event.effective_at,
        "recorded_at": now,
    }
    if event.operation_id is None:
        tx.execute(_ADD_OWN_EVENT, values)
        return True
    return _ADD_EVENT.run(tx, values) is not None


def last_rate(tx: sa.Connection, subscription: Subscription) -> Rate | None:
    """The newest rate, of any plan."""
    row = tx.execute(_LAST_RATE, {"tenant": subscription.tenant_id, "subscription": subscription.id}).first()
    return None if row is None else rate_of(row)


def last_price(tx: sa.Connection, subscription: Subscription) -> Price | None:
    """The price of the newest rate; None if it could not be read."""
    rate = last_rate(tx, subscription)
    return None if rate is None else rate.quote.price


def without_price(tx: sa.Connection) -> set[int]:
    """Ids of live Marketplace subscriptions without a known price."""
    return set(tx.scalars(_WITHOUT_PRICE))


def rate_of(row: sa.Row[Any]) -> Rate:
    price = None if row.rate_per_user is None else Price(row.rate_per_user, row.currency, row.rate_unit)
    return Rate(row.from_at, row.plan_id, Quote(price, row.included_users, row.included_unit), row.rate_unit)


def add_rate(tx: sa.Connection, subscription: Subscription, quote: Quote, *, from_at: dt.datetime) -> None:
    """Adds the price of a plan from an instant on; an existing rate of that instant stays."""
    values = {
        "tenant_id": subscription.tenant_id,
        "subscription_id": subscription.id,
        "from_at": from_at,
        "plan_id": subscription.terms.plan_id,
        "rate_per_user": quote.price and quote.price.rate_per_user,
        "currency": quote.price and quote.price.currency,
        "rate_unit": (subscription.terms.price_unit or MONTH) if quote.price is None else quote.price.unit,
        "included_users": quote.included_users,
        "included_unit": quote.included_unit,
    }
    _ADD_RATE.run(tx, values)
