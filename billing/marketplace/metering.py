"""The metering calls: tells the Marketplace what was used, and asks what it has."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeVar

from billing.marketplace.deadline import Flow
from billing.marketplace.errors import Unreadable
from billing.marketplace.model import listed
from billing.marketplace.transport import Call, Http
from billing.marketplace.usage_model import Usage, UsageDay, UsageKey, UsageResult


MOST_EVENTS: Final = 25
_Model = TypeVar("_Model", UsageResult, UsageDay)


@dataclass(frozen=True, slots=True)
class UsageList:
    """The days that the meter lists, and how many rows of the list cannot be understood."""

    days: tuple[UsageDay, ...]
    unreadable: int

    def of(self, usage: Usage, since: dt.date, until: dt.date) -> Decimal:
        """What it lists of the subscription and dimension of a piece of usage, from a day to another, both included."""
        wanted = str(usage.subscription_id), usage.dimension
        mine = (each for each in self.days if (each.subscription_id, each.dimension) == wanted)
        return sum((each.quantity for each in mine if since <= each.day <= until), Decimal(0))


class Meter:
    """Raises as the client does. Telling the same usage twice is the same as once: its hour is taken then."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def send_usage(self, events: Sequence[Usage], flow: Flow) -> dict[UsageKey, UsageResult]:
        """What became of each of 1 to 25 events, by subscription, dimension and hour: their order is not promised.

        An event that the answer does not tell of, or not readably, is left out: nothing is known of it.
        """
        if not 1 <= len(events) <= MOST_EVENTS:
            raise ValueError(f"a batch has 1 to {MOST_EVENTS} events")
        call = Call("send_usage", "POST", "batchUsageEvent", {"request": [each.document() for each in events]})
        told = self._http.send(call, flow).document()
        found: dict[UsageKey, UsageResult] = {}
        for row in listed(told, "result"):
            result = _readable(UsageResult, row)
            if result is not None and result.key is not None:
                found.setdefault(result.key, result)
        return found

    def usage(self, since: dt.date, until: dt.date, flow: Flow) -> UsageList:
        """What the meter has of all subscriptions, from a day of UTC to another, both among them.

        Asked for one day more, since it is not documented whether the last day is among them.
        """
        end = until + dt.timedelta(days=1)
        query = {"usageStartDate": since.isoformat(), "UsageEndDate": end.isoformat()}
        told = self._http.send(Call("list_usage", "GET", "usageEvents", query=query), flow).document()
        rows = listed(told, "usageEvents")
        days = [day for row in rows if (day := _readable(UsageDay, row)) is not None]
        within = tuple(day for day in days if since <= day.day <= until)
        return UsageList(within, len(rows) - len(days))


def _readable(model: type[_Model], row: object) -> _Model | None:
    try:
        return model.read(row)
    except Unreadable:
        return None
