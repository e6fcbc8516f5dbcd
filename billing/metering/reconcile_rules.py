"""Compares what the meter has with what the outbox knows it has, and finds an hour for usage to be told in: pure."""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeAlias

from billing.marketplace.usage_model import UsageDay, hour_of
from billing.metering.model import UsageEvent, UsageState
from billing.metering.rules import TAKEN_FOR
from shared.calendar import Month


_NOT_CHARGED: Final = {"rejected", "mismatch"}
_DayKey: TypeAlias = tuple[uuid.UUID, str, dt.date]


@dataclass(frozen=True, slots=True)
class Entry:
    """An event of the outbox, and what it is of; `plan_id` and `ended_at` are the subscription's as it is now."""

    event: UsageEvent
    slug: str
    month: Month
    last_result: str | None
    plan_id: str
    ended_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """Units that the meter has by our records, on a day of UTC; `tenant` is the public id."""

    tenant: uuid.UUID
    subscription_id: uuid.UUID
    dimension: str
    day: dt.date
    quantity: int


class Difference(StrEnum):
    MISSING = "missing"  # accepted once, and not listed
    DIFFERENT = "different"
    FOREIGN = "foreign"  # listed, and nothing of ours
    NOT_CHARGED = "not_charged"  # Microsoft took it and says that it will not charge it, or not all of it


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Of a subscription, dimension and day of UTC; `tenant` is None where the subscription is none of ours."""

    difference: Difference
    tenant: uuid.UUID | None
    subscription_id: uuid.UUID
    dimension: str
    day: dt.date
    ours: Decimal
    theirs: Decimal


class NotReslotted(Exception):
    """Why an event keeps its hour, in words for the operator."""


def mismatches(
    accepted: Iterable[Accepted], listed: Iterable[UsageDay], owners: Mapping[uuid.UUID, uuid.UUID]
) -> list[Mismatch]:
    """Day by day, since the meter lists no hours; in the order of days."""
    ours: defaultdict[_DayKey, Decimal] = defaultdict(Decimal)
    theirs: defaultdict[_DayKey, Decimal] = defaultdict(Decimal)
    told_by, not_charged = dict(owners), set[_DayKey]()
    for each in accepted:
        ours[each.subscription_id, each.dimension, each.day] += each.quantity
        told_by[each.subscription_id] = each.tenant
    for day in listed:
        key = (uuid.UUID(day.subscription_id), day.dimension, day.day)
        theirs[key] += day.quantity
        if day.recon_status.lower() in _NOT_CHARGED:
            not_charged.add(key)
    found = []
    for key in sorted(ours.keys() | theirs.keys(), key=lambda key: (key[2], key[0], key[1])):
        difference = _difference(ours[key], theirs[key], is_charged=key not in not_charged)
        if difference is not None:
            found.append(Mismatch(difference, told_by.get(key[0]), *key, ours[key], theirs[key]))
    return found


def _difference(ours: Decimal, theirs: Decimal, *, is_charged: bool) -> Difference | None:
    if ours == theirs:
        return None if is_charged else Difference.NOT_CHARGED
    if not theirs:
        return Difference.MISSING
    return Difference.DIFFERENT if ours else Difference.FOREIGN


def require_untaken(entry: Entry, listed: Decimal, others: int) -> None:
    """Lets only that be told again which was surely never taken, since nothing can be taken back.

    Raises:
        NotReslotted: it is in no alarm, or the meter has something for its hour, its day or a day since.
    """
    name = f"event {entry.event.id}"
    if entry.event.state is not UsageState.ALARM:
        raise NotReslotted(f"{name} is {entry.event.state}; only an event in alarm can be given another hour")
    if entry.last_result in {"Duplicate", "Accepted"}:
        raise NotReslotted(f"{name} met another quantity in its hour; telling it again would charge on top of that")
    if listed != others:
        raise NotReslotted(
            f"the meter has {listed} since the day of {name}, of which {others} are known; settle that first"
        )


def free_hour(entry: Entry, taken: set[dt.datetime], now: dt.datetime) -> dt.datetime:
    """The newest hour in which the usage will be taken: after a cancellation only those before it count.

    Raises:
        NotReslotted: there is none.
    """
    last = min(now, entry.ended_at or now)
    hour = hour_of(last)
    while hour > now - TAKEN_FOR:
        if hour not in taken:
            return hour
        hour -= dt.timedelta(hours=1)
    raise NotReslotted(f"no hour is left in which the usage of event {entry.event.id} would be taken")
