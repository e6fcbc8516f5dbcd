"""The metering API: sends usage events to the Marketplace, and lists those it has."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeVar

from billing.marketplace.errors import UnreadableResponse
from billing.marketplace.model import list_rows
from billing.marketplace.transport import MarketplaceCall, MarketplaceTransport, parse_json
from billing.marketplace.usage_model import Usage, UsageDay, UsageKey, UsageResult
from shared.deadline import Deadline


MAX_EVENTS: Final = 25
_Model = TypeVar("_Model", UsageResult, UsageDay)


@dataclass(frozen=True, slots=True)
class UsageList:
    """The listed days, and the number of rows that cannot be parsed."""

    days: tuple[UsageDay, ...]
    unreadable: int

    def quantity_of(self, usage: Usage, since: dt.date, until: dt.date) -> Decimal:
        """The listed quantity of a subscription and dimension, from one day to another, both included."""
        key = str(usage.subscription_id), usage.dimension
        days = (day for day in self.days if (day.subscription_id, day.dimension) == key)
        return sum((day.quantity for day in days if since <= day.day <= until), Decimal(0))


class Meter:
    """Raises the errors of the client. A repeated event changes nothing, since its hour already has one."""

    def __init__(self, transport: MarketplaceTransport) -> None:
        self._transport = transport

    def send_usage(self, events: Sequence[Usage], deadline: Deadline) -> dict[UsageKey, UsageResult]:
        """The results of 1 to 25 events by subscription, dimension and hour, since their order is not guaranteed.

        An event without a readable result is left out; its outcome is unknown.
        """
        if not 1 <= len(events) <= MAX_EVENTS:
            raise ValueError(f"a batch has 1 to {MAX_EVENTS} events")
        body = {"request": [event.document() for event in events]}
        response = self._transport.send(MarketplaceCall("send_usage", "POST", "batchUsageEvent", body), deadline)
        results: dict[UsageKey, UsageResult] = {}
        for row in list_rows(parse_json(response), "result"):
            result = _parse_row(UsageResult, row)
            if result is not None and result.key is not None:
                results.setdefault(result.key, result)
        return results

    def usage(self, since: dt.date, until: dt.date, deadline: Deadline) -> UsageList:
        """The usage of all subscriptions, from one day of UTC to another, both included.

        Requests one more day, since it is not documented whether the last one is included.
        """
        end = until + dt.timedelta(days=1)
        query = {"usageStartDate": since.isoformat(), "UsageEndDate": end.isoformat()}
        response = self._transport.send(MarketplaceCall("list_usage", "GET", "usageEvents", query=query), deadline)
        rows = list_rows(parse_json(response), "usageEvents")
        days = [day for row in rows if (day := _parse_row(UsageDay, row)) is not None]
        included = tuple(day for day in days if since <= day.day <= until)
        return UsageList(included, len(rows) - len(days))


def _parse_row(model: type[_Model], row: object) -> _Model | None:
    try:
        return model.parse(row)
    except UnreadableResponse:
        return None
