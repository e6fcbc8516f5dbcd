"""Closes months, each once: what is owed becomes a record with its lines and its usage event, in one transaction."""

import dataclasses
import datetime as dt
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from billing.closing import record_store, rules, store
from billing.closing.model import Activity, Bill, NotVoidable, Period, Record, Standing, State, Zones
from billing.metering.model import Alarm
from billing.metering.rules import unreported
from billing.subscriptions.ledger_store import add_rate
from billing.subscriptions.model import Price, Quote, Subscription
from billing.subscriptions.store import read as read_subscription
from shared import audit
from shared.audit import Action
from shared.log import get_logger
from shared.money import amount_text
from shared.tenancy.model import Plan, Tenant
from shared.tenancy.store import lock_tenant, read_tenant
from shared.work import SERVICE, Actor


NewId = Callable[[], uuid.UUID]
_NO_DIMENSION: Final = ""
_UNKNOWN: Final = Quote(None)
_MS: Final = dt.timedelta(milliseconds=1)
_PRICED: Final = "The price was not known when the bill was made."


@dataclass(frozen=True, slots=True)
class Closing:
    """How months are closed: by whom, when, and for which dimension of the Marketplace's meter; empty is none.

    `as_of` closes no more than what had ended by then.
    """

    dimension: str
    now: dt.datetime
    new_id: NewId
    actor: Actor = SERVICE
    as_of: dt.datetime | None = None

    @property
    def ended_by(self) -> dt.datetime:
        return self.as_of or self.now


def close_tenant(tx: sa.Connection, tenant_id: int, closing: Closing) -> list[Record]:
    """Closes whatever months of a tenant have ended and have no record, oldest first, and marks them closed.

    Bills that had no price are replaced first, where it is known by now.

    The tenant is held: a correction of a past month comes before the bill or is an adjustment, and of two who close at
    once the second finds nothing owed.
    """
    tenant = lock_tenant(tx, tenant_id)
    standings = store.standings(tx, tenant.id)
    closed = price_bills(tx, tenant, closing) if any(each.lacks_price for each in standings) else []
    for standing in standings:
        closed += _close(tx, tenant, standing, closing)
    last = rules.last_ended(tenant.zone, closing.ended_by)
    record_store.mark_closed(tx, tenant.id, last=last, now=closing.now)
    return closed


def close_final(tx: sa.Connection, tenant_id: int, subscription: Subscription, closing: Closing) -> list[Record]:
    """Closes a subscription that has just ended: its last month up to the end, and any month still owed before.

    For the transaction that ends it, after the end was written. The month itself stays open for corrections until it
    is over.
    """
    tenant = lock_tenant(tx, tenant_id)
    standings = [each for each in store.standings(tx, tenant.id) if each.subscription.id == subscription.id]
    return [record for standing in standings for record in _close(tx, tenant, standing, closing)]


def close_ended(tx: sa.Connection, ended: Iterable[Subscription], closing: Closing) -> None:
    """Closes the last months of what an event has just ended."""
    for subscription in ended:
        close_final(tx, subscription.tenant_id, subscription, closing)


def close_month(  # noqa: PLR0917 - likewise
    tx: sa.Connection,
    tenant: Tenant,
    subscription: Subscription,
    period: Period,
    closing: Closing,
    zones: Zones,
    *,
    replaces: Record | None = None,
    has_adopted: bool = False,
) -> Record:
    """Closes one period of a tenant that is held; without a rate and a total, where the price could not be read."""
    bill = _bill(tx, tenant, subscription, period, zones, closing.now)
    return _keep(tx, tenant, bill, closing, replaces, has_adopted=has_adopted)


def _keep(
    tx: sa.Connection,
    tenant: Tenant,
    bill: Bill,
    closing: Closing,
    replaces: Record | None,
    *,
    has_adopted: bool = False,
) -> Record:
    record = record_store.add(
        tx,
        tenant.id,
        bill,
        public_id=closing.new_id(),
        replaces_id=None if replaces is None else replaces.id,
        now=closing.now,
    )
    _owe_usage(tx, record, bill.subscription, closing, is_first=replaces is None and not has_adopted)
    _put_on_record(tx, Action.BILL_CLOSED, record, closing)
    return record


