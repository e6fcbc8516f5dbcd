"""Adopts, for one subscription, what the meter has and no event here is of: it counts as sent from then on."""

import datetime as dt
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import sqlalchemy as sa

from billing.adoption import store
from billing.adoption.rules import (
    AdoptedDay,
    DayKey,
    Difference,
    Listed,
    NotAdopted,
    OverSent,
    TenantAdoption,
    difference,
    events_by_day,
)
from billing.adoption.store import AdoptedRow, Metered
from billing.closing import record_store, rules
from billing.closing import store as billing_store
from billing.closing.model import Period, Record, Zones
from billing.metering.model import UsageEvent
from billing.subscriptions.model import Subscription
from billing.subscriptions.store import read as read_subscription
from shared import audit
from shared.calendar import Month
from shared.tenancy.model import Tenant
from shared.tenancy.store import lock_tenant
from shared.work import OPERATOR


_NEW_ROW: Final = 0


@dataclass(frozen=True, slots=True)
class Adopting:
    """Since which day the meter was listed, and by when; `assigned` names a month for days that fit none."""

    since: dt.date
    now: dt.datetime
    new_id: Callable[[], uuid.UUID]
    assigned: Mapping[dt.date, Month]


def adopt(tx: sa.Connection, metered: Metered, listed: Mapping[DayKey, Listed], adopting: Adopting) -> TenantAdoption:
    """Settles the open events of each listed day, and adopts the rest; adopting the same list again changes nothing.

    The tenant is held, so that no month is closed meanwhile.

    Raises:
        NotAdopted: usage is being sent right now, or a day is assigned to a month that the subscription has no bill of.
    """
    tenant = lock_tenant(tx, metered.tenant_id)
    subscription = read_subscription(tx, tenant.id, metered.id)
    events = store.events(tx, metered, adopting.since)
    _require_rest(events, metered, adopting.now)
    before = {(row.dimension, row.day): row for row in store.of_subscription(tx, metered)}
    known, records = events_by_day(events), store.records(tx, metered)
    ended = _ended(tx, tenant, subscription, records, adopting.now)
    settled: list[UsageEvent] = []
    adopted: list[AdoptedRow] = []
    odd: list[DayKey] = []
    for key, day in sorted(listed.items()):
        row = before.get(key)
        found = difference(day.quantity, known.get(key, []), 0 if row is None else row.quantity)
        if found.odd:
            odd.append(key)
        settled += _settle(tx, found, metered, adopting.now)
        if found.surplus:
            month = rules.month_sent_on(key[1], ended) or _assigned(key[1], subscription, tenant, adopting)
            new = AdoptedRow(_NEW_ROW, metered.marketplace_id, *key, found.surplus, day.plan_id, month, adopting.now)
            adopted.append(_kept(tx, tenant.id, _with_plan(new, subscription), row, adopting))
    return TenantAdoption(
        tenant.public_id,
        tenant.slug,
        tuple(settled),
        tuple(AdoptedDay(each.marketplace_id, each.dimension, each.day, each.quantity, each.month) for each in adopted),
        _over(tx, subscription, records, adopted),
        tuple(odd),
    )


def assign(tx: sa.Connection, tenant_id: int, day: dt.date, month: Month, *, adopting: Adopting) -> int:
    """Has a tenant's adopted usage of a day that fits no period count for a month; how many rows.

    Raises:
        NotAdopted: there is none, or the subscription has no bill of that month.
    """
    tenant = lock_tenant(tx, tenant_id)
    rows = [row for row in store.of_tenant(tx, tenant.id) if row.day == day and row.month is None]
    if not rows:
        raise NotAdopted(f"{tenant.slug} has no adopted usage of {day} that counts for no month")
    for row in rows:
        found = billing_store.billed_through(tx, tenant.id)
        of = next(each.subscription for each in found if each.subscription.marketplace_id == row.marketplace_id)
        _require_paid(month, of, tenant, adopting.now)
        store.assign(tx, tenant.id, row.id, month)
        _put_on_record(tx, tenant.id, replace(row, month=month), adopting)
    return len(rows)


