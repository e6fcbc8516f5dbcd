"""Compares every purchase with the Marketplace: terms, events, bills and usage."""

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa

from devcloud.emulators.marketplace.model import State, Subscription
from devcloud.emulators.marketplace.server import Marketplace
from shared.db.schema import billing_records, subscription_events, subscriptions, tenants, usage_events
from tools.chaos.checks.bills import BillChecks, UserData
from tools.chaos.checks.violation import Violation
from tools.chaos.clients.buyer import Purchase


_OUR_STATUS: Final = {"Subscribed": "subscribed", "Suspended": "suspended", "Unsubscribed": "unsubscribed"}


def check_purchases(
    tx: sa.Connection, marketplace: Marketplace, purchases: list[Purchase], user_data: UserData
) -> tuple[list[Violation], int]:
    """The violations, and the number of required bill lines."""
    with marketplace.operations.reading() as state:
        bills = BillChecks(tx, state, user_data)
        violations = [
            Violation(kind, f"purchase {each.id}: {detail}", tuple(_describe(state, each)))
            for each in purchases
            for kind, detail in _check_purchase(tx, state, each, bills)
        ]
    return [*violations, *_check_unknown_subscriptions(tx, purchases)], bills.expected


def _check_unknown_subscriptions(tx: sa.Connection, purchases: list[Purchase]) -> Iterator[Violation]:
    known = {uuid.UUID(each.id) for each in purchases}
    for row in tx.execute(subscriptions.select()):
        if row.marketplace_id not in known:
            yield Violation("invented", f"the subscription {row.marketplace_id or row.id} has no purchase")


def _check_purchase(
    tx: sa.Connection, state: State, purchase: Purchase, bills: BillChecks
) -> Iterator[tuple[str, str]]:
    sold = state.subscriptions[purchase.id]
    row = tx.execute(subscriptions.select().where(subscriptions.c.marketplace_id == uuid.UUID(purchase.id))).first()
    if row is None:
        if purchase.was_confirmed:
            yield "lost", "the buyer was told that it is active, but it is not stored"
        if sold.status in {"Subscribed", "Suspended"}:
            yield "lost", f"it is {sold.status} at Microsoft, but is not stored"
        return
    home = sa.select(tenants.c.entra_tenant_id).where(tenants.c.id == row.tenant_id)
    if str(tx.execute(home).scalar_one()) != sold.beneficiary.tid:
        yield "changed", "it belongs to another directory than the buyer's"
    yield from _check_terms(sold, row)
    yield from _check_events(tx, state, row)
    yield from _check_usage(tx, state, row)
    yield from bills.check(row)


def _check_terms(sold: Subscription, row: sa.Row[Any]) -> Iterator[tuple[str, str]]:
    if sold.status not in _OUR_STATUS:
        if row.status != "pending":
            yield "invented", f"it is {row.status} here, but was never activated at Microsoft"
        return
    ours = (row.status, row.plan_id, row.quantity)
    expected_terms = (_OUR_STATUS[sold.status], sold.plan_id, sold.quantity)
    if ours != expected_terms:
        yield "changed", f"it is {ours} here, but {expected_terms} at Microsoft"


def _check_events(tx: sa.Connection, state: State, row: sa.Row[Any]) -> Iterator[tuple[str, str]]:
    """Each operation of Microsoft has one event; there is at most one activation."""
    events = list(tx.execute(subscription_events.select().where(subscription_events.c.subscription_id == row.id)))
    counts = Counter(str(each.operation_id) for each in events if each.operation_id is not None)
    expected = {each.id for each in state.operations.values() if each.subscription_id == str(row.marketplace_id)}
    for operation in sorted(expected | counts.keys()):
        if counts[operation] != 1 or operation not in expected:
            yield (
                "doubled" if counts[operation] > 1 else "lost",
                f"operation {operation} is {counts[operation]} times in the events",
            )
    activations = sum(each.event_type == "Activate" for each in events)
    if activations > 1:
        yield "doubled", f"it was activated {activations} times"


def _check_usage(tx: sa.Connection, state: State, row: sa.Row[Any]) -> Iterator[tuple[str, str]]:
    """Bills, usage events and the meter agree."""
    own_records = (billing_records.c.tenant_id == row.tenant_id, billing_records.c.subscription_id == row.id)
    records = list(tx.execute(billing_records.select().where(*own_records, billing_records.c.state == "closed")))
    if row.status == "unsubscribed" and row.paid_from is not None and not records:
        yield "lost", "it has ended and was never billed"
    metered = {each.id: each.active_users for each in records if each.quantity is None and each.active_users}
    events = list(tx.execute(usage_events.select().where(usage_events.c.marketplace_id == row.marketplace_id)))
    if {each.record_id: each.quantity for each in events} != metered:
        yield (
            "changed",
            f"bills have {metered} users, usage events have {[(each.record_id, each.quantity) for each in events]}",
        )
    accepted = [usage for usage in state.usage if usage.resource_id == str(row.marketplace_id)]
    unsent = [each for each in events if each.state != "accepted"]
    if unsent:
        yield "lost", f"usage was not sent: {[(each.quantity, each.state, each.last_result) for each in unsent]}"
    ours = Counter(
        (each.slot, each.dimension, each.plan_id, each.quantity) for each in events if each.state == "accepted"
    )
    metered_usage = Counter((usage.slot, usage.dimension, usage.plan_id, int(usage.quantity)) for usage in accepted)
    if ours != metered_usage:
        kind = "doubled" if metered_usage.total() > ours.total() else "changed"
        yield kind, f"the meter has {_format_usage(metered_usage)}, but {_format_usage(ours)} counts as accepted"


def _format_usage(usage: Counter[tuple[dt.datetime, str, str, int]]) -> str:
    each = (f"{units} {dimension} of {plan} at {slot:%d %H:%M}" for slot, dimension, plan, units in usage.elements())
    return ", ".join(each) or "nothing"


def _describe(state: State, purchase: Purchase) -> Iterator[str]:
    sold = state.subscriptions[purchase.id]
    yield f"at Microsoft: {sold.status}, {sold.plan_id}, {sold.quantity}; shown as active: {purchase.was_confirmed}"
    for each in state.operations.values():
        if each.subscription_id == purchase.id:
            yield f"{each.created_at:%H:%M:%S} {each.action} {each.plan_id} {each.quantity} {each.status} {each.id}"
