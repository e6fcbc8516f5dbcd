"""Writes bills: a record with its lines, its usage event, its voiding, and the closed months."""

import datetime as dt
import uuid
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from billing.closing.model import Activity, Bill, Kind, Period, Reason, Record, State
from billing.closing.rules import first_reporting_day
from billing.subscriptions.model import Price, Subscription
from shared.calendar import Month
from shared.db.schema import (
    adopted_usage,
    billing_lines,
    billing_records,
    closed_months,
    subscription_rates,
    tenants,
    usage_events,
)
from shared.money import MONTH, minor_unit


_r, _l, _e, _a = billing_records.c, billing_lines.c, usage_events.c, adopted_usage.c
_TENANT: Final = bindparam("tenant", type_=sa.BigInteger)
_RECORD: Final = bindparam("record", type_=sa.BigInteger)
_ADD: Final = billing_records.insert().returning(_r.id)
_ADD_LINES: Final = billing_lines.insert().inline()
_VOID: Final = (
    billing_records.update()
    .where(_r.tenant_id == _TENANT, _r.id == _RECORD, _r.state == State.CLOSED.value)
    .values(state=State.VOID.value, voided_at=bindparam("now"), void_reason=bindparam("why"))
)
_VOID_LINES: Final = (
    billing_lines.update().where(_l.tenant_id == _TENANT, _l.record_id == _RECORD).values(is_void=sa.true())
)
_BY_PUBLIC_ID: Final[sa.Select[Any]] = sa.select(billing_records).where(
    _r.tenant_id == _TENANT, _r.public_id == bindparam("public")
)
_WITHOUT_PRICE: Final = (_r.rate_per_user.is_(None), _r.state == sa.literal_column("'closed'"))
_p: Final = subscription_rates.c
_PRICEABLE: Final[sa.Select[Any]] = (
    sa.select(_r.tenant_id)
    .where(
        *_WITHOUT_PRICE,
        sa.exists().where(
            _p.tenant_id == _r.tenant_id,
            _p.subscription_id == _r.subscription_id,
            _p.plan_id == _r.plan_id,
            _p.rate_per_user.is_not(None),
        ),
    )
    .distinct()
)
_ALL_WITHOUT_PRICE: Final[sa.Select[Any]] = (
    sa.select(tenants.c.public_id, sa.func.count().label("bills"))
    .join(tenants, tenants.c.id == _r.tenant_id)
    .where(*_WITHOUT_PRICE)
    .group_by(tenants.c.public_id)
)
_UNPRICED: Final[sa.Select[Any]] = (
    sa.select(billing_records).where(_r.tenant_id == _TENANT, *_WITHOUT_PRICE).order_by(_r.id)
)
_LINES: Final[sa.Select[Any]] = (
    sa.select(billing_lines)
    .where(_l.tenant_id == _TENANT, _l.record_id == _RECORD)
    .order_by(_l.activity_month, _l.user_id)
)
_REPLACED: Final[sa.Select[Any]] = sa.select(_r.id).where(_r.tenant_id == _TENANT, _r.replaces_id == _RECORD)
_ENQUEUE: Final = usage_events.insert().inline()
# An event is claimed before it is sent, in an earlier transaction: an unclaimed event was never sent.
_REMOVE_UNSENT: Final = usage_events.delete().where(
    _e.tenant_id == _TENANT,
    _e.record_id == _RECORD,
    _e.state.in_(("pending", "held")),
    _e.attempts == 0,
    _e.claimed_until.is_(None),
)
_MONTH: Final = bindparam("month", type_=sa.Integer)
_SENT: Final = (
    sa.select(sa.func.coalesce(sa.func.sum(_e.quantity), 0))
    .join(billing_records, sa.and_(_r.tenant_id == _e.tenant_id, _r.id == _e.record_id))
    .where(
        _e.tenant_id == _TENANT,
        _r.subscription_id == bindparam("subscription", type_=sa.BigInteger),
        _r.month_key == _MONTH,
        _e.state != "alarm",  # the meter has accepted or may accept all others
    )
    .scalar_subquery()
)
_OF_METER = (
    _a.tenant_id == _TENANT,
    _a.marketplace_id == bindparam("marketplace", type_=sa.Uuid),
    _a.dimension == bindparam("of_dimension", type_=_a.dimension.type),
)
_FITS_NOW = sa.and_(_a.month_key.is_(None), _a.day >= bindparam("first_day", type_=_a.day.type))
_ADOPTED: Final = (
    sa.select(sa.func.coalesce(sa.func.sum(_a.quantity), 0)).where(*_OF_METER, _a.month_key == _MONTH).scalar_subquery()
)
_SUM_SENT: Final[sa.Select[Any]] = sa.select(_SENT.label("sent"), _ADOPTED.label("adopted"))
_ADOPTED_ON: Final[sa.Select[Any]] = sa.select(_a.id).where(*_OF_METER, _a.day == bindparam("on", type_=_a.day.type))
_ASSIGN_ADOPTED: Final = adopted_usage.update().where(*_OF_METER, _FITS_NOW).values(month_key=_MONTH)
_USED_SLOTS: Final[sa.Select[Any]] = sa.select(_e.slot).where(
    _e.tenant_id == _TENANT,
    _e.marketplace_id == bindparam("marketplace", type_=sa.Uuid),
    _e.dimension == bindparam("dimension", type_=_e.dimension.type),
    _e.slot <= bindparam("preferred", type_=_e.slot.type),
)
# Ended months with a record that are not closed for corrections yet; the tenant is locked.
_MARK: Final = closed_months.insert().from_select(
    ["tenant_id", "month_key", "closed_at"],
    sa.select(_r.tenant_id, _r.month_key, bindparam("now", type_=closed_months.c.closed_at.type))
    .where(
        _r.tenant_id == _TENANT,
        _r.month_key <= bindparam("last", type_=sa.Integer),
        ~sa.exists().where(closed_months.c.tenant_id == _TENANT, closed_months.c.month_key == _r.month_key),
    )
    .distinct(),
)


