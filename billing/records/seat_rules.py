"""Which seats a subscription had from when to when in a period, and at which listed price: pure."""

import datetime as dt
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class SeatChange:
    """The plan and its seats after an event; `seats` is None on a plan without them."""

    at: dt.datetime
    plan_id: str
    seats: int | None


@dataclass(frozen=True, slots=True)
class ListedPrice:
    """What one seat of a plan costs for a term (as P1M or P1Y), from an instant on."""

    from_at: dt.datetime
    plan_id: str
    amount: Decimal
    currency: str
    term_unit: str


@dataclass(frozen=True, slots=True)
class UnreadPrice:
    """From an instant on the price of a plan on a term could not be read."""

    from_at: dt.datetime
    plan_id: str
    term_unit: str


@dataclass(frozen=True, slots=True)
class SeatSpan:
    """Seats of a plan from an instant up to another, which is not in it; `price` is None where it is not known."""

    starts_at: dt.datetime
    ends_at: dt.datetime
    plan_id: str
    seats: int
    price: ListedPrice | None


def seat_spans(
    changes: Sequence[SeatChange],
    prices: Sequence[ListedPrice | UnreadPrice],
    *,
    starts_at: dt.datetime,
    ends_at: dt.datetime,
) -> tuple[SeatSpan, ...]:
    """The seats of a half-open period, in the order of time; stretches on a plan without seats are left out.

    `changes` are in the order in which they were recorded, and each stands until the next: one that was told late
    takes effect with the one before it. What stood before the first is what that one says.
    """
    in_order = _in_order(changes)
    instants = {each.at for each in in_order} | {each.from_at for each in prices}
    edges = [starts_at, *sorted(each for each in instants if starts_at < each < ends_at), ends_at]
    spans: list[SeatSpan] = []
    for start, end in itertools.pairwise(edges):
        change = _in_force(in_order, start)
        if change is None or change.seats is None or start >= end:
            continue
        span = SeatSpan(start, end, change.plan_id, change.seats, _price(prices, change.plan_id, start))
        if spans and replace(spans[-1], starts_at=start, ends_at=end) == span and spans[-1].ends_at == start:
            spans[-1] = replace(spans[-1], ends_at=end)
        else:
            spans.append(span)
    return tuple(spans)


def _in_order(changes: Sequence[SeatChange]) -> list[SeatChange]:
    latest = list(itertools.accumulate((each.at for each in changes), max))
    return [replace(each, at=at) for each, at in zip(changes, latest, strict=True)]


def _in_force(changes: Sequence[SeatChange], at: dt.datetime) -> SeatChange | None:
    before = [each for each in changes if each.at <= at]
    return next(iter(before[-1:] or changes[:1]), None)


def _price(prices: Sequence[ListedPrice | UnreadPrice], plan_id: str, at: dt.datetime) -> ListedPrice | None:
    """The plan's own, never that of another; it is asked for just after the plan begins, and counts from there.

    Where it could not be read, it is the next that was read of the same term.
    """
    of_plan = sorted((each for each in prices if each.plan_id == plan_id), key=lambda each: each.from_at)
    if not of_plan:
        return None
    since = of_plan[max(0, sum(each.from_at <= at for each in of_plan) - 1) :]
    of_term = itertools.takewhile(lambda each: each.term_unit == since[0].term_unit, since)
    return next((each for each in of_term if isinstance(each, ListedPrice)), None)
