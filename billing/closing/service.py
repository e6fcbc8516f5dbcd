"""Closes months, each once: a record with its lines and its usage event, in one transaction."""

import dataclasses
import datetime as dt
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from billing.closing import record_store, rules, store
from billing.closing.model import Activity, Bill, BilledThrough, NotVoidable, Period, Record, State, Zones
from billing.metering.model import Alarm
from billing.metering.rules import unreported
from billing.subscriptions.ledger_store import add_rate
from billing.subscriptions.model import Price, Quote, Subscription
from billing.subscriptions.store import read as read_subscription
from shared import audit
from shared.audit import Action
from shared.log import get_logger
from shared.money import amount_text
from shared.tenancy.model import Plan
from shared.work import Work


_NO_DIMENSION: Final = ""
_UNKNOWN: Final = Quote(None)
_MS: Final = dt.timedelta(milliseconds=1)
_PRICED: Final = "The price was not known when the bill was made."


@dataclass(frozen=True, slots=True)
class Closing:
    """Options of a close: the dimension of the Marketplace's meter, or "" for none.

    With `as_of`, only periods that had ended by that instant are closed.
    """

    dimension: str
    as_of: dt.datetime | None = None


def close_tenant(work: Work, closing: Closing) -> list[Record]:
    """Closes every month of a tenant that has ended and has no record, oldest first, and marks them closed.

    First, bills without a price are replaced where it is known by now.

    The transaction has locked the tenant: a correction of a past month comes before the bill or is an adjustment, and
    of two concurrent runs the second finds nothing to close.
    """
    tenant = work.tenant
    subscriptions = store.billed_through(work.tx, tenant.id)
    closed = price_bills(work, closing) if any(each.lacks_price for each in subscriptions) else []
    for each in subscriptions:
        closed += _close_ended_periods(work, each, closing)
    last = rules.last_ended(tenant.zone, closing.as_of or work.now)
    record_store.mark_closed(work.tx, tenant.id, last=last, now=work.now)
    return closed


def close_ended(work: Work, ended: Collection[Subscription], closing: Closing) -> list[Record]:
    """Closes subscriptions that have just ended: the last month up to the end, and open months before it.

    For the transaction that ended them, which has locked the tenant. The month itself stays open for corrections until
    it is over.
    """
    if not ended:
        return []
    ids = {subscription.id for subscription in ended}
    found = [each for each in store.billed_through(work.tx, work.tenant.id) if each.subscription.id in ids]
    return [record for each in found for record in _close_ended_periods(work, each, closing)]


def _store(work: Work, bill: Bill, closing: Closing, replaces: Record | None, *, has_adopted: bool = False) -> Record:
    record = record_store.add(
        work.tx,
        work.tenant.id,
        bill,
        public_id=work.new_id(),
        replaces_id=None if replaces is None else replaces.id,
        now=work.now,
    )
    _enqueue_usage(work, record, bill.subscription, closing, is_first=replaces is None and not has_adopted)
    _record_audit(work, Action.BILL_CLOSED, record)
    return record


def preview(work: Work) -> Bill | None:
    """The bill of the running month if it ended now; None for a tenant that does not pay."""
    if work.tenant.plan is Plan.INTERNAL:
        return None
    for each in store.billed_through(work.tx, work.tenant.id):
        zones = store.zones(work.tx, work.tenant, has_earlier=each.has_earlier_zones)
        period = rules.open_period(each, zones, work.now)
        if period is not None:
            return _build_bill(work, each.subscription, period, zones)
    return None


def void(work: Work, record: Record, *, reason: str) -> None:
    """Voids a record, which stays and is excluded from billing; its usage event is removed unless it was ever sent.

    The transaction has locked the tenant.

    Raises:
        NotVoidable: it is void already.
    """
    if not record_store.void(work.tx, record, reason=reason, now=work.now):
        raise NotVoidable("the record is void already")
    _record_audit(work, Action.BILL_VOIDED, record)


def replace(work: Work, record: Record, closing: Closing) -> Record:
    """Closes the month of a void record again, from the present data; both records are kept.

    The transaction has locked the tenant.

    Raises:
        NotVoidable: the record is not void, or another one replaces it.
    """
    tx, tenant = work.tx, work.tenant
    current = record_store.find(tx, tenant.id, record.public_id)
    if current is None or current.state is not State.VOID or record_store.is_replaced(tx, record):
        raise NotVoidable("only a void record that nothing replaces yet can be replaced")
    subscription = read_subscription(tx, tenant.id, record.subscription_id)
    period = rules.replacement_period(record.period, subscription)
    bill = _build_bill(work, subscription, period, store.zones(tx, tenant))
    return _store(work, bill, closing, replaces=record)


def due_tenants(tx: sa.Connection, now: dt.datetime) -> list[int]:
    """The tenants with a month to close or to mark as closed, or a bill that may get its price; each once.

    None of them is locked.
    """
    due = [each.tenant_id for each in store.candidates(tx) if rules.is_due(each, now)]
    return list(dict.fromkeys([*due, *record_store.tenants_with_priceable_bills(tx)]))


