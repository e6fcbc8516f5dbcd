"""Works every bill out again from what was done and when, without a line of the product."""

import datetime as dt
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
class Paid:
    """A subscription; `rates` are ten-thousandths of a currency unit, from when on."""

    since: dt.datetime
    rates: list[tuple[dt.datetime, int]]
    until: dt.datetime | None = None


@dataclass
class History:
    """What people did in one tenant, and what it paid for."""

    zone: ZoneInfo
    sign_ins: list[tuple[int, dt.datetime]] = field(default_factory=list)
    work: list[Worked] = field(default_factory=list)
    paid: list[Paid] = field(default_factory=list)


Bill = tuple[int, dt.datetime, dt.datetime, dt.datetime, list[tuple[int, int]], int]  # total in cents


def bills(of: History, runs: Sequence[dt.datetime]) -> list[Bill]:
    """Month, from, to, closed at, who for which month, and the total, as they are closed by a job with these runs."""
    billed: set[tuple[int, int]] = set()
    found: list[Bill] = []
    for closed_at, number, month, start, end in sorted(_periods(of, runs)):
        closed = [bill[:3] for bill in found if of.paid[number].since <= bill[1]]
        active = {(month, user) for user, at in of.sign_ins if start <= at < end}
        for each_month, since, until in [*closed, (month, start, end)]:
            active |= {(each_month, work.user) for work in of.work if _counts(work, since, until, closed_at)}
        lines = sorted(active - billed)
        billed.update(lines)
        rate = [rate for at, rate in of.paid[number].rates if at <= start][-1]
        found.append((month, start, end, closed_at, lines, (len(lines) * rate + 50) // 100))
    return found


def _counts(work: Worked, since: dt.datetime, until: dt.datetime, closed_at: dt.datetime) -> bool:
    there = work.since <= closed_at and (work.until is None or work.until > closed_at)
    return there and max(work.start, since) < min(work.stop, until)


def _periods(
    of: History, runs: Sequence[dt.datetime]
) -> Iterator[tuple[dt.datetime, int, int, dt.datetime, dt.datetime]]:
    for number, paid in enumerate(of.paid):
        start, month = paid.since, _month(paid.since, of.zone)
        while True:
            end = _edge(start, month, of.zone)
            if paid.until is not None and paid.until <= end:
                yield paid.until, number, month, start, paid.until
                break
            closings = [at for at in (*runs, paid.until) if at is not None and at >= end]
            if not closings:
                break
            yield min(closings), number, month, start, end
            start, month = end, _month(end, of.zone)


def _month(at: dt.datetime, zone: ZoneInfo) -> int:
    local = at.astimezone(zone)
    return local.year * 100 + local.month


def _edge(at: dt.datetime, month: int, zone: ZoneInfo) -> dt.datetime:
    """The first quarter of an hour that lies in another month, looked for one by one."""
    at = at.replace(minute=0, second=0, microsecond=0) + HOUR * 24 * max(0, 26 - at.astimezone(zone).day)
    while _month(at, zone) == month:
        at += 15 * MINUTE
    return at
