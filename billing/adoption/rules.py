"""Finds usage on the meter's list that is unknown here, after a restore; pure."""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias

from billing.marketplace.usage_model import UsageDay
from billing.metering.model import UsageEvent, UsageState
from billing.metering.rules import accepted_among, accepted_ids
from shared.calendar import Month


DayKey: TypeAlias = tuple[str, dt.date]  # a dimension, and a day of UTC


class NotAdopted(Exception):
    """Nothing of a subscription was adopted; the message gives the operator the reason."""


@dataclass(frozen=True, slots=True)
class Listed:
    """The meter's usage of a subscription, dimension and day; `plan_id` is empty until it is processed."""

    quantity: Decimal
    plan_id: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Unknown usage of a day: events that the meter has accepted, and units of no event.

    `odd` is the fractional part of the surplus: this product never sends fractions of users.
    """

    arrived: tuple[UsageEvent, ...]
    surplus: int
    odd: Decimal


@dataclass(frozen=True, slots=True)
class AdoptedDay:
    """Units of a day that count as reported from now on, for the bill of `month`.

    `month` is None if no period of the subscription had ended by that day.
    """

    subscription_id: uuid.UUID
    dimension: str
    day: dt.date
    quantity: int
    month: Month | None


@dataclass(frozen=True, slots=True)
class OverreportedMonth:
    """A closed month with more reported users than billed ones."""

    month: Month
    sent: int
    billed: int


@dataclass(frozen=True, slots=True)
class TenantAdoption:
    """The adopted usage of one subscription; `tenant` is the public id."""

    tenant: uuid.UUID
    slug: str
    settled: tuple[UsageEvent, ...] = ()
    adopted: tuple[AdoptedDay, ...] = ()
    overreported: tuple[OverreportedMonth, ...] = ()
    fractional: tuple[DayKey, ...] = ()  # days with a fraction of a user

    @property
    def unassigned(self) -> tuple[AdoptedDay, ...]:
        return tuple(each for each in self.adopted if each.month is None)


@dataclass(frozen=True, slots=True)
class Adoption:
    """The adopted usage of a run; `unreadable` is the number of unreadable rows of the list."""

    tenants: tuple[TenantAdoption, ...] = field(default=())
    unreadable: int = 0


def listed_by_subscription(days: Iterable[UsageDay]) -> dict[uuid.UUID, dict[DayKey, Listed]]:
    """The meter's list by subscription; several rows of a day are added up."""
    found: defaultdict[uuid.UUID, dict[DayKey, Listed]] = defaultdict(dict)
    for each in days:
        own, key = found[uuid.UUID(each.subscription_id)], (each.dimension, each.day)
        before = own.get(key, Listed(Decimal(0), ""))
        own[key] = Listed(before.quantity + each.quantity, each.plan_id or before.plan_id)
    return dict(found)


def difference(listed: Decimal, events: Sequence[UsageEvent], adopted: int) -> Difference:
    """The meter's usage of a day beyond accepted events and adopted usage; nothing if the meter has less.

    Open events come first, since a repeat for the same hour would be a duplicate.
    """
    unknown = max(Decimal(0), listed - accepted_among(events) - adopted)
    open_events = [each for each in events if each.state in {UsageState.PENDING, UsageState.HELD}]
    ids = accepted_ids(unknown, open_events)
    arrived = tuple(each for each in open_events if each.id in ids)
    rest = unknown - sum(each.usage.quantity for each in arrived)
    return Difference(arrived, int(rest), rest - int(rest))


def events_by_day(events: Iterable[UsageEvent]) -> Mapping[DayKey, list[UsageEvent]]:
    found: defaultdict[DayKey, list[UsageEvent]] = defaultdict(list)
    for each in events:
        found[each.usage.dimension, each.usage.slot.astimezone(dt.UTC).date()].append(each)
    return found
