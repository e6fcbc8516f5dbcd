"""Compares the meter's list with the outbox, and finds a free hour for rescheduled usage: pure."""

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
    """An event of the outbox with its bill's month; `plan_id` and `ended_at` are the subscription's present ones."""

    event: UsageEvent
    slug: str
    month: Month
    last_result: str | None
    plan_id: str
    ended_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """Units of a day of UTC that the meter accepted by our records; `tenant` is the public id."""

    tenant: uuid.UUID
    subscription_id: uuid.UUID
    dimension: str
    day: dt.date
    quantity: int


class Difference(StrEnum):
    MISSING = "missing"  # accepted before, and not listed
    DIFFERENT = "different"
    FOREIGN = "foreign"  # listed, and unknown here
    NOT_CHARGED = "not_charged"  # Microsoft accepted it and will not charge all of it


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Of a subscription, dimension and day of UTC; `tenant` is None for an unknown subscription."""

    difference: Difference
    tenant: uuid.UUID | None
    subscription_id: uuid.UUID
    dimension: str
    day: dt.date
    ours: Decimal
    theirs: Decimal


class RescheduleRefused(Exception):
    """The reason for the operator why an event keeps its hour."""


def mismatches(
    accepted: Iterable[Accepted], listed: Iterable[UsageDay], owners: Mapping[uuid.UUID, uuid.UUID]
) -> list[Mismatch]:
    """By day, since the meter lists no hours; in the order of days."""
    ours: defaultdict[_DayKey, Decimal] = defaultdict(Decimal)
    theirs: defaultdict[_DayKey, Decimal] = defaultdict(Decimal)
    tenant_of, not_charged = dict(owners), set[_DayKey]()
    for each in accepted:
        ours[each.subscription_id, each.dimension, each.day] += each.quantity
        tenant_of[each.subscription_id] = each.tenant
    for day in listed:
        key = (uuid.UUID(day.subscription_id), day.dimension, day.day)
        theirs[key] += day.quantity
        if day.recon_status.lower() in _NOT_CHARGED:
            not_charged.add(key)
    found = []
    for key in sorted(ours.keys() | theirs.keys(), key=lambda key: (key[2], key[0], key[1])):
        difference = _difference(ours[key], theirs[key], is_charged=key not in not_charged)
        if difference is not None:
            found.append(Mismatch(difference, tenant_of.get(key[0]), *key, ours[key], theirs[key]))
    return found


def _difference(ours: Decimal, theirs: Decimal, *, is_charged: bool) -> Difference | None:
    if ours == theirs:
        return None if is_charged else Difference.NOT_CHARGED
    if not theirs:
        return Difference.MISSING
    return Difference.DIFFERENT if ours else Difference.FOREIGN


def ensure_not_reported(entry: Entry, listed: Decimal, others: int) -> None:
    """Lets through events that were certainly never accepted, since reported usage cannot be taken back.

    Raises:
        RescheduleRefused: it is not in alarm, or the meter has usage of its hour, its day or a later day.
    """
    name = f"event {entry.event.id}"
    if entry.event.state is not UsageState.ALARM:
        raise RescheduleRefused(f"{name} is {entry.event.state}; only an event in alarm can be rescheduled")
    if entry.last_result in {"Duplicate", "Accepted"}:
        raise RescheduleRefused(f"{name} met another quantity in its hour; reporting it again would charge more")
    if listed != others:
        raise RescheduleRefused(
            f"the meter has {listed} since the day of {name}, of which {others} are known; clear that up first"
        )


def free_hour(entry: Entry, used: set[dt.datetime], now: dt.datetime) -> dt.datetime:
    """The latest unused hour that the meter still accepts; after a cancellation, an hour before it.

    Raises:
        RescheduleRefused: there is none.
    """
    last = min(now, entry.ended_at or now)
    hour = hour_of(last)
    while hour > now - TAKEN_FOR:
        if hour not in used:
            return hour
        hour -= dt.timedelta(hours=1)
    raise RescheduleRefused(f"the meter accepts the usage of event {entry.event.id} in no hour any more")
