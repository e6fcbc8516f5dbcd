"""The ledger of a subscription's events and its rates: both are only ever added to."""

import datetime as dt
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import subscription_events, subscription_rates
from shared.db.statements import InsertIfAbsent
from shared.subscriptions.model import Event, Outcome, Price, Subscription


_r = subscription_rates.c
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
    columns=("tenant_id", "subscription_id", "from_at", "plan_id", "rate_per_user", "currency"),
)
_LAST_RATE: Final = (
    sa.select(_r.rate_per_user, _r.currency, _r.plan_id)
    .where(_r.tenant_id == bindparam("tenant"), _r.subscription_id == bindparam("subscription"))
    .order_by(_r.from_at.desc())
    .limit(1)
)


def add_event(tx: sa.Connection, after: Subscription, event: Event, outcome: Outcome, *, now: dt.datetime) -> bool:
    """Appends to the ledger; False when its operation is there already, and so was dealt with."""
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


def last_price(tx: sa.Connection, subscription: Subscription) -> Price | None:
    """What the newest rate says, of whatever plan."""
    row = tx.execute(_LAST_RATE, {"tenant": subscription.tenant_id, "subscription": subscription.id}).first()
    return None if row is None else Price(row.rate_per_user, row.currency)


def add_rate(tx: sa.Connection, subscription: Subscription, price: Price, *, from_at: dt.datetime) -> None:
    """What a user costs from an instant on; the first that is told of an instant stands."""
    values = {
        "tenant_id": subscription.tenant_id,
        "subscription_id": subscription.id,
        "from_at": from_at,
        "plan_id": subscription.terms.plan_id,
        "rate_per_user": price.rate_per_user,
        "currency": price.currency,
    }
    _ADD_RATE.run(tx, values)
