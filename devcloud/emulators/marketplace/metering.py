"""The meter: one usage event per resource, dimension and hour, at most a day old, never changed."""

import datetime as dt
import random
from collections.abc import Mapping
from typing import Any, Final

from devcloud.emulators.marketplace.catalog import find_plan
from devcloud.emulators.marketplace.documents import seven_digits
from devcloud.emulators.marketplace.errors import MarketplaceError
from devcloud.emulators.marketplace.model import State, Subscription, Usage
from devcloud.emulators.marketplace.operations import Operations
from shared import clock


Document = dict[str, Any]
MOST_IN_A_BATCH: Final = 25
OLDEST: Final = dt.timedelta(hours=24)
_ECHOED: Final = ("resourceId", "quantity", "dimension", "effectiveStartTime", "planId")
_WRONG: Final = "One or more errors have occurred."


class UsageError(Exception):
    """An invalid usage event: the status in a batch, a sentence, and the member."""

    def __init__(self, status: str, message: str, target: str) -> None:
        super().__init__(message)
        self.status, self.message, self.target = status, message, target


class DuplicateUsage(Exception):
    """The hour has an event already."""

    def __init__(self, usage: Usage) -> None:
        super().__init__(usage.id)
        self.usage = usage


class Meter:
    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def record_event(self, event: object) -> tuple[int, Document]:
        """Records one event; returns status and body."""
        event = _mapping(event)
        try:
            return 200, _accepted(self._record(event), event)
        except DuplicateUsage as error:
            return 409, _conflict(error.usage)
        except UsageError as error:
            detail = {"message": error.message, "target": error.target, "code": "BadArgument"}
            document = {"message": _WRONG, "target": "usageEventRequest", "details": [detail], "code": "BadArgument"}
            return 400, document

    def record_batch(self, events: object) -> tuple[int, Document]:
        """Records a batch; each event has its own status in the response."""
        if not isinstance(events, list) or not 1 <= len(events) <= MOST_IN_A_BATCH:
            detail = {"message": "A batch has 1 to 25 events.", "target": "request", "code": "BadArgument"}
            return 400, {"message": _WRONG, "target": "usageEventRequest", "details": [detail], "code": "BadArgument"}
        result = [self._item(_mapping(event)) for event in events]
        if self._operations.shapes.shuffled_batches:
            random.shuffle(result)
        return 200, {"count": len(result), "result": result}

    def list_usage(self, query: Mapping[str, str]) -> list[Document]:
        """The usage by day, from `usageStartDate` until `UsageEndDate`."""
        start = _day(query.get("usageStartDate"))
        if start is None:
            raise MarketplaceError(400, "BadArgument", "usageStartDate is missing or no date.")
        end = _day(query.get("UsageEndDate") or query.get("usageEndDate")) or dt.date.max
        with self._operations.reading() as state:
            days: dict[tuple[dt.date, str, str, str], list[Usage]] = {}
            for usage in state.usage:
                if start <= usage.slot.date() <= end and _matches(usage, query):
                    key = (usage.slot.date(), usage.resource_id, usage.dimension, usage.plan_id)
                    days.setdefault(key, []).append(usage)
            return [self._day_document(state, day, usage) for (day, *_), usage in sorted(days.items())]

    def _item(self, event: Document) -> Document:
        echoed = {name: event.get(name) for name in _ECHOED}
        try:
            return _accepted(self._record(event), event)
        except DuplicateUsage as error:
            document = {"status": "Duplicate", "messageTime": "0001-01-01T00:00:00", "error": _conflict(error.usage)}
            return {**document, **echoed}
        except UsageError as error:
            detail = {"message": error.message, "target": error.target, "code": error.status}
            return {"status": error.status, "messageTime": "0001-01-01T00:00:00", "error": detail, **echoed}

    def _record(self, event: Document) -> Usage:
        """Records the first event of its hour.

        Raises:
            UsageError: the event is invalid.
            DuplicateUsage: the hour has an event.
        """
        if (status := self._operations.shapes.usage_status) is not None:
            raise UsageError(status, "The event could not be taken.", "ResourceId")
        now = self._operations.now()
        resource, dimension, plan = (_text(event, name) for name in ("resourceId", "dimension", "planId"))
        quantity, effective = _quantity(event), _instant(event)
        with self._operations.updating() as state:
            if resource not in state.subscriptions:
                raise UsageError("ResourceNotFound", "The resource was not found.", "ResourceId")
            subscription = state.subscriptions[resource]
            if effective <= now - OLDEST:
                raise UsageError("Expired", "The event is older than 24 hours.", "EffectiveStartTime")
            if effective > now:
                raise UsageError("BadArgument", "The event is in the future.", "EffectiveStartTime")
            _check_active(subscription, effective)
            if plan != subscription.plan_id:
                raise UsageError("BadArgument", "The plan is not the one that was bought.", "PlanId")
            if dimension not in find_plan(plan).dimensions:
                raise UsageError("InvalidDimension", "The plan has no such dimension.", "Dimension")
            slot = effective.replace(minute=0, second=0, microsecond=0)
            for usage in state.usage:
                if (usage.resource_id, usage.dimension, usage.slot) == (resource, dimension, slot):
                    raise DuplicateUsage(usage)
            given_time = str(event["effectiveStartTime"])
            values: Document = {"id": str(clock.new_id()), "resource_id": resource, "dimension": dimension}
            usage = Usage(**values, quantity=quantity, effective=given_time, slot=slot, plan_id=plan, told_at=now)
            state.usage.append(usage)
            return usage

    def _day_document(self, state: State, day: dt.date, usage: list[Usage]) -> Document:
        first, subscription = usage[0], state.subscriptions[usage[0].resource_id]
        status, quantity = self._operations.shapes.recon_status, sum(each.quantity for each in usage)
        return {
            "usageDate": f"{day}T00:00:00Z",
            "usageResourceId": first.resource_id,
            "dimension": first.dimension,
            "planId": first.plan_id,
            "planName": find_plan(first.plan_id).name,
            "offerId": subscription.offer_id,
            "offerName": "TimeTracker",
            "offerType": "SaaS",
            "azureSubscriptionId": subscription.purchaser.tid,
            "reconStatus": status,
            "submittedQuantity": quantity,
            "processedQuantity": quantity if status == "Accepted" else 0.0,
            "submittedCount": len(usage),
        }


