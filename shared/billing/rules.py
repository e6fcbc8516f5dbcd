"""Decides which months are owed, who is on their bills, and what they come to; pure."""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.billing.model import Activity, Candidate, Kind, Period, Rate, Reason, Standing
from shared.subscriptions.model import Price, Subscription
from shared.tracking.rules import first_instant


_MS: Final = dt.timedelta(milliseconds=1)
_HOUR: Final = dt.timedelta(hours=1)
# The Marketplace refuses usage older than 24 hours; one of them is left to send it in.
_STILL_TOLD: Final = dt.timedelta(hours=23)
# ISO 4217: currencies whose minor unit is not a hundredth.
_WHOLE: Final = frozenset(
    {
        *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"),
        *("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
    }
)
_THOUSANDTHS: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})


def zone_of(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None


def month_of(instant: dt.datetime, zone: dt.tzinfo) -> int:
    """The calendar month of an instant in a zone, as yyyymm."""
    local = instant.astimezone(zone)
    return local.year * 100 + local.month


def next_month(month: int) -> int:
    return month + 1 if month % 100 < 12 else month + 89  # noqa: PLR2004 - December


def month_before(month: int) -> int:
    return month - 1 if month % 100 > 1 else month - 89


def begins_at(month: int, zone: ZoneInfo) -> dt.datetime:
    """The first instant of a month in a zone: its midnight, the first of two, or the change of the clocks over it."""
    return first_instant(dt.date(month // 100, month % 100, 1), zone)


def has_ended(month: int, zone: ZoneInfo, now: dt.datetime) -> bool:
    return begins_at(next_month(month), zone) <= now


def last_ended(zone: ZoneInfo, now: dt.datetime) -> int:
    """The newest month that has ended; the present one, too, where clocks go back over the midnight that ended it."""
    present = month_of(now, zone)
    return present if has_ended(present, zone, now) else month_before(present)


def owed(standing: Standing, zone: ZoneInfo, now: dt.datetime) -> Iterator[Period]:
    """The periods that have ended and have no record, oldest first.

    They tile: each begins where the record before it ended, the first at the start of the paid plan, so a change of
    the tenant's zone neither skips an instant nor bills one twice. The last is cut where the subscription ended.
    """
    begun = _next(standing, zone)
    if begun is None:
        return
    (month, starts_at), ended_at = begun, standing.subscription.ended_at
    if ended_at is not None and standing.last_month is not None and ended_at <= starts_at:
        return  # it ended within what is billed
    while True:
        ends_at = max(starts_at, begins_at(next_month(month), zone))
        if ended_at is not None and ended_at <= ends_at:
            yield Period(month, Kind.FINAL, starts_at, max(starts_at, ended_at))
            return
        if ends_at > now:
            return
        yield Period(month, Kind.MONTH, starts_at, ends_at)
        month, starts_at = next_month(month), ends_at


def as_of(standing: Standing, instant: dt.datetime | None) -> Standing:
    """As it stood then, when an operator asks for it: what ended later had not ended."""
    ended_at = standing.subscription.ended_at
    if instant is None or ended_at is None or ended_at <= instant:
        return standing
    return replace(standing, subscription=replace(standing.subscription, ended_at=None))


def is_due(candidate: Candidate, now: dt.datetime) -> bool:
    """Whether there is a month to close, or one to mark as closed."""
    zone, last_month = zone_of(candidate.time_zone), candidate.standing.last_month
    if zone is None:
        return True  # its turn fails, and tells
    if candidate.is_billed and next(owed(candidate.standing, zone, now), None) is not None:
        return True
    return last_month is not None and last_month > (candidate.marked or 0) and has_ended(last_month, zone, now)


def running(standing: Standing, zone: ZoneInfo, now: dt.datetime) -> Period | None:
    """The period that is open now; None for who does not pay, or not any more."""
    begun = _next(standing, zone)
    if begun is None or standing.subscription.ended_at is not None:
        return None
    month, starts_at = begun
    while has_ended(month, zone, now):
        month = next_month(month)
        starts_at = max(starts_at, begins_at(month, zone))
    return Period(month, Kind.MONTH, starts_at, max(starts_at, begins_at(next_month(month), zone)))


def _next(standing: Standing, zone: ZoneInfo) -> tuple[int, dt.datetime] | None:
    """The first month without a record, and from when on it is billed."""
    if standing.last_month is not None and standing.billed_to is not None:
        return next_month(standing.last_month), standing.billed_to
    paid_from = standing.subscription.paid_from
    return None if paid_from is None else (month_of(paid_from, zone), paid_from)


def billed_again(period: Period, subscription: Subscription) -> Period:
    """The period of a record that replaces another: the same, unless an end in it has become known since."""
    ended_at = subscription.ended_at
    if ended_at is None or not period.starts_at <= ended_at <= period.ends_at:
        return period
    return replace(period, kind=Kind.FINAL, ends_at=ended_at)


def price_of(rates: Iterable[Rate], starts_at: dt.datetime) -> Price | None:
    """The price in force when a period begins: a later change counts from the next month on.

    Where none was in force yet, the first that was set; None where nobody ever set one.
    """
    in_order = sorted(rates, key=lambda rate: rate.from_at)
    before = [rate for rate in in_order if rate.from_at <= starts_at]
    found = before[-1:] or in_order[:1]
    return found[0].price if found else None


def minor_unit(currency: str) -> Decimal:
    """The smallest amount of a currency (ISO 4217)."""
    if currency in _WHOLE:
        return Decimal(1)
    return Decimal("0.001") if currency in _THOUSANDTHS else Decimal("0.01")


def total(active_users: int, price: Price) -> Decimal:
    """Users times rate, rounded once, half up, to the currency's minor unit."""
    return (active_users * price.rate_per_user).quantize(minor_unit(price.currency), ROUND_HALF_UP)


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
    merged: dict[tuple[int, int], Activity] = {}
    for each in found:
        key = (each.month, each.user_id)
        merged[key] = _together(merged[key], each) if key in merged else each
    return tuple(merged[key] for key in sorted(merged))


def _together(one: Activity, other: Activity) -> Activity:
    reason = Reason.TIME if Reason.TIME in {one.reason, other.reason} else Reason.SIGN_IN
    first_at, last_at = min(one.first_at, other.first_at), max(one.last_at, other.last_at)
    return replace(one, reason=reason, first_at=first_at, last_at=last_at)


def wanted_slot(period: Period, now: dt.datetime) -> dt.datetime:
    """The hour that usage is told for: the last of the period, or the present one where that is too old by now.

    A subscription that has ended takes usage only for hours before its end, however late it is.
    """
    if period.kind is Kind.FINAL:
        return _hour(period.ends_at)
    last = _hour(period.ends_at - _MS)
    return last if now - last <= _STILL_TOLD else _hour(now)


def free_slot(wanted: dt.datetime, taken: Collection[dt.datetime]) -> dt.datetime:
    """The hour itself, or the nearest before it that no other usage has."""
    while wanted in taken:
        wanted -= _HOUR
    return wanted


def untold(active_users: int, told: int) -> int:
    """What a record's usage comes to after what its predecessors told; the meter takes nothing back."""
    return max(0, active_users - told)


def _hour(instant: dt.datetime) -> dt.datetime:
    return instant.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)
