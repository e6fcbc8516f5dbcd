"""An independent oracle: computes every bill from the history, without the product's code."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo


MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)


@dataclass
class Worked:
    """Time that was there from `since` until `until`."""

    user: int
    start: dt.datetime
    stop: dt.datetime
    since: dt.datetime
    until: dt.datetime | None = None


@dataclass
class Ran:
    """A timer, until it was stopped or discarded; a stopped one leaves work behind."""

    user: int
    start: dt.datetime
    until: dt.datetime | None = None


@dataclass
class Cost:
    """What a plan costs from an instant on, in ten-thousandths; None could not be read. `included` are free a month."""

    since: dt.datetime
    plan: str
    rate: int | None
    included: int = 0


@dataclass
class Paid:
    """A subscription, and up to when all that is used is free."""

    since: dt.datetime
    rates: list[Cost]
    until: dt.datetime | None = None
    free_until: dt.datetime | None = None


@dataclass
class History:
    """What people did in one tenant, and what it paid for; `zones` are those it had, each from an instant on."""

    zones: list[tuple[dt.datetime, ZoneInfo]]
    limit: dt.timedelta = 12 * HOUR
    timers: list[Ran] = field(default_factory=list)
    sign_ins: list[tuple[int, dt.datetime]] = field(default_factory=list)
    work: list[Worked] = field(default_factory=list)
    paid: list[Paid] = field(default_factory=list)


# month, from, to, closed at, who for which month, free ones among them, and the total in cents where there is one
Bill = tuple[int, dt.datetime, dt.datetime, dt.datetime, list[tuple[int, int]], int, int | None]


def bills(of: History, runs: Sequence[dt.datetime]) -> list[Bill]:
    """Month, from, to, closed at, who for which month, and the total, as they are closed by a job with these runs."""
    billed: set[tuple[int, int]] = set()
    found: list[Bill] = []
    counts: dict[int, Counter[int]] = {}
    for closed_at, number, month, start, end in sorted(_periods(of, runs)):
        closed = [bill[:3] for bill in found if of.paid[number].since <= bill[1]]
        active = {(month, user) for user, at in of.sign_ins if start <= at < end}
        for each_month, since, until in [*closed, (month, start, end)]:
            active |= {(each_month, work.user) for work in of.work if _counts(work, since, until, closed_at)}
        active |= {(month, ran.user) for ran in of.timers if _runs(of, ran, start, end, closed_at)}
        lines = sorted(active - billed)
        billed.update(lines)
        paid = of.paid[number]
        counted = counts.setdefault(number, Counter())
        free = 0
        for line_month, _ in lines:
            began = start if line_month == month else next(bill[1] for bill in closed if bill[0] == line_month)
            free += counted[line_month] < _cost(paid, began).included
            counted[line_month] += 1
        if paid.free_until is not None and end <= paid.free_until:
            free = len(lines)
        rate = _cost(paid, start).rate
        total = None if rate is None else ((len(lines) - free) * rate + 50) // 100
        found.append((month, start, end, closed_at, lines, free, total))
    return found


def _cost(paid: Paid, start: dt.datetime) -> Cost:
    """The one in force, or where it could not be read, what its plan was found to cost before the next one began."""
    at = max(number for number, cost in enumerate(paid.rates) if cost.since <= start)
    for cost in paid.rates[at:]:
        if cost.plan != paid.rates[at].plan:
            break
        if cost.rate is not None:
            return cost
    return paid.rates[at]


def _runs(of: History, ran: Ran, since: dt.datetime, until: dt.datetime, closed_at: dt.datetime) -> bool:
    there = ran.start <= closed_at and (ran.until is None or ran.until > closed_at)
    return there and max(ran.start, since) < min(ran.start + of.limit, until, closed_at)


def _counts(work: Worked, since: dt.datetime, until: dt.datetime, closed_at: dt.datetime) -> bool:
    there = work.since <= closed_at and (work.until is None or work.until > closed_at)
    return there and max(work.start, since) < min(work.stop, until)


def _periods(
    of: History, runs: Sequence[dt.datetime]
) -> Iterator[tuple[dt.datetime, int, int, dt.datetime, dt.datetime]]:
    for number, paid in enumerate(of.paid):
        zone = _zone(of, paid.since)
        start, month = paid.since, _month(paid.since, zone)
        while True:
            zone = _zone(of, start)
            end = _edge(start, month, zone)
            if paid.until is not None and paid.until <= end:
                yield paid.until, number, month, start, paid.until
                break
            closings = [at for at in (*runs, paid.until) if at is not None and at >= end]
            if not closings:
                break
            yield min(closings), number, month, start, end
            start, month = end, month + 1 if month % 100 < 12 else month + 89


def _zone(of: History, at: dt.datetime) -> ZoneInfo:
    return [zone for since, zone in of.zones if since <= at][-1]


def _month(at: dt.datetime, zone: ZoneInfo) -> int:
    local = at.astimezone(zone)
    return local.year * 100 + local.month


def _edge(at: dt.datetime, month: int, zone: ZoneInfo) -> dt.datetime:
    """The first quarter of an hour, not before an instant, that lies in a later month, looked for one by one."""
    found = at.replace(minute=0, second=0, microsecond=0)
    if _month(found, zone) == month:
        found += HOUR * 24 * max(0, 26 - found.astimezone(zone).day)
    while _month(found, zone) <= month:
        found += 15 * MINUTE
    return max(at, found)