def _require_rest(events: Iterable[UsageEvent], metered: Metered, now: dt.datetime) -> None:
    if any(each.claimed_until is not None and each.claimed_until > now for each in events):
        raise NotAdopted(f"usage of {metered.slug} is being sent right now; try again in two minutes")


def _ended(
    tx: sa.Connection, tenant: Tenant, subscription: Subscription, records: Iterable[Record], now: dt.datetime
) -> list[Period]:
    """The periods of a subscription that have ended, billed or not."""
    mine = [each for each in billing_store.billed_through(tx, tenant.id) if each.subscription.id == subscription.id]
    zones: Zones = billing_store.zones(tx, tenant)
    ended = [period for each in mine for period in rules.ended_periods(each, zones, now)]
    return [*(record.period for record in records), *ended]


def _assigned(day: dt.date, subscription: Subscription, tenant: Tenant, adopting: Adopting) -> Month | None:
    month = adopting.assigned.get(day)
    if month is not None:
        _require_paid(month, subscription, tenant, adopting.now)
    return month


def _require_paid(month: Month, subscription: Subscription, tenant: Tenant, now: dt.datetime) -> None:
    """Raises NotAdopted for a month in which the subscription was not paid for."""
    first, last = (Month.of(at, tenant.zone) for at in (subscription.paid_from or now, subscription.ended_at or now))
    if not first <= month <= last:
        raise NotAdopted(f"{tenant.slug} paid for nothing in {month}")


def _settle(tx: sa.Connection, found: Difference, metered: Metered, now: dt.datetime) -> tuple[UsageEvent, ...]:
    for each in found.arrived:
        if not store.settle(tx, each, now=now):
            raise NotAdopted(f"usage of {metered.slug} is being sent right now; try again in two minutes")
    return found.arrived


def _with_plan(row: AdoptedRow, subscription: Subscription) -> AdoptedRow:
    return row if row.plan_id else replace(row, plan_id=subscription.terms.plan_id)


def _kept(
    tx: sa.Connection, tenant_id: int, new: AdoptedRow, before: AdoptedRow | None, adopting: Adopting
) -> AdoptedRow:
    """The units that were adopted now; a day that has some already gets more of them, for the same month."""
    if before is None:
        store.add(tx, tenant_id, new)
    else:
        new = replace(new, month=before.month)
        if not store.grow(tx, tenant_id, before, new.quantity):
            raise NotAdopted("somebody else adopts usage right now; try again")
    _put_on_record(tx, tenant_id, new, adopting)
    return new


def _over(
    tx: sa.Connection, subscription: Subscription, records: Iterable[Record], adopted: Iterable[AdoptedRow]
) -> tuple[OverSent, ...]:
    """The closed months that adopted usage counts for and of which the meter has more users than the bill."""
    closed = store.closed(list(records))
    touched = sorted({(each.month, each.dimension) for each in adopted if each.month in closed})
    over = []
    for month, dimension in touched:
        record = closed[month]
        record_store.assign_adopted(tx, subscription, record.period, dimension=dimension)
        sent = record_store.sum_sent(tx, subscription, record.period, dimension=dimension)
        billed = record.active_users - record.included_users
        if sent > billed:
            over.append(OverSent(month, sent, billed))
    return tuple(over)


def _put_on_record(tx: sa.Connection, tenant_id: int, row: AdoptedRow, adopting: Adopting) -> None:
    month = None if row.month is None else str(row.month)
    audit.record_row(
        tx,
        tenant_id,
        audit.Action.USAGE_ADOPTED,
        actor=OPERATOR,
        at=adopting.now,
        row_id=adopting.new_id(),
        after={"day": row.day.isoformat(), "quantity": row.quantity, "plan": row.plan_id, "month": month},
    )
