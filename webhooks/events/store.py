"""What the ledger has of a Marketplace event, and the subscriptions that were bought."""

import datetime as dt
import uuid
from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from billing.subscriptions import Outcome, Subscription, SubscriptionStatus, last_price, subscription_of
from shared.db.schema import subscription_events, subscription_rates, subscriptions
from webhooks.events.rules import ACCEPTED, Action, Seen


_e, _r, _s = subscription_events.c, subscription_rates.c, subscriptions.c
_PAGE: Final = 500
_LATELY: Final = (
    sa.select(_e.operation_id, _e.event_type, _e.outcome)
    .where(
        _e.tenant_id == bindparam("tenant"),
        _e.subscription_id == bindparam("subscription"),
        sa.or_(
            _e.operation_id == bindparam("operation", type_=sa.Uuid),
            sa.and_(
                _e.recorded_at > bindparam("since"),
                _e.outcome == Outcome.APPLIED.value,
                _e.event_type.in_(sorted(ACCEPTED)),
            ),
        ),
    )
    .order_by(_e.id)
)
_BOUGHT: Final = (
    sa.select(subscriptions)
    .where(_s.marketplace_id.is_not(None), _s.id > bindparam("after"))
    .order_by(_s.id)
    .limit(_PAGE)
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


def look_up(
    tx: sa.Connection, subscription: Subscription, operation_id: uuid.UUID | None, *, since: dt.datetime
) -> Seen:
    """The subscription with what the ledger has of this operation, and of those accepted since."""
    of = {"tenant": subscription.tenant_id, "subscription": subscription.id}
    rows = tx.execute(_LATELY, {**of, "operation": operation_id, "since": since}).all()
    own = [row for row in rows if operation_id is not None and row.operation_id == operation_id]
    others = [row for row in rows if row not in own]
    newest: dict[str, uuid.UUID] = {row.event_type: row.operation_id for row in others if row.operation_id}
    return Seen(
        subscription,
        Outcome(own[0].outcome) if own else None,
        tuple(row.operation_id for row in others if row.operation_id in newest.values()),
        was_reinstated=any(row.event_type == Action.REINSTATE for row in others),
        lacks_price=operation_id is None and last_price(tx, subscription) is None,
    )


def without_price(tx: sa.Connection) -> set[int]:
    """Subscriptions of the Marketplace that are paid for and whose price could not be read yet."""
    return set(tx.scalars(_WITHOUT_PRICE))


def all_bought(tx: sa.Connection) -> Iterator[Subscription]:
    """Every subscription of the Marketplace that is known here, also those that have ended."""
    after = 0
    while rows := tx.execute(_BOUGHT, {"after": after}).all():
        yield from (subscription_of(row) for row in rows)
        after = _id(rows[-1])


def _id(row: sa.Row[Any]) -> int:
    number: int = row.id
    return number