def preview(tx: sa.Connection, tenant: Tenant, *, now: dt.datetime) -> Bill | None:
    """What the month that is running would come to if it ended now; None for who does not pay."""
    if tenant.plan is Plan.INTERNAL:
        return None
    for standing in store.standings(tx, tenant.id):
        zones = store.zones(tx, tenant, has_earlier=standing.has_earlier_zones)
        period = rules.running(standing, zones, now)
        if period is not None:
            return _bill(tx, tenant, standing.subscription, period, zones, now)
    return None


def void(tx: sa.Connection, record: Record, *, reason: str, closing: Closing) -> None:
    """Voids a record, which stays and bills nobody any more; usage that was never tried is not sent.

    Raises:
        NotVoidable: it is void already.
    """
    lock_tenant(tx, record.tenant_id)
    if not record_store.void(tx, record, reason=reason, now=closing.now):
        raise NotVoidable("the record is void already")
    _put_on_record(tx, Action.BILL_VOIDED, record, closing)


def replace(tx: sa.Connection, record: Record, closing: Closing) -> Record:
    """Closes the month of a void record anew, from the data as it is now; both records are kept.

    Raises:
        NotVoidable: the record is not void, or another one replaces it.
    """
    tenant = lock_tenant(tx, record.tenant_id)
    current = record_store.find(tx, tenant.id, record.public_id)
    if current is None or current.state is not State.VOID or record_store.is_replaced(tx, record):
        raise NotVoidable("only a void record that nothing replaces yet can be replaced")
    subscription = read_subscription(tx, tenant.id, record.subscription_id)
    period = rules.billed_again(record.period, subscription)
    return close_month(tx, tenant, subscription, period, closing, store.zones(tx, tenant), replaces=record)


def tenants_owing(tx: sa.Connection, now: dt.datetime) -> list[int]:
    """The tenants that have a month to close or to mark as closed, or a bill that may get its price; each once.

    Found without holding any.
    """
    due = [each.tenant_id for each in store.candidates(tx) if rules.is_due(each, now)]
    return list(dict.fromkeys([*due, *record_store.tenants_with_priceable_bills(tx)]))


def set_price(tx: sa.Connection, subscription: Subscription, record: Record, price: Price) -> None:
    """What a user costs of the plan of a bill whose price could not be read, as an operator knows it.

    For the term that was bought, and from just after the row that says so: what came later of other plans stays in
    force. The unit of `price` is of no account.
    """
    rate = rules.rate_of(store.rates(tx, subscription), record.period.starts_at)
    plan_id, quote = (subscription.terms.plan_id, _UNKNOWN) if rate is None else (rate.plan_id, rate.quote)
    unit = subscription.terms.price_unit if rate is None else rate.unit
    of_plan = dataclasses.replace(subscription, terms=dataclasses.replace(subscription.terms, plan_id=plan_id))
    add_rate(
        tx,
        of_plan,
        dataclasses.replace(quote, price=dataclasses.replace(price, unit=unit or price.unit)),
        from_at=record.period.starts_at if rate is None else rate.from_at + _MS,
    )


def price_bills(tx: sa.Connection, tenant: Tenant, closing: Closing) -> list[Record]:
    """Replaces the bills of a tenant that is held which had no price, by the same with the price, where it is known.

    Who is on them stays; the meter is told what it was not told before.
    """
    priced: list[Record] = []
    for record in record_store.without_price(tx, tenant.id):
        subscription = read_subscription(tx, tenant.id, record.subscription_id)
        lines = record_store.lines(tx, record)
        bill = _priced(tx, subscription, record.period, lines)
        if bill.price is not None:
            void(tx, record, reason=_PRICED, closing=closing)
            priced.append(_keep(tx, tenant, bill, closing, record))
    return priced


