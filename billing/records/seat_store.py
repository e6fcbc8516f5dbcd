"""Reads the seats of a subscription and their listed prices from its ledger."""

import datetime as dt
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from billing.records.seat_rules import ListedPrice, SeatChange, UnreadablePrice
from billing.subscriptions.model import Outcome
from shared.db.schema import subscription_events, subscription_rates


_e, _r = subscription_events.c, subscription_rates.c
_CHANGES: Final[sa.Select[Any]] = (
    sa.select(_e.effective_at, _e.plan_id, _e.quantity)
    .where(
        _e.tenant_id == bindparam("tenant"),
        _e.subscription_id == bindparam("subscription"),
        _e.outcome == Outcome.APPLIED.value,
        _e.recorded_at <= bindparam("known_at"),
    )
    .order_by(_e.id)
)
_PRICES: Final[sa.Select[Any]] = (
    sa.select(_r.from_at, _r.plan_id, _r.rate_per_user, _r.currency, _r.rate_unit)
    .where(
        _r.tenant_id == bindparam("tenant"),
        _r.subscription_id == bindparam("subscription"),
        _r.from_at <= bindparam("known_at"),
    )
    .order_by(_r.from_at)
)


def changes(tx: sa.Connection, tenant_id: int, subscription: int, *, known_at: dt.datetime) -> list[SeatChange]:
    """Plan and seats after each event recorded by an instant, in recorded order."""
    values = {"tenant": tenant_id, "subscription": subscription, "known_at": known_at}
    return [SeatChange(*row) for row in tx.execute(_CHANGES, values)]


def prices(
    tx: sa.Connection, tenant_id: int, subscription: int, *, known_at: dt.datetime
) -> list[ListedPrice | UnreadablePrice]:
    """All prices of the subscription until an instant, oldest first."""
    values = {"tenant": tenant_id, "subscription": subscription, "known_at": known_at}
    return [
        UnreadablePrice(row.from_at, row.plan_id, row.rate_unit) if row.rate_per_user is None else ListedPrice(*row)
        for row in tx.execute(_PRICES, values)
    ]