def set_price(tx: sa.Connection, subscription: Subscription, record: Record, price: Price) -> None:
    """Sets the price per user for the plan of a bill without a price, given by an operator.

    It takes effect just after the rate row without a price, so later rates of other plans stay in force. The unit of
    `price` is ignored.
    """
    rate = rules.rate_in_force(store.rates(tx, subscription), record.period.starts_at)
    plan_id, quote = (subscription.terms.plan_id, _UNKNOWN) if rate is None else (rate.plan_id, rate.quote)
    unit = subscription.terms.price_unit if rate is None else rate.unit
    of_plan = dataclasses.replace(subscription, terms=dataclasses.replace(subscription.terms, plan_id=plan_id))
    add_rate(
        tx,
        of_plan,
        dataclasses.replace(quote, price=dataclasses.replace(price, unit=unit or price.unit)),
        from_at=record.period.starts_at if rate is None else rate.from_at + _MS,
    )


def price_bills(work: Work, closing: Closing) -> list[Record]:
    """Replaces bills without a price by the same bills with it, where it is known now.

    Their people stay; only unreported usage is reported. The transaction has locked the tenant.
    """
    priced: list[Record] = []
    for record in record_store.without_price(work.tx, work.tenant.id):
        subscription = read_subscription(work.tx, work.tenant.id, record.subscription_id)
        lines = record_store.lines(work.tx, record)
        bill = _price(work.tx, subscription, record.period, lines)
        if bill.price is not None:
            void(work, record, reason=_PRICED)
            priced.append(_store(work, bill, closing, record))
    return priced


def log_bills_without_price(tx: sa.Connection) -> None:
    """Logs the number of bills without a price, tenant by tenant."""
    for tenant, count in record_store.tenants_without_price(tx):
        get_logger().error("bill_without_price", tenant=str(tenant), count=count)


def _close_ended_periods(work: Work, billed: BilledThrough, closing: Closing) -> list[Record]:
    """The vendor's own tenants are never billed."""
    if work.tenant.plan is Plan.INTERNAL:
        return []
    billed = rules.as_of(billed, closing.as_of)
    zones = store.zones(work.tx, work.tenant, has_earlier=billed.has_earlier_zones)
    closed = []
    for period in rules.ended_periods(billed, zones, closing.as_of or work.now):
        bill = _build_bill(work, billed.subscription, period, zones)
        closed.append(_store(work, bill, closing, None, has_adopted=billed.has_adopted))
    return closed


def _build_bill(work: Work, subscription: Subscription, period: Period, zones: Zones) -> Bill:
    tx, tenant = work.tx, work.tenant
    running = store.running_timers_in(tx, tenant, period, work.now)
    lines = rules.merge_lines(
        [
            *running,
            *store.sign_ins(tx, tenant.id, period),
            *store.work(tx, subscription, period),
            *store.late_work(tx, subscription, period, zones),
        ]
    )
    return _price(tx, subscription, period, lines)


def _price(tx: sa.Connection, subscription: Subscription, period: Period, lines: tuple[Activity, ...]) -> Bill:
    rates = store.rates(tx, subscription)
    rate = rules.rate_in_force(rates, period.starts_at)
    plan_id, quote = (subscription.terms.plan_id, _UNKNOWN) if rate is None else (rate.plan_id, rate.quote)
    earlier = {line.month for line in lines} - {period.month}
    before = store.billed_users_before(tx, subscription, earlier, rates) if earlier else {}
    included = rules.count_included(lines, quote, before, period.month)
    if rules.is_in_free_trial(subscription, period):
        included = len(lines)
    return Bill(
        subscription=subscription,
        period=period,
        plan_id=plan_id,
        price=quote.price,
        included_users=included,
        total=rules.total(len(lines) - included, quote.price),
        lines=lines,
        last_event=store.last_event(tx, subscription),
    )


def _enqueue_usage(work: Work, record: Record, subscription: Subscription, closing: Closing, *, is_first: bool) -> None:
    """Adds the record's usage to the outbox, unless Microsoft bills seats or the vendor bills an agreement.

    `is_first`: the meter can have no usage of the record's month.
    """
    tx = work.tx
    marketplace_id = subscription.marketplace_id
    if closing.dimension == _NO_DIMENSION or marketplace_id is None or subscription.terms.quantity is not None:
        return
    billed = record.active_users - record.included_users
    sent = 0
    if not is_first:
        record_store.assign_adopted(tx, subscription, record.period, dimension=closing.dimension)
        sent = record_store.sum_sent(tx, subscription, record.period, dimension=closing.dimension)
    if sent > billed:
        alarm_more_sent(work.tenant.public_id, sent=sent, billed=billed)
    quantity = unreported(billed, sent)
    if quantity == 0:
        return
    preferred = rules.preferred_slot(record.period, work.now)
    if not is_first and record_store.has_adopted_on(tx, subscription, preferred.date(), dimension=closing.dimension):
        preferred = rules.preferred_slot(record.period, work.now, last_is_free=False)
    used = record_store.used_slots(tx, record.tenant_id, marketplace_id, closing.dimension, preferred=preferred)
    slot = rules.free_slot(preferred, used)
    record_store.enqueue_usage(
        tx, record, subscription, dimension=closing.dimension, quantity=quantity, slot=slot, now=work.now
    )


def alarm_more_sent(tenant: uuid.UUID, *, sent: int, billed: int) -> None:
    """Logs that the meter has more users of a month than its bill; reported usage cannot be taken back."""
    get_logger().error(Alarm.MORE_SENT.value, tenant=str(tenant), sent=sent, billed=billed)


def _record_audit(work: Work, action: Action, record: Record) -> None:
    audit.record(
        work,
        action,
        after={
            "recordId": record.public_id,
            "month": str(record.period.month),
            "kind": record.period.kind,
            "activeUsers": record.active_users,
            "total": amount_text(record.amount, record.currency),
            "currency": record.currency,
        },
    )