def tell_without_price(tx: sa.Connection) -> None:
    """Logs, tenant by tenant, how many bills have no price."""
    for tenant, count in record_store.tenants_without_price(tx):
        get_logger().error("bill_without_price", tenant=str(tenant), count=count)


def _close(tx: sa.Connection, tenant: Tenant, standing: Standing, closing: Closing) -> list[Record]:
    """The vendor's own tenants are not billed, whatever they subscribed to."""
    if tenant.plan is Plan.INTERNAL:
        return []
    standing = rules.as_of(standing, closing.as_of)
    zones = store.zones(tx, tenant, has_earlier=standing.has_earlier_zones)
    periods = rules.owed(standing, zones, closing.ended_by)
    adopted, subscription = standing.has_adopted, standing.subscription
    return [close_month(tx, tenant, subscription, each, closing, zones, has_adopted=adopted) for each in periods]


def _bill(  # noqa: PLR0917 - what a bill is of, and when
    tx: sa.Connection, tenant: Tenant, subscription: Subscription, period: Period, zones: Zones, now: dt.datetime
) -> Bill:
    running = store.running(tx, tenant, period, now)
    lines = rules.lines(
        [
            *running,
            *store.signed_in(tx, tenant.id, period),
            *store.worked(tx, subscription, period),
            *store.worked_late(tx, subscription, period, zones),
        ]
    )
    return _priced(tx, subscription, period, lines)


def _priced(tx: sa.Connection, subscription: Subscription, period: Period, lines: tuple[Activity, ...]) -> Bill:
    rates = store.rates(tx, subscription)
    rate = rules.rate_of(rates, period.starts_at)
    plan_id, quote = (subscription.terms.plan_id, _UNKNOWN) if rate is None else (rate.plan_id, rate.quote)
    earlier = {line.month for line in lines} - {period.month}
    before = store.billed_before(tx, subscription, earlier, rates) if earlier else {}
    included = rules.covered(lines, quote, before, period.month)
    if rules.is_free(subscription, period):
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


def _owe_usage(
    tx: sa.Connection, record: Record, subscription: Subscription, closing: Closing, *, is_first: bool
) -> None:
    """A plan with seats is billed by Microsoft, from the seats; an agreement is billed by the vendor.

    `is_first`: the meter can have nothing of the record's month.
    """
    marketplace_id = subscription.marketplace_id
    if closing.dimension == _NO_DIMENSION or marketplace_id is None or subscription.terms.quantity is not None:
        return
    billed = record.active_users - record.included_users
    sent = 0
    if not is_first:
        record_store.assign_adopted(tx, subscription, record.period, dimension=closing.dimension)
        sent = record_store.sum_sent(tx, subscription, record.period, dimension=closing.dimension)
    if sent > billed:
        alarm_more_sent(read_tenant(tx, record.tenant_id).public_id, sent=sent, billed=billed)
    quantity = unreported(billed, sent)
    if quantity == 0:
        return
    wanted = rules.wanted_slot(record.period, closing.now)
    if not is_first and record_store.has_adopted_on(tx, subscription, wanted.date(), dimension=closing.dimension):
        wanted = rules.wanted_slot(record.period, closing.now, last_is_free=False)
    taken = record_store.taken_slots(tx, record.tenant_id, marketplace_id, closing.dimension, wanted=wanted)
    slot = rules.free_slot(wanted, taken)
    record_store.owe(
        tx, record, subscription, dimension=closing.dimension, quantity=quantity, slot=slot, now=closing.now
    )


def alarm_more_sent(tenant: uuid.UUID, *, sent: int, billed: int) -> None:
    """Logs that the meter has more users of a month than its bill; nothing can be taken back there."""
    get_logger().error(Alarm.MORE_SENT.value, tenant=str(tenant), sent=sent, billed=billed)


def _put_on_record(tx: sa.Connection, action: Action, record: Record, closing: Closing) -> None:
    currency = None if record.price is None else record.price.currency
    audit.record_row(
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
            "total": amount_text(record.amount, currency),
            "currency": currency,
        },
    )
