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
# The Marketplace refuses usage older than 24 hours; one of them is left to send it in.
_STILL_TOLD: Final = dt.timedelta(hours=23)


def zone_of(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None


def zones_of(now: str, earlier: Iterable[tuple[dt.datetime, str]]) -> Zones | None:
    """None where one of the names is none that is known."""
    present, found = zone_of(now), [(until, zone_of(name)) for until, name in earlier]
    known = tuple((until, zone) for until, zone in found if zone is not None)
    return None if present is None or len(known) < len(found) else Zones(present, known)


def has_ended(month: Month, zone: ZoneInfo, now: dt.datetime) -> bool:
    return month.next.starts_at(zone) <= now


def last_ended(zone: ZoneInfo, now: dt.datetime) -> Month:
    """The newest month that has ended; the present one, too, where clocks go back over the midnight that ended it."""
    present = Month.of(now, zone)
    return present if has_ended(present, zone, now) else present.previous


def ended_periods(billed: BilledThrough, zones: Zones, now: dt.datetime) -> Iterator[Period]:
    """The periods that have ended and have no record, oldest first.

    They tile: each begins where the record before it ended, the first at the start of the paid plan, so a change of
    the tenant's zone, which counts from the next period on, neither skips an instant nor bills one twice. The last is
    cut where the subscription ended.
    """
    begun = _next(billed, zones)
    if begun is None:
        return
    (month, starts_at), ended_at = begun, billed.subscription.ended_at
    if ended_at is not None and billed.last_month is not None and ended_at <= starts_at:
        return  # it ended within what is billed
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
    """As it stood then, when an operator asks for it: what ended later had not ended."""
    ended_at = billed.subscription.ended_at
    if instant is None or ended_at is None or ended_at <= instant:
        return billed
    return replace(billed, subscription=replace(billed.subscription, ended_at=None))


def is_due(candidate: Candidate, now: dt.datetime) -> bool:
    """Whether there is a month to close, or one to mark as closed."""
    zones, last_month = candidate.zones, candidate.billed.last_month
    if zones is None:
        return True  # its turn fails, and tells
    if candidate.is_billed and next(ended_periods(candidate.billed, zones, now), None) is not None:
        return True
    if last_month is None or not has_ended(last_month, zones.now, now):
        return False
    return candidate.marked is None or last_month > candidate.marked


def running(billed: BilledThrough, zones: Zones, now: dt.datetime) -> Period | None:
    """The period that is open now; None for who does not pay, or not any more."""
    begun = _next(billed, zones)
    if begun is None or billed.subscription.ended_at is not None:
        return None
    month, starts_at = begun
    while True:
        zone = zones.at(starts_at)
        ends_at = max(starts_at, month.next.starts_at(zone))
        if ends_at > now:
            return Period(month, Kind.MONTH, starts_at, ends_at, zone.key)
        month, starts_at = month.next, ends_at


def _next(billed: BilledThrough, zones: Zones) -> tuple[Month, dt.datetime] | None:
    """The first month without a record, and from when on it is billed."""
    if billed.last_month is not None and billed.billed_to is not None:
        return billed.last_month.next, billed.billed_to
    paid_from = billed.subscription.paid_from
    return None if paid_from is None else (Month.of(paid_from, zones.at(paid_from)), paid_from)


def billed_again(period: Period, subscription: Subscription) -> Period:
    """The period of a record that replaces another: the same, unless an end in it has become known since."""
    ended_at = subscription.ended_at
    if ended_at is None or not period.starts_at <= ended_at <= period.ends_at:
        return period
    return replace(period, kind=Kind.FINAL, ends_at=ended_at)


def rate_of(rates: Iterable[Rate], starts_at: dt.datetime) -> Rate | None:
    """What is in force when a period begins: a later change counts from the next one on.

    Where the plan's price could not be read then, it is the first that was read of that plan and term; where nothing
    was in force yet, the first that was set. None where there is nothing at all.
    """
    in_order = sorted(rates, key=lambda rate: rate.from_at)
    before = [rate for rate in in_order if rate.from_at <= starts_at]
    since = [*before[-1:], *in_order[len(before) :]]
    of_plan = list(takewhile(lambda rate: (rate.plan_id, rate.unit) == (since[0].plan_id, since[0].unit), since))
    return next((rate for rate in of_plan if rate.quote.price is not None), since[0] if since else None)


def total(users: int, price: Price | None) -> Decimal | None:
    """Users that are paid for times the rate, rounded once, half up, to the currency's minor unit.

    None where the price is not known, or is not by the month: a part of a year has no price.
    """
    if price is None or price.unit != MONTH:
        return None
    return (users * price.rate_per_user).quantize(minor_unit(price.currency), ROUND_HALF_UP)


def is_free(subscription: Subscription, period: Period) -> bool:
    """Whether the whole period lies in the Marketplace's free trial, whose last day is part of it."""
    ends_at, terms = subscription.terms.free_trial_ends_at, subscription.terms
    return bool(terms.is_free_trial) if ends_at is None else period.ends_at <= ends_at + _DAY


def covered(lines: Iterable[Activity], quote: Quote, before: Mapping[Month, tuple[int, int]], month: Month) -> int:
    """How many of a bill's lines the fee of their month covers.

    `before` has of each earlier month how many users were billed for it, and how many its fee covers.
    """
    counted = Counter(line.month for line in lines)
    found = 0
    for each, users in counted.items():
        billed, included = before.get(each, (0, 0)) if each != month else (0, quote.included_a_month)
        found += min(users, max(0, included - billed))
    return found


def signed_in(person: Activity, period: Period, paid: Iterable[dt.datetime | None] = ()) -> Activity:
    """The sign-ins of a month, and those on a paid plan, as far as they lie in the period; at least one does."""
    known = (person.first_at, person.last_at, *paid)
    inside = [at for at in known if at is not None and period.starts_at <= at < period.ends_at]
    return replace(person, month=period.month, first_at=min(inside), last_at=max(inside))


def worked(person: Activity, starts_at: dt.datetime, ends_at: dt.datetime) -> Activity:
    """The time of a month from its first to its last instant, cut where the period is: entries reach over its edges."""
    first_at, last_at = (min(max(at, starts_at), ends_at) for at in (person.first_at, person.last_at))
    return replace(person, first_at=first_at, last_at=last_at)


def lines(found: Iterable[Activity]) -> tuple[Activity, ...]:
    """One line for each person and month, with the first and the last of all they did in it."""
    merged: dict[tuple[Month, int], Activity] = {}
    for each in found:
        key = (each.month, each.user_id)
        merged[key] = _together(merged[key], each) if key in merged else each
    return tuple(merged[key] for key in sorted(merged))


def _together(one: Activity, other: Activity) -> Activity:
    reason = Reason.TIME if Reason.TIME in {one.reason, other.reason} else Reason.SIGN_IN
    first_at, last_at = min(one.first_at, other.first_at), max(one.last_at, other.last_at)
    return replace(one, reason=reason, first_at=first_at, last_at=last_at)


def preferred_slot(period: Period, now: dt.datetime, *, last_is_free: bool = True) -> dt.datetime:
    """The hour that usage is told for: the last of the period, or the present one where that is too old or taken.

    A subscription that has ended takes usage only for hours before its end, however late it is.
    """
    if period.kind is Kind.FINAL:
        return _hour(period.ends_at)
    last = _hour(period.ends_at - _MS)
    return last if last_is_free and now - last <= _STILL_TOLD else _hour(now)


def free_slot(wanted: dt.datetime, taken: Collection[dt.datetime]) -> dt.datetime:
    """The hour itself, or the nearest before it that no other usage has."""
    while wanted in taken:
        wanted -= _HOUR
    return wanted


def first_day_sent(period: Period) -> dt.date:
    """The first day of UTC on which usage of a period can be sent: that of its last hour."""
    return (period.ends_at - _MS).astimezone(dt.UTC).date()


def month_sent_on(day: dt.date, ended: Iterable[Period]) -> Month | None:
    """The month that usage of a day of UTC is for: the latest period that had ended by then; None where none had."""
    by_then = [period for period in ended if first_day_sent(period) <= day]
    return max(by_then, key=lambda period: (period.ends_at, period.month)).month if by_then else None


def ran(person: Activity, period: Period, *, limit: dt.timedelta, now: dt.datetime) -> Activity | None:
    """A running timer as time of a period, as far as it runs until now and no longer than its limit; None for none."""
    first_at = max(person.first_at, period.starts_at)
    last_at = min(person.first_at + limit, period.ends_at, now)
    return replace(person, first_at=first_at, last_at=last_at) if first_at < last_at else None


def _hour(instant: dt.datetime) -> dt.datetime:
    return instant.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)
