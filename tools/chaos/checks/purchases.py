"""Compares every purchase with the Marketplace's side of it: its terms, its events, its bills and its usage."""

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa

from devcloud.emulators.marketplace.model import State, Subscription
from devcloud.emulators.marketplace.server import Marketplace
from shared.db.schema import billing_records, subscription_events, subscriptions, tenants, usage_events
from tools.chaos.checks.bills import Bills, Users
from tools.chaos.checks.violation import Violation
from tools.chaos.clients.buyer import Bought


_OURS: Final = {"Subscribed": "subscribed", "Suspended": "suspended", "Unsubscribed": "unsubscribed"}


def check(
    tx: sa.Connection, marketplace: Marketplace, bought: list[Bought], people: Users
) -> tuple[list[Violation], int]:
    """What is wrong with any of them, and how many lines their bills must have."""
    with marketplace.operations.looking() as state:
        bills = Bills(tx, state, people)
        found = [
            Violation(what, f"purchase {each.id}: {detail}", tuple(_told(state, each)))
            for each in bought
            for what, detail in _wrong(tx, state, each, bills)
        ]
    return [*found, *_of_nobody(tx, bought)], bills.expected


def _of_nobody(tx: sa.Connection, bought: list[Bought]) -> Iterator[Violation]:
    known = {uuid.UUID(each.id) for each in bought}
    for row in tx.execute(subscriptions.select()):
        if row.marketplace_id not in known:
            yield Violation("invented", f"the subscription {row.marketplace_id or row.id} was bought by nobody")


def _wrong(tx: sa.Connection, state: State, bought: Bought, bills: Bills) -> Iterator[tuple[str, str]]:
    theirs = state.subscriptions[bought.id]
    row = tx.execute(subscriptions.select().where(subscriptions.c.marketplace_id == uuid.UUID(bought.id))).first()
    if row is None:
        if bought.was_shown:
            yield "lost", "the buyer was shown that it is active, and there is no trace of it"
        if theirs.status in {"Subscribed", "Suspended"}:
            yield "lost", f"it is {theirs.status} at Microsoft, and there is no trace of it"
        return
    home = sa.select(tenants.c.entra_tenant_id).where(tenants.c.id == row.tenant_id)
    if str(tx.execute(home).scalar_one()) != theirs.beneficiary.tid:
        yield "changed", "another directory has it than the one it was bought for"
    yield from _terms(theirs, row)
    yield from _ledger(tx, state, row)
    yield from _meter(tx, state, row)
    yield from bills.wrong(row)


def _terms(theirs: Subscription, row: sa.Row[Any]) -> Iterator[tuple[str, str]]:
    if theirs.status not in _OURS:
        if row.status != "pending":
            yield "invented", f"it is {row.status} here and was never activated at Microsoft"
        return
    here = (row.status, row.plan_id, row.quantity)
    there = (_OURS[theirs.status], theirs.plan_id, theirs.quantity)
    if here != there:
        yield "changed", f"it is {here} here and {there} at Microsoft"


def _ledger(tx: sa.Connection, state: State, row: sa.Row[Any]) -> Iterator[tuple[str, str]]:
    """Each of Microsoft's operations stands in it once, and so does the activation."""
    events = list(tx.execute(subscription_events.select().where(subscription_events.c.subscription_id == row.id)))
    known = Counter(str(each.operation_id) for each in events if each.operation_id is not None)
    told = {each.id for each in state.operations.values() if each.subscription_id == str(row.marketplace_id)}
    for operation in sorted(told | known.keys()):
        if known[operation] != 1 or operation not in told:
            yield (
                "doubled" if known[operation] > 1 else "lost",
                f"operation {operation} is {known[operation]} times in the ledger",
            )
    begun = sum(each.event_type == "Activate" for each in events)
    if begun > 1:
        yield "doubled", f"it was activated {begun} times"


def _meter(tx: sa.Connection, state: State, row: sa.Row[Any]) -> Iterator[tuple[str, str]]:
    """What was billed, what is owed and what the meter has taken are one and the same."""
    of_it = (billing_records.c.tenant_id == row.tenant_id, billing_records.c.subscription_id == row.id)
    records = list(tx.execute(billing_records.select().where(*of_it, billing_records.c.state == "closed")))
    if row.status == "unsubscribed" and row.paid_from is not None and not records:
        yield "lost", "it has ended and was never billed"
    metered = {each.id: each.active_users for each in records if each.quantity is None and each.active_users}
    owed = list(tx.execute(usage_events.select().where(usage_events.c.marketplace_id == row.marketplace_id)))
    if {each.record_id: each.quantity for each in owed} != metered:
        yield (
            "changed",
            f"bills come to {metered} users, and {[(each.record_id, each.quantity) for each in owed]} is owed",
        )
    taken = [usage for usage in state.usage if usage.resource_id == str(row.marketplace_id)]
    waiting = [each for each in owed if each.state != "accepted"]
    if waiting:
        yield "lost", f"the meter was never told: {[(each.quantity, each.state, each.last_result) for each in waiting]}"
    ours = Counter(
        (each.slot, each.dimension, each.plan_id, each.quantity) for each in owed if each.state == "accepted"
    )
    theirs = Counter((usage.slot, usage.dimension, usage.plan_id, int(usage.quantity)) for usage in taken)
    if ours != theirs:
        what = "doubled" if theirs.total() > ours.total() else "changed"
        yield what, f"the meter has {_usage(theirs)}, and {_usage(ours)} counts as accepted"


def _usage(told: Counter[tuple[dt.datetime, str, str, int]]) -> str:
    each = (f"{units} {dimension} of {plan} at {slot:%d %H:%M}" for slot, dimension, plan, units in told.elements())
    return ", ".join(each) or "nothing"


def _told(state: State, bought: Bought) -> Iterator[str]:
    theirs = state.subscriptions[bought.id]
    yield f"at Microsoft: {theirs.status}, {theirs.plan_id}, {theirs.quantity}; shown as active: {bought.was_shown}"
    for each in state.operations.values():
        if each.subscription_id == bought.id:
            yield f"{each.created_at:%H:%M:%S} {each.action} {each.plan_id} {each.quantity} {each.status} {each.id}"