def add(
    tx: sa.Connection,
    tenant_id: int,
    bill: Bill,
    *,
    public_id: uuid.UUID,
    replaces_id: int | None,
    now: dt.datetime,
) -> Record:
    """Stores a bill as a closed record with its lines; unique keys prevent a second one of the month."""
    values = _values(tenant_id, bill)
    record_id: int = tx.execute(
        _ADD, {**values, "public_id": public_id, "replaces_id": replaces_id, "closed_at": now}
    ).scalar_one()
    if bill.lines:
        tx.execute(_ADD_LINES, [_line(tenant_id, record_id, line) for line in bill.lines])
    return Record(
        id=record_id,
        public_id=public_id,
        tenant_id=tenant_id,
        subscription_id=bill.subscription.id,
        period=bill.period,
        state=State.CLOSED,
        active_users=bill.active_users,
        included_users=bill.included_users,
        price=bill.price,
        total=bill.total,
        replaces_id=replaces_id,
        closed_at=now,
        marketplace_id=bill.subscription.marketplace_id,
        plan_id=bill.plan_id,
        quantity=bill.subscription.terms.quantity,
        last_event_type=None if bill.last_event is None else bill.last_event.event_type,
    )


def find(tx: sa.Connection, tenant_id: int, public_id: uuid.UUID) -> Record | None:
    row = tx.execute(_BY_PUBLIC_ID, {"tenant": tenant_id, "public": public_id}).first()
    return None if row is None else record_of(row)


def tenants_with_priceable_bills(tx: sa.Connection) -> list[int]:
    """The tenants with a bill without a price, of a plan with a known price."""
    return sorted(tx.scalars(_PRICEABLE))


def tenants_without_price(tx: sa.Connection) -> list[tuple[uuid.UUID, int]]:
    """The public ids of tenants with bills without a price, and the number of those bills."""
    return [(row.public_id, row.bills) for row in tx.execute(_ALL_WITHOUT_PRICE)]


def without_price(tx: sa.Connection, tenant_id: int) -> list[Record]:
    """A tenant's bills without a price, in closing order."""
    return [record_of(row) for row in tx.execute(_UNPRICED, {"tenant": tenant_id})]


def lines(tx: sa.Connection, record: Record) -> tuple[Activity, ...]:
    rows = tx.execute(_LINES, {"tenant": record.tenant_id, "record": record.id})
    return tuple(
        Activity(
            row.user_id,
            Month.from_key(row.activity_month),
            row.email,
            row.display_name,
            Reason(row.reason),
            row.first_activity_at,
            row.last_activity_at,
        )
        for row in rows
    )


def is_replaced(tx: sa.Connection, record: Record) -> bool:
    return tx.execute(_REPLACED, {"tenant": record.tenant_id, "record": record.id}).first() is not None


def void(tx: sa.Connection, record: Record, *, reason: str, now: dt.datetime) -> bool:
    """Voids a record and its lines, and removes its usage event unless that was ever sent; False if it was void."""
    key = {"tenant": record.tenant_id, "record": record.id}
    if tx.execute(_VOID, {**key, "now": now, "why": reason}).rowcount == 0:
        return False
    tx.execute(_VOID_LINES, key)
    tx.execute(_REMOVE_UNSENT, key)
    return True


