"""Closes months, each once: what is owed becomes a record with its lines and its usage event, in one transaction."""

import datetime as dt
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from shared import audit
from shared.audit import Action, Actor
from shared.billing import rules, store, store_records
from shared.billing.model import Bill, NotVoidable, Period, RateUnknown, Record, Standing, State
from shared.log import get_logger
from shared.subscriptions.model import Price, Subscription
from shared.subscriptions.store import read as read_subscription
from shared.tenancy.model import Plan, Tenant
from shared.tenancy.store import hold_tenant


NewId = Callable[[], uuid.UUID]
_NO_DIMENSION: Final = ""


@dataclass(frozen=True, slots=True)
class Closing:
    """How months are closed: by whom, when, and for which dimension of the Marketplace's meter; empty is none.

    `as_of` closes no more than what had ended by then.
    """

    dimension: str
    now: dt.datetime
    new_id: NewId
    actor: Actor = audit.SERVICE
    as_of: dt.datetime | None = None

    @property
    def ended_by(self) -> dt.datetime:
        return self.as_of or self.now


def close_tenant(tx: sa.Connection, tenant_id: int, closing: Closing) -> list[Record]:
    """Closes whatever months of a tenant have ended and have no record, oldest first, and marks them closed.

    The tenant is held: a correction of a past month comes before the bill or is an adjustment, and of two who close at
    once the second finds nothing owed.

    Raises:
        RateUnknown: nobody has said what a user costs.
    """
    tenant = hold_tenant(tx, tenant_id)
    closed = [record for standing in store.standings(tx, tenant.id) for record in _close(tx, tenant, standing, closing)]
    last = rules.last_ended(tenant.zone, closing.ended_by)
    store_records.mark_closed(tx, tenant.id, last=last, now=closing.now)
    return closed


def close_final(tx: sa.Connection, tenant_id: int, subscription: Subscription, closing: Closing) -> list[Record]:
    """Closes a subscription that has just ended: its last month up to the end, and any month still owed before.

    For the transaction that ends it, after the end was written. The month itself stays open for corrections until it
    is over.

    Raises:
        RateUnknown: nobody has said what a user costs.
    """
    tenant = hold_tenant(tx, tenant_id)
    standings = [each for each in store.standings(tx, tenant.id) if each.subscription.id == subscription.id]
    return [record for standing in standings for record in _close(tx, tenant, standing, closing)]


def close_ended(tx: sa.Connection, ended: Iterable[Subscription], closing: Closing) -> None:
    """Closes the last months of what an event has just ended.

    Where nobody has said what a user costs the end stands all the same: the hourly run fails for the tenant, and tells.
    """
    for subscription in ended:
        with suppress(RateUnknown):
            close_final(tx, subscription.tenant_id, subscription, closing)


def close_month(
    tx: sa.Connection,
    tenant: Tenant,
    subscription: Subscription,
    period: Period,
    closing: Closing,
    *,
    replaces: Record | None = None,
) -> Record:
    """Closes one period of a tenant that is held.

    Raises:
        RateUnknown: nobody has said what a user costs.
    """
    bill = _bill(tx, tenant, subscription, period)
    record = store_records.add(
        tx,
        tenant.id,
        bill,
        public_id=closing.new_id(),
        replaces_id=None if replaces is None else replaces.id,
        now=closing.now,
    )
    _owe_usage(tx, record, subscription, closing)
    _put_on_record(tx, Action.BILL_CLOSED, record, closing)
    return record


def preview(tx: sa.Connection, tenant: Tenant, *, now: dt.datetime) -> Bill | None:
    """What the month that is running would come to if it ended now; None for who does not pay.

    Raises:
        RateUnknown: nobody has said what a user costs.
    """
    if tenant.plan is Plan.INTERNAL:
        return None
    for standing in store.standings(tx, tenant.id):
        period = rules.running(standing, tenant.zone, now)
        if period is not None:
            return _bill(tx, tenant, standing.subscription, period)
    return None