def _check_active(subscription: Subscription, effective: dt.datetime) -> None:
    """After the cancellation, earlier usage may still be reported."""
    used_before = subscription.cancelled_at is not None and effective <= subscription.cancelled_at
    used_before = used_before and subscription.starts_on is not None
    if subscription.status != "Subscribed" and not used_before:
        raise UsageError("ResourceNotActive", "The resource is not active.", "ResourceId")


def _mapping(event: object) -> Document:
    return event if isinstance(event, dict) else {}


def _text(event: Document, name: str) -> str:
    value = event.get(name)
    if not isinstance(value, str) or not value:
        raise UsageError("BadArgument", f"The {name} is required.", name[:1].upper() + name[1:])
    return value


def _quantity(event: Document) -> float:
    value = event.get("quantity")
    if not isinstance(value, int | float) or isinstance(value, bool) or not value > 0:
        raise UsageError("InvalidQuantity", "The quantity must be greater than 0.", "Quantity")
    return float(value)


def _instant(event: Document) -> dt.datetime:
    """A time without an offset is UTC."""
    try:
        instant = dt.datetime.fromisoformat(_text(event, "effectiveStartTime"))
    except ValueError:
        raise UsageError("BadArgument", "The effectiveStartTime is no time.", "EffectiveStartTime") from None
    return instant.replace(tzinfo=dt.UTC) if instant.tzinfo is None else instant.astimezone(dt.UTC)


def _day(text: str | None) -> dt.date | None:
    try:
        return dt.datetime.fromisoformat(text).date() if text else None
    except ValueError:
        return None


def _matches(usage: Usage, query: Mapping[str, str]) -> bool:
    plan, dimension = query.get("planId"), query.get("dimension")
    return plan in (None, "", usage.plan_id) and dimension in (None, "", usage.dimension)


def _accepted(usage: Usage, event: Document) -> Document:
    echoed = {name: event.get(name) for name in _ECHOED}
    return {"usageEventId": usage.id, "status": "Accepted", "messageTime": seven_digits(usage.told_at), **echoed}


def _conflict(usage: Usage) -> Document:
    """The error with the recorded event."""
    recorded = {
        "usageEventId": usage.id,
        "status": "Duplicate",
        "messageTime": seven_digits(usage.told_at),
        "resourceId": usage.resource_id,
        "quantity": usage.quantity,
        "dimension": usage.dimension,
        "effectiveStartTime": usage.effective,
        "planId": usage.plan_id,
    }
    return {
        "additionalInfo": {"acceptedMessage": recorded},
        "message": "This usage event already exist.",
        "code": "Conflict",
    }