def assign_adopted(tx: sa.Connection, subscription: Subscription, period: Period, *, dimension: str) -> None:
    """Assigns adopted usage without a month, of the period's last day or later, to the period's month."""
    key = {"tenant": subscription.tenant_id, "marketplace": subscription.marketplace_id, "of_dimension": dimension}
    tx.execute(_ASSIGN_ADOPTED, {**key, "month": period.month.key, "first_day": first_reporting_day(period)})


def sum_sent(tx: sa.Connection, subscription: Subscription, period: Period, *, dimension: str) -> int:
    """Users reported or pending for a period's month, including adopted usage."""
    key = {"tenant": subscription.tenant_id, "marketplace": subscription.marketplace_id, "of_dimension": dimension}
    row = tx.execute(_SUM_SENT, {**key, "month": period.month.key, "subscription": subscription.id}).one()
    return int(row.sent + row.adopted)


def has_adopted_on(tx: sa.Connection, subscription: Subscription, day: dt.date, *, dimension: str) -> bool:
    """Whether usage of a day of UTC was adopted; its hours are unknown."""
    key = {"tenant": subscription.tenant_id, "marketplace": subscription.marketplace_id, "of_dimension": dimension}
    return tx.execute(_ADOPTED_ON, {**key, "on": day}).first() is not None


def used_slots(
    tx: sa.Connection, tenant_id: int, marketplace_id: uuid.UUID, dimension: str, *, preferred: dt.datetime
) -> set[dt.datetime]:
    """The hours of the subscription's usage events up to the preferred one."""
    key = {"tenant": tenant_id, "marketplace": marketplace_id, "dimension": dimension, "preferred": preferred}
    return set(tx.scalars(_USED_SLOTS, key))


def enqueue_usage(
    tx: sa.Connection,
    record: Record,
    subscription: Subscription,
    *,
    dimension: str,
    quantity: int,
    slot: dt.datetime,
    now: dt.datetime,
) -> None:
    """Adds the record's usage to the outbox, in the transaction of the record."""
    values = {
        "tenant_id": record.tenant_id,
        "record_id": record.id,
        "marketplace_id": subscription.marketplace_id,
        "dimension": dimension,
        "quantity": quantity,
        "plan_id": subscription.terms.plan_id,
        "slot": slot,
        "state": "pending",
        "attempts": 0,
        "created_at": now,
    }
    tx.execute(_ENQUEUE, values)


def mark_closed(tx: sa.Connection, tenant_id: int, *, last: Month, now: dt.datetime) -> None:
    """Closes the months of the tenant's records, up to `last`, for corrections."""
    tx.execute(_MARK, {"tenant": tenant_id, "last": last.key, "now": now})


def record_of(row: sa.Row[Any]) -> Record:
    return Record(
        id=row.id,
        public_id=row.public_id,
        tenant_id=row.tenant_id,
        subscription_id=row.subscription_id,
        period=Period(Month.from_key(row.month_key), Kind(row.kind), row.period_from, row.period_to, row.time_zone),
        state=State(row.state),
        active_users=row.active_users,
        included_users=row.included_users,
        price=None if row.rate_per_user is None else Price(row.rate_per_user, row.currency, row.rate_unit),
        total=row.total,
        replaces_id=row.replaces_id,
        closed_at=row.closed_at,
        marketplace_id=row.marketplace_id,
        plan_id=row.plan_id,
        quantity=row.quantity,
        last_event_type=row.last_event_type,
        voided_at=row.voided_at,
        void_reason=row.void_reason,
    )


def _values(tenant_id: int, bill: Bill) -> dict[str, Any]:
    event, price = bill.last_event, bill.price
    return {
        "tenant_id": tenant_id,
        "subscription_id": bill.subscription.id,
        "month_key": bill.period.month.key,
        "kind": bill.period.kind.value,
        "state": State.CLOSED.value,
        "period_from": bill.period.starts_at,
        "period_to": bill.period.ends_at,
        "time_zone": bill.period.time_zone,
        "marketplace_id": bill.subscription.marketplace_id,
        "plan_id": bill.plan_id,
        "quantity": bill.subscription.terms.quantity,
        "active_users": bill.active_users,
        "included_users": bill.included_users,
        "rate_per_user": price and price.rate_per_user,
        "rate_unit": MONTH if price is None else price.unit,
        "currency": price and price.currency,
        "minor_unit": price and minor_unit(price.currency),
        "total": bill.total,
        "last_event_type": event and event.event_type,
        "last_operation_id": event and event.operation_id,
    }


def _line(tenant_id: int, record_id: int, line: Activity) -> dict[str, Any]:
    return {
        "tenant_id": tenant_id,
        "record_id": record_id,
        "user_id": line.user_id,
        "activity_month": line.month.key,
        "email": line.email,
        "display_name": line.display_name,
        "reason": line.reason.value,
        "first_activity_at": line.first_at,
        "last_activity_at": line.last_at,
        "is_void": False,
    }