def void(tx: sa.Connection, record: Record, *, reason: str, closing: Closing) -> None:
    """Voids a record, which stays and bills nobody any more; usage that was never tried is not sent.

    Raises:
        NotVoidable: it is void already.
    """
    hold_tenant(tx, record.tenant_id)
    if not store_records.void(tx, record, reason=reason, now=closing.now):
        raise NotVoidable("the record is void already")
    _put_on_record(tx, Action.BILL_VOIDED, record, closing)


def replace(tx: sa.Connection, record: Record, closing: Closing) -> Record:
    """Closes the month of a void record anew, from the data as it is now; both records are kept.

    Raises:
        NotVoidable: the record is not void, or another one replaces it.
        RateUnknown: nobody has said what a user costs.
    """
    tenant = hold_tenant(tx, record.tenant_id)
    current = store_records.find(tx, tenant.id, record.public_id)
    if current is None or current.state is not State.VOID or store_records.is_replaced(tx, record):
        raise NotVoidable("only a void record that nothing replaces yet can be replaced")
    subscription = read_subscription(tx, tenant.id, record.subscription_id)
    period = rules.billed_again(record.period, subscription)
    return close_month(tx, tenant, subscription, period, closing, replaces=record)


def tenants_owing(tx: sa.Connection, now: dt.datetime) -> list[int]:
    """The tenants that have a month to close, or to mark as closed, each once; found without holding any."""
    return list(dict.fromkeys(each.tenant_id for each in store.candidates(tx) if rules.is_due(each, now)))


def _close(tx: sa.Connection, tenant: Tenant, standing: Standing, closing: Closing) -> list[Record]:
    """The vendor's own tenants are not billed, whatever they subscribed to."""
    if tenant.plan is Plan.INTERNAL:
        return []
    standing = rules.as_of(standing, closing.as_of)
    periods = rules.owed(standing, tenant.zone, closing.ended_by)
    return [close_month(tx, tenant, standing.subscription, period, closing) for period in periods]


def _bill(tx: sa.Connection, tenant: Tenant, subscription: Subscription, period: Period) -> Bill:
    price = _price(tx, tenant, subscription, period)
    lines = rules.lines(
        [
            *store.signed_in(tx, tenant.id, period),
            *store.worked(tx, subscription, period),
            *store.worked_late(tx, subscription, period),
        ]
    )
    return Bill(
        subscription=subscription,
        period=period,
        time_zone=tenant.time_zone,
        price=price,
        minor_unit=rules.minor_unit(price.currency),
        total=rules.total(len(lines), price),
        lines=lines,
        last_event=store.last_event(tx, subscription),
    )


def _price(tx: sa.Connection, tenant: Tenant, subscription: Subscription, period: Period) -> Price:
    price = rules.price_of(store.rates(tx, subscription), period.starts_at)
    if price is None:
        get_logger().error("rate_unknown", tenant=str(tenant.public_id))
        raise RateUnknown(f"no rate is known for the subscription of {tenant.slug}")
    return price


def _owe_usage(tx: sa.Connection, record: Record, subscription: Subscription, closing: Closing) -> None:
    """A plan with seats is billed by Microsoft, from the seats; an agreement is billed by the vendor."""
    marketplace_id = subscription.marketplace_id
    if closing.dimension == _NO_DIMENSION or marketplace_id is None or subscription.terms.quantity is not None:
        return
    told = 0 if record.replaces_id is None else store_records.told(tx, subscription, record.period.month)
    quantity = rules.untold(record.active_users, told)
    if quantity == 0:
        return
    wanted = rules.wanted_slot(record.period, closing.now)
    taken = store_records.taken_slots(tx, record.tenant_id, marketplace_id, closing.dimension, wanted=wanted)
    slot = rules.free_slot(wanted, taken)
    store_records.owe(
        tx, record, subscription, dimension=closing.dimension, quantity=quantity, slot=slot, now=closing.now
    )


def _put_on_record(tx: sa.Connection, action: Action, record: Record, closing: Closing) -> None:
    audit.record(
        tx,
        record.tenant_id,
        action,
        actor=closing.actor,
        at=closing.now,
        row_id=closing.new_id(),
        after={
            "recordId": record.public_id,
            "month": f"{record.period.month // 100}-{record.period.month % 100:02}",
            "kind": record.period.kind,
            "activeUsers": record.active_users,
            "total": record.total,
            "currency": record.price.currency,
        },
    )
