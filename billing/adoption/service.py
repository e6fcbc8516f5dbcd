"""Adopts usage that the meter lists and no event explains: it counts as reported from then on."""

import datetime as dt
from collections.abc import Iterable, Mapping
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
    OverreportedMonth,
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
from shared.work import Work


_NEW_ROW: Final = 0


@dataclass(frozen=True, slots=True)
class MeterList:
    """The meter's list of one subscription since a day of UTC; `assigned` has a month for days outside its periods."""

    since: dt.date
    days: Mapping[DayKey, Listed]
    assigned: Mapping[dt.date, Month]


def adopt(work: Work, metered: Metered, listing: MeterList) -> TenantAdoption:
    """Settles the open events of each listed day and adopts the rest; repeating it changes nothing.

    The transaction has locked the tenant, so that no month is closed at the same time.

    Raises:
        NotAdopted: usage is being sent right now, or a day is assigned to a month without a bill.
    """
    tx, tenant, now = work.tx, work.tenant, work.now
    subscription = read_subscription(tx, tenant.id, metered.id)
    events = store.events(tx, metered, listing.since)
    _require_unclaimed(events, metered, now)
    before = {(row.dimension, row.day): row for row in store.adopted_of_subscription(tx, metered)}
    known, records = events_by_day(events), store.records(tx, metered)
    ended = _ended_periods(work, subscription, records)
    settled: list[UsageEvent] = []
    adopted: list[AdoptedRow] = []
    fractional: list[DayKey] = []
    for key, day in sorted(listing.days.items()):
        row = before.get(key)
        found = difference(day.quantity, known.get(key, []), 0 if row is None else row.quantity)
        if found.odd:
            fractional.append(key)
        settled += _settle(tx, found, metered, now)
        if found.surplus:
            month = rules.month_reported_on(key[1], ended) or _assigned_month(work, key[1], subscription, listing)
            new = AdoptedRow(_NEW_ROW, metered.marketplace_id, *key, found.surplus, day.plan_id, month, now)
            adopted.append(_store(work, _with_plan(new, subscription), row))
    return TenantAdoption(
        tenant.public_id,
        tenant.slug,
        tuple(settled),
        tuple(AdoptedDay(each.marketplace_id, each.dimension, each.day, each.quantity, each.month) for each in adopted),
        _over_reported(tx, subscription, records, adopted),
        tuple(fractional),
    )


def assign(work: Work, day: dt.date, month: Month) -> int:
    """Assigns a tenant's adopted usage of a day outside its periods to a month; returns the number of rows.

    The transaction has locked the tenant.

    Raises:
        NotAdopted: there is no such usage, or the subscription was not paid in that month.
    """
    tx, tenant = work.tx, work.tenant
    rows = [row for row in store.adopted_of_tenant(tx, tenant.id) if row.day == day and row.month is None]
    if not rows:
        raise NotAdopted(f"{tenant.slug} has no adopted usage of {day} without a month")
    for row in rows:
        subscriptions = (each.subscription for each in billing_store.billed_through(tx, tenant.id))
        subscription = next(each for each in subscriptions if each.marketplace_id == row.marketplace_id)
        _require_paid(month, subscription, tenant, work.now)
        store.assign(tx, tenant.id, row.id, month)
        _record_audit(work, replace(row, month=month))
    return len(rows)


def _require_unclaimed(events: Iterable[UsageEvent], metered: Metered, now: dt.datetime) -> None:
    if any(each.claimed_until is not None and each.claimed_until > now for each in events):
        raise NotAdopted(f"usage of {metered.slug} is being sent right now; try again in two minutes")


def _ended_periods(work: Work, subscription: Subscription, records: Iterable[Record]) -> list[Period]:
    """The periods of a subscription that have ended, billed or not."""
    tx, tenant = work.tx, work.tenant
    own = [each for each in billing_store.billed_through(tx, tenant.id) if each.subscription.id == subscription.id]
    zones: Zones = billing_store.zones(tx, tenant)
    ended = [period for each in own for period in rules.ended_periods(each, zones, work.now)]
    return [*(record.period for record in records), *ended]


def _assigned_month(work: Work, day: dt.date, subscription: Subscription, listing: MeterList) -> Month | None:
    month = listing.assigned.get(day)
    if month is not None:
        _require_paid(month, subscription, work.tenant, work.now)
    return month


def _require_paid(month: Month, subscription: Subscription, tenant: Tenant, now: dt.datetime) -> None:
    """Raises NotAdopted for a month without payment."""
    first, last = (Month.of(at, tenant.zone) for at in (subscription.paid_from or now, subscription.ended_at or now))
    if not first <= month <= last:
        raise NotAdopted(f"{tenant.slug} had no paid subscription in {month}")


def _settle(tx: sa.Connection, found: Difference, metered: Metered, now: dt.datetime) -> tuple[UsageEvent, ...]:
    for each in found.arrived:
        if not store.settle(tx, each, now=now):
            raise NotAdopted(f"usage of {metered.slug} is being sent right now; try again in two minutes")
    return found.arrived


def _with_plan(row: AdoptedRow, subscription: Subscription) -> AdoptedRow:
    return row if row.plan_id else replace(row, plan_id=subscription.terms.plan_id)


def _store(work: Work, new: AdoptedRow, before: AdoptedRow | None) -> AdoptedRow:
    """Stores adopted units and returns them; later units of a day are added to its row, for the same month."""
    tx, tenant_id = work.tx, work.tenant.id
    if before is None:
        store.add(tx, tenant_id, new)
    else:
        new = replace(new, month=before.month)
        if not store.add_units(tx, tenant_id, before, new.quantity):
            raise NotAdopted("another process is adopting usage right now; try again")
    _record_audit(work, new)
    return new


def _over_reported(
    tx: sa.Connection, subscription: Subscription, records: Iterable[Record], adopted: Iterable[AdoptedRow]
) -> tuple[OverreportedMonth, ...]:
    """The closed months with adopted usage and more reported users than billed ones."""
    closed = store.closed_by_month(list(records))
    changed = sorted({(each.month, each.dimension) for each in adopted if each.month in closed})
    overreported = []
    for month, dimension in changed:
        record = closed[month]
        record_store.assign_adopted(tx, subscription, record.period, dimension=dimension)
        sent = record_store.sum_sent(tx, subscription, record.period, dimension=dimension)
        billed = record.active_users - record.included_users
        if sent > billed:
            overreported.append(OverreportedMonth(month, sent, billed))
    return tuple(overreported)


def _record_audit(work: Work, row: AdoptedRow) -> None:
    month = None if row.month is None else str(row.month)
    audit.record(
        work,
        audit.Action.USAGE_ADOPTED,
        after={"day": row.day.isoformat(), "quantity": row.quantity, "plan": row.plan_id, "month": month},
    )
