"""An independent oracle: computes every bill from the history, without the product's code."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo


MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)


@dataclass
class WorkSpan:
    """Tracked time that existed from `since` until `until`."""

    user: int
    start: dt.datetime
    stop: dt.datetime
    since: dt.datetime
    until: dt.datetime | None = None


@dataclass
class TimerRun:
    """A timer until its stop or discard; a stop adds work."""

    user: int
    start: dt.datetime
    until: dt.datetime | None = None


@dataclass
class Cost:
    """The price of a plan from an instant on, in ten-thousandths; None if unreadable. `included` users are free."""

    since: dt.datetime
    plan: str
    rate: int | None
    included: int = 0


@dataclass
class PaidPlan:
    """A subscription, and the end of its free trial."""

    since: dt.datetime
    rates: list[Cost]
    until: dt.datetime | None = None
    free_until: dt.datetime | None = None


@dataclass
class History:
    """The activity and the subscriptions of a tenant; `zones` are its time zones, each from an instant on."""

    zones: list[tuple[dt.datetime, ZoneInfo]]
    limit: dt.timedelta = 12 * HOUR
    timers: list[TimerRun] = field(default_factory=list)
    sign_ins: list[tuple[int, dt.datetime]] = field(default_factory=list)
    work: list[WorkSpan] = field(default_factory=list)
    paid: list[PaidPlan] = field(default_factory=list)


# month, start, end, close, (month, user) of each line, number of free users, and the total in cents or None
Bill = tuple[int, dt.datetime, dt.datetime, dt.datetime, list[tuple[int, int]], int, int | None]


def bills(history: History, runs: Sequence[dt.datetime]) -> list[Bill]:
    """The bills of a job with these runs."""
    billed: set[tuple[int, int]] = set()
    found: list[Bill] = []
    counts: dict[int, Counter[int]] = {}
    for closed_at, number, month, start, end in sorted(_periods(history, runs)):
        closed = [bill[:3] for bill in found if history.paid[number].since <= bill[1]]
        active = {(month, user) for user, at in history.sign_ins if start <= at < end}
        for each_month, since, until in [*closed, (month, start, end)]:
            active |= {(each_month, work.user) for work in history.work if _counts(work, since, until, closed_at)}
        active |= {(month, ran.user) for ran in history.timers if _runs(history, ran, start, end, closed_at)}
        lines = sorted(active - billed)
        billed.update(lines)
        paid = history.paid[number]
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


def _cost(paid: PaidPlan, start: dt.datetime) -> Cost:
    """The price in force; if unreadable, the next known price of the plan before another plan."""
    at = max(number for number, cost in enumerate(paid.rates) if cost.since <= start)
    for cost in paid.rates[at:]:
        if cost.plan != paid.rates[at].plan:
            break
        if cost.rate is not None:
            return cost
    return paid.rates[at]


def _runs(history: History, ran: TimerRun, since: dt.datetime, until: dt.datetime, closed_at: dt.datetime) -> bool:
    there = ran.start <= closed_at and (ran.until is None or ran.until > closed_at)
    return there and max(ran.start, since) < min(ran.start + history.limit, until, closed_at)


def _counts(work: WorkSpan, since: dt.datetime, until: dt.datetime, closed_at: dt.datetime) -> bool:
    there = work.since <= closed_at and (work.until is None or work.until > closed_at)
    return there and max(work.start, since) < min(work.stop, until)


def _periods(
    history: History, runs: Sequence[dt.datetime]
) -> Iterator[tuple[dt.datetime, int, int, dt.datetime, dt.datetime]]:
    for number, paid in enumerate(history.paid):
        zone = _zone(history, paid.since)
        start, month = paid.since, _month(paid.since, zone)
        while True:
            zone = _zone(history, start)
            end = _edge(start, month, zone)
            if paid.until is not None and paid.until <= end:
                yield paid.until, number, month, start, paid.until
                break
            closings = [at for at in (*runs, paid.until) if at is not None and at >= end]
            if not closings:
                break
            yield min(closings), number, month, start, end
            start, month = end, month + 1 if month % 100 < 12 else month + 89


def _zone(history: History, at: dt.datetime) -> ZoneInfo:
    return [zone for since, zone in history.zones if since <= at][-1]


def _month(at: dt.datetime, zone: ZoneInfo) -> int:
    local = at.astimezone(zone)
    return local.year * 100 + local.month


def _edge(at: dt.datetime, month: int, zone: ZoneInfo) -> dt.datetime:
    """The first quarter of an hour in a later month, and not before the instant."""
    found = at.replace(minute=0, second=0, microsecond=0)
    if _month(found, zone) == month:
        found += HOUR * 24 * max(0, 26 - found.astimezone(zone).day)
    while _month(found, zone) <= month:
        found += 15 * MINUTE
    return max(at, found)
