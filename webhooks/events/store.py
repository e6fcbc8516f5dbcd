"""Reads the ledger of Marketplace events."""

import datetime as dt
import uuid
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from billing.subscriptions import Outcome, Subscription, last_price
from shared.db.schema import subscription_events
from webhooks.events.rules import DELAYED, Action, KnownState


_e = subscription_events.c
_RECENT: Final = (
    sa.select(_e.operation_id, _e.event_type, _e.outcome)
    .where(
        _e.tenant_id == bindparam("tenant"),
        _e.subscription_id == bindparam("subscription"),
        sa.or_(
            _e.operation_id == bindparam("operation", type_=sa.Uuid),
            sa.and_(
                _e.recorded_at > bindparam("since"),
                _e.outcome == Outcome.APPLIED.value,
                _e.event_type.in_(sorted(DELAYED)),
            ),
        ),
    )
    .order_by(_e.id)
)


def load_known(
    tx: sa.Connection, subscription: Subscription, operation_id: uuid.UUID | None, *, since: dt.datetime
) -> KnownState:
    """The subscription with the ledger's rows of this operation and of those accepted since."""
    of = {"tenant": subscription.tenant_id, "subscription": subscription.id}
    rows = tx.execute(_RECENT, {**of, "operation": operation_id, "since": since}).all()
    own = [row for row in rows if operation_id is not None and row.operation_id == operation_id]
    others = [row for row in rows if row not in own]
    newest: dict[str, uuid.UUID] = {row.event_type: row.operation_id for row in others if row.operation_id}
    return KnownState(
        subscription,
        Outcome(own[0].outcome) if own else None,
        tuple(row.operation_id for row in others if row.operation_id in newest.values()),
        was_reinstated=any(row.event_type == Action.REINSTATE for row in others),
        lacks_price=operation_id is None and last_price(tx, subscription) is None,
    )
