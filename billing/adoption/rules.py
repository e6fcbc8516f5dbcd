"""Decides what of the meter's list no record here knows of, after a backup was restored: pure."""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias

from billing.marketplace.usage_model import UsageDay
from billing.metering.model import UsageEvent, UsageState
from billing.metering.rules import accepted_among, arrived_ids
from shared.calendar import Month


DayKey: TypeAlias = tuple[str, dt.date]  # a dimension, and a day of UTC


class NotAdopted(Exception):
    """Why nothing of a subscription was adopted, in words for the operator."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What the meter has of a subscription and dimension for a day; `plan_id` is empty while it is not processed."""

    quantity: Decimal
    plan_id: str


@dataclass(frozen=True, slots=True)
class Difference:
    """What becomes of a day: events that had arrived, and units that no event here is of.

    `odd` is the part of the surplus that is no whole number of users: it was never sent by this product.
    """

    arrived: tuple[UsageEvent, ...]
    surplus: int
    odd: Decimal


@dataclass(frozen=True, slots=True)
class AdoptedDay:
    """Units of a day that count as sent from now on; `month` is that of the bill that they count for.

    None: the subscription had no period that had ended by that day.
    """

    subscription_id: uuid.UUID
    dimension: str
    day: dt.date
    quantity: int
    month: Month | None


@dataclass(frozen=True, slots=True)
class OverSent:
    """A closed month of which the meter has more users than the bill."""

    month: Month
    sent: int
    billed: int


@dataclass(frozen=True, slots=True)
class TenantAdoption:
    """What was adopted for one subscription; `tenant` is the public id."""

    tenant: uuid.UUID
    slug: str
    settled: tuple[UsageEvent, ...] = ()
    adopted: tuple[AdoptedDay, ...] = ()
    over: tuple[OverSent, ...] = ()
    odd: tuple[DayKey, ...] = ()  # days with a part of a user

    @property
    def unassigned(self) -> tuple[AdoptedDay, ...]:
        return tuple(each for each in self.adopted if each.month is None)


@dataclass(frozen=True, slots=True)
class Adoption:
    """What a run adopted, subscription by subscription; `unreadable` counts rows of the list that say nothing."""

    tenants: tuple[TenantAdoption, ...] = field(default=())
    unreadable: int = 0


def listed_by_subscription(days: Iterable[UsageDay]) -> dict[uuid.UUID, dict[DayKey, Listed]]:
    """The meter's list, which may have several rows of a day, for each subscription."""
    found: defaultdict[uuid.UUID, dict[DayKey, Listed]] = defaultdict(dict)
    for each in days:
        mine, key = found[uuid.UUID(each.subscription_id)], (each.dimension, each.day)
        before = mine.get(key, Listed(Decimal(0), ""))
        mine[key] = Listed(before.quantity + each.quantity, each.plan_id or before.plan_id)
    return dict(found)


def difference(listed: Decimal, events: Sequence[UsageEvent], adopted: int) -> Difference:
    """What of a day the meter has and neither an accepted event nor adopted usage is of; nothing where it has less.

    Open events come first: their hours are taken, so a repeat would be a duplicate.
    """
    unknown = max(Decimal(0), listed - accepted_among(events) - adopted)
    open_events = [each for each in events if each.state in {UsageState.PENDING, UsageState.HELD}]
    rows = arrived_ids(unknown, open_events)
    arrived = tuple(each for each in open_events if each.id in rows)
    rest = unknown - sum(each.usage.quantity for each in arrived)
    return Difference(arrived, int(rest), rest - int(rest))


def events_by_day(events: Iterable[UsageEvent]) -> Mapping[DayKey, list[UsageEvent]]:
    found: defaultdict[DayKey, list[UsageEvent]] = defaultdict(list)
    for each in events:
        found[each.usage.dimension, each.usage.slot.astimezone(dt.UTC).date()].append(each)
    return found
