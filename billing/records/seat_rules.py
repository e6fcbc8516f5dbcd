"""The seats of a subscription in a period, with their listed prices; pure."""

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
    """The price of one seat of a plan for a term, such as P1M, from an instant on."""

    from_at: dt.datetime
    plan_id: str
    amount: Decimal
    currency: str
    term_unit: str


@dataclass(frozen=True, slots=True)
class UnreadablePrice:
    """A price of a plan and term that could not be read, from an instant on."""

    from_at: dt.datetime
    plan_id: str
    term_unit: str


@dataclass(frozen=True, slots=True)
class SeatSpan:
    """Seats of a plan in a half-open period; `price` is None if unknown."""

    starts_at: dt.datetime
    ends_at: dt.datetime
    plan_id: str
    seats: int
    price: ListedPrice | None


def seat_spans(
    changes: Sequence[SeatChange],
    prices: Sequence[ListedPrice | UnreadablePrice],
    *,
    starts_at: dt.datetime,
    ends_at: dt.datetime,
) -> tuple[SeatSpan, ...]:
    """The seats of a half-open period, by time; times on a plan without seats are left out.

    `changes` are in recorded order, and each is in force until the next: one received late takes effect together with
    the change before it. The first is in force before its instant, too.
    """
    in_order = _sort_by_effect(changes)
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


def _sort_by_effect(changes: Sequence[SeatChange]) -> list[SeatChange]:
    latest = list(itertools.accumulate((each.at for each in changes), max))
    return [replace(each, at=at) for each, at in zip(changes, latest, strict=True)]


def _in_force(changes: Sequence[SeatChange], at: dt.datetime) -> SeatChange | None:
    before = [each for each in changes if each.at <= at]
    return next(iter(before[-1:] or changes[:1]), None)


def _price(prices: Sequence[ListedPrice | UnreadablePrice], plan_id: str, at: dt.datetime) -> ListedPrice | None:
    """The price of the plan, never of another. It is read shortly after the plan begins, and counts from its beginning.

    If it could not be read, the next known price of the same term.
    """
    of_plan = sorted((each for each in prices if each.plan_id == plan_id), key=lambda each: each.from_at)
    if not of_plan:
        return None
    since = of_plan[max(0, sum(each.from_at <= at for each in of_plan) - 1) :]
    of_term = itertools.takewhile(lambda each: each.term_unit == since[0].term_unit, since)
    return next((each for each in of_term if isinstance(each, ListedPrice)), None)
