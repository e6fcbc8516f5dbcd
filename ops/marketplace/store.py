"""Reads the events of a purchase, and finds the purchase of an operation."""

import uuid
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from billing.subscriptions.model import Subscription
from billing.subscriptions.store import find_bought, subscription_of
from shared.db.schema import subscription_events, subscriptions


_e, _s = subscription_events.c, subscriptions.c
_LEDGER: Final = (
    sa.select(subscription_events)
    .where(_e.tenant_id == bindparam("tenant"), _e.subscription_id == bindparam("subscription"))
    .order_by(_e.id)
)
_BY_OPERATION: Final = (
    sa.select(subscriptions)
    .join(subscription_events, sa.and_(_e.tenant_id == _s.tenant_id, _e.subscription_id == _s.id))
    .where(_e.operation_id == bindparam("operation", type_=sa.Uuid))
)


def find(tx: sa.Connection, guid: uuid.UUID) -> Subscription | None:
    """The purchase with that id, or the purchase of the operation with that id."""
    found = find_bought(tx, guid)
    if found is not None:
        return found
    row = tx.execute(_BY_OPERATION, {"operation": guid}).first()
    return None if row is None else subscription_of(row)


def ledger(tx: sa.Connection, subscription: Subscription) -> Sequence[sa.Row[Any]]:
    return tx.execute(_LEDGER, {"tenant": subscription.tenant_id, "subscription": subscription.id}).all()
