"""Decides which periods are to be closed, their active users and their totals; pure."""

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from itertools import takewhile
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from billing.closing.model import Activity, BilledThrough, Candidate, Kind, Period, Reason, Zones
from billing.subscriptions.model import Price, Quote, Rate, Subscription
from shared.calendar import Month
from shared.money import MONTH, minor_unit


_MS: Final = dt.timedelta(milliseconds=1)
_HOUR: Final = dt.timedelta(hours=1)
_DAY: Final = dt.timedelta(days=1)
# The Marketplace refuses usage older than 24 hours; one hour is left for sending it.
_STILL_ACCEPTED: Final = dt.timedelta(hours=23)


def zone_of(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None


def zones_of(now: str, earlier: Iterable[tuple[dt.datetime, str]]) -> Zones | None:
    """None if a name is not a known time zone."""
    present, found = zone_of(now), [(until, zone_of(name)) for until, name in earlier]
    known = tuple((until, zone) for until, zone in found if zone is not None)
    return None if present is None or len(known) < len(found) else Zones(present, known)


def has_ended(month: Month, zone: ZoneInfo, now: dt.datetime) -> bool:
    return month.next.starts_at(zone) <= now


def last_ended(zone: ZoneInfo, now: dt.datetime) -> Month:
    """The latest month that has ended; also the present one, if clocks went back over its end."""
    present = Month.of(now, zone)
    return present if has_ended(present, zone, now) else present.previous


def ended_periods(billed: BilledThrough, zones: Zones, now: dt.datetime) -> Iterator[Period]:
    """The ended periods without a record, oldest first.

    Each begins at the end of the record before it, and the first at the start of the paid plan. So a change of the
    tenant's time zone, which takes effect from the next period, neither skips an instant nor bills one twice. The last
    ends with the subscription.
    """
    first = _next_period_start(billed, zones)
    if first is None:
        return
    (month, starts_at), ended_at = first, billed.subscription.ended_at
    if ended_at is not None and billed.last_month is not None and ended_at <= starts_at:
        return  # it ended within a billed period
    while True:
        zone = zones.at(starts_at)
        ends_at = max(starts_at, month.next.starts_at(zone))
        if ended_at is not None and ended_at <= ends_at:
            yield Period(month, Kind.FINAL, starts_at, max(starts_at, ended_at), zone.key)
            return
        if ends_at > now:
            return
        yield Period(month, Kind.MONTH, starts_at, ends_at, zone.key)
        month, starts_at = month.next, ends_at


def as_of(billed: BilledThrough, instant: dt.datetime | None) -> BilledThrough:
    """The state at an instant that an operator gave: later ends are ignored."""
    ended_at = billed.subscription.ended_at
    if instant is None or ended_at is None or ended_at <= instant:
        return billed
    return replace(billed, subscription=replace(billed.subscription, ended_at=None))


def is_due(candidate: Candidate, now: dt.datetime) -> bool:
    """Whether there is a month to close, or one to mark as closed."""
    zones, last_month = candidate.zones, candidate.billed.last_month
    if zones is None:
        return True  # its run fails and logs that
    if candidate.is_billed and next(ended_periods(candidate.billed, zones, now), None) is not None:
        return True
    if last_month is None or not has_ended(last_month, zones.now, now):
        return False
    return candidate.marked is None or last_month > candidate.marked


def open_period(billed: BilledThrough, zones: Zones, now: dt.datetime) -> Period | None:
    """The present period; None without a live paid subscription."""
    first = _next_period_start(billed, zones)
    if first is None or billed.subscription.ended_at is not None:
        return None
    month, starts_at = first
    while True:
        zone = zones.at(starts_at)
        ends_at = max(starts_at, month.next.starts_at(zone))
        if ends_at > now:
            return Period(month, Kind.MONTH, starts_at, ends_at, zone.key)
        month, starts_at = month.next, ends_at


def _next_period_start(billed: BilledThrough, zones: Zones) -> tuple[Month, dt.datetime] | None:
    """The first month without a record, and the start of its period."""
    if billed.last_month is not None and billed.billed_to is not None:
        return billed.last_month.next, billed.billed_to
    paid_from = billed.subscription.paid_from
    return None if paid_from is None else (Month.of(paid_from, zones.at(paid_from)), paid_from)


def replacement_period(period: Period, subscription: Subscription) -> Period:
    """The period of a replacement record: the same, unless an end in it has become known since."""
    ended_at = subscription.ended_at
    if ended_at is None or not period.starts_at <= ended_at <= period.ends_at:
        return period
    return replace(period, kind=Kind.FINAL, ends_at=ended_at)


def rate_in_force(rates: Iterable[Rate], starts_at: dt.datetime) -> Rate | None:
    """The rate at the start of a period; a later change takes effect from the next period.

    If the plan's price could not be read then, the first later price of that plan and term; before any rate, the first
    one. None without any rate.
    """
    in_order = sorted(rates, key=lambda rate: rate.from_at)
    before = [rate for rate in in_order if rate.from_at <= starts_at]
    since = [*before[-1:], *in_order[len(before) :]]
    of_plan = list(takewhile(lambda rate: (rate.plan_id, rate.unit) == (since[0].plan_id, since[0].unit), since))
    return next((rate for rate in of_plan if rate.quote.price is not None), since[0] if since else None)


def total(users: int, price: Price | None) -> Decimal | None:
    """Paid users times the rate, rounded once, half up, to the currency's minor unit.

    None if the price is not known or not monthly.
    """
    if price is None or price.unit != MONTH:
        return None
    return (users * price.rate_per_user).quantize(minor_unit(price.currency), ROUND_HALF_UP)


def is_in_free_trial(subscription: Subscription, period: Period) -> bool:
    """Whether the whole period is in the Marketplace's free trial, including its last day."""
    ends_at, terms = subscription.terms.free_trial_ends_at, subscription.terms
    return bool(terms.is_free_trial) if ends_at is None else period.ends_at <= ends_at + _DAY


def count_included(
    lines: Iterable[Activity], quote: Quote, before: Mapping[Month, tuple[int, int]], month: Month
) -> int:
    """The number of a bill's lines that the fee of their month includes.

    `before` has for each earlier month the billed users and the included users.
    """
    counted = Counter(line.month for line in lines)
    found = 0
    for each, users in counted.items():
        billed, included = before.get(each, (0, 0)) if each != month else (0, quote.included_a_month)
        found += min(users, max(0, included - billed))
    return found


def sign_in_activity(person: Activity, period: Period, paid: Iterable[dt.datetime | None] = ()) -> Activity:
    """The first and last of a month's sign-ins, and of those on a paid plan, that are in the period; one is."""
    known = (person.first_at, person.last_at, *paid)
    inside = [at for at in known if at is not None and period.starts_at <= at < period.ends_at]
    return replace(person, month=period.month, first_at=min(inside), last_at=max(inside))


def clip_to_period(person: Activity, starts_at: dt.datetime, ends_at: dt.datetime) -> Activity:
    """A month's work, clipped to the period, since entries may cross its bounds."""
    first_at, last_at = (min(max(at, starts_at), ends_at) for at in (person.first_at, person.last_at))
    return replace(person, first_at=first_at, last_at=last_at)


def merge_lines(found: Iterable[Activity]) -> tuple[Activity, ...]:
    """One line for each person and month, from their first to their last activity."""
    merged: dict[tuple[Month, int], Activity] = {}
    for each in found:
        key = (each.month, each.user_id)
        merged[key] = _merge(merged[key], each) if key in merged else each
    return tuple(merged[key] for key in sorted(merged))


def _merge(one: Activity, other: Activity) -> Activity:
    reason = Reason.TIME if Reason.TIME in {one.reason, other.reason} else Reason.SIGN_IN
    first_at, last_at = min(one.first_at, other.first_at), max(one.last_at, other.last_at)
    return replace(one, reason=reason, first_at=first_at, last_at=last_at)


def preferred_slot(period: Period, now: dt.datetime, *, last_is_free: bool = True) -> dt.datetime:
    """The hour of the usage event: the last of the period, or the present one if that is too old or used.

    An ended subscription accepts usage only for hours before its end, however late it is.
    """
    if period.kind is Kind.FINAL:
        return _hour(period.ends_at)
    last = _hour(period.ends_at - _MS)
    return last if last_is_free and now - last <= _STILL_ACCEPTED else _hour(now)


def free_slot(preferred: dt.datetime, used: Collection[dt.datetime]) -> dt.datetime:
    """The hour, or the nearest unused one before it."""
    while preferred in used:
        preferred -= _HOUR
    return preferred


def first_reporting_day(period: Period) -> dt.date:
    """The first day of UTC for usage of a period: that of its last hour."""
    return (period.ends_at - _MS).astimezone(dt.UTC).date()


def month_reported_on(day: dt.date, ended: Iterable[Period]) -> Month | None:
    """The month of a day's (UTC) usage: that of the latest period that had ended; None if none had."""
    by_then = [period for period in ended if first_reporting_day(period) <= day]
    return max(by_then, key=lambda period: (period.ends_at, period.month)).month if by_then else None


def timer_activity(person: Activity, period: Period, *, limit: dt.timedelta, now: dt.datetime) -> Activity | None:
    """A running timer's activity in a period, until now and at most its limit; None without any."""
    first_at = max(person.first_at, period.starts_at)
    last_at = min(person.first_at + limit, period.ends_at, now)
    return replace(person, first_at=first_at, last_at=last_at) if first_at < last_at else None


def _hour(instant: dt.datetime) -> dt.datetime:
    return instant.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)
