"""The meter: usage events, one for each resource, dimension and hour, none older than a day, none changed."""

import datetime as dt
import random
from collections.abc import Mapping
from typing import Any, Final

from devcloud.emulators.marketplace.catalogue import find_plan
from devcloud.emulators.marketplace.documents import seven_digits
from devcloud.emulators.marketplace.model import State, Subscription, Usage
from devcloud.emulators.marketplace.operations import Operations
from devcloud.emulators.marketplace.refusal import Refused
from shared import clock


Document = dict[str, Any]
MOST_IN_A_BATCH: Final = 25
OLDEST: Final = dt.timedelta(hours=24)
_ECHOED: Final = ("resourceId", "quantity", "dimension", "effectiveStartTime", "planId")
_WRONG: Final = "One or more errors have occurred."


class Wrong(Exception):
    """What is the matter with an event: the status of an item of a batch, a sentence, and the member."""

    def __init__(self, status: str, message: str, target: str) -> None:
        super().__init__(message)
        self.status, self.message, self.target = status, message, target


class Duplicate(Exception):
    """The hour has its event; it stays as it is."""

    def __init__(self, usage: Usage) -> None:
        super().__init__(usage.id)
        self.usage = usage


class Meter:
    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def single(self, event: object) -> tuple[int, Document]:
        """The status and the body of the answer to one event."""
        given = _mapping(event)
        try:
            return 200, _accepted(self._record(given), given)
        except Duplicate as error:
            return 409, _conflict(error.usage)
        except Wrong as error:
            detail = {"message": error.message, "target": error.target, "code": "BadArgument"}
            told = {"message": _WRONG, "target": "usageEventRequest", "details": [detail], "code": "BadArgument"}
            return 400, told

    def batch(self, events: object) -> tuple[int, Document]:
        """Each event has a status of its own in the answer."""
        if not isinstance(events, list) or not 1 <= len(events) <= MOST_IN_A_BATCH:
            detail = {"message": "A batch has 1 to 25 events.", "target": "request", "code": "BadArgument"}
            return 400, {"message": _WRONG, "target": "usageEventRequest", "details": [detail], "code": "BadArgument"}
        result = [self._item(_mapping(event)) for event in events]
        if self._operations.shapes.shuffled_batches:
            random.shuffle(result)
        return 200, {"count": len(result), "result": result}

    def listed(self, asked: Mapping[str, str]) -> list[Document]:
        """By day, from `usageStartDate` until `UsageEndDate`."""
        start = _day(asked.get("usageStartDate"))
        if start is None:
            raise Refused(400, "BadArgument", "usageStartDate is missing or no date.")
        end = _day(asked.get("UsageEndDate") or asked.get("usageEndDate")) or dt.date.max
        with self._operations.looking() as state:
            days: dict[tuple[dt.date, str, str, str], list[Usage]] = {}
            for usage in state.usage:
                if start <= usage.slot.date() <= end and _is_asked_for(usage, asked):
                    key = (usage.slot.date(), usage.resource_id, usage.dimension, usage.plan_id)
                    days.setdefault(key, []).append(usage)
            return [self._day_document(state, day, usage) for (day, *_), usage in sorted(days.items())]

    def _item(self, given: Document) -> Document:
        echoed = {name: given.get(name) for name in _ECHOED}
        try:
            return _accepted(self._record(given), given)
        except Duplicate as error:
            told = {"status": "Duplicate", "messageTime": "0001-01-01T00:00:00", "error": _conflict(error.usage)}
            return {**told, **echoed}
        except Wrong as error:
            detail = {"message": error.message, "target": error.target, "code": error.status}
            return {"status": error.status, "messageTime": "0001-01-01T00:00:00", "error": detail, **echoed}

    def _record(self, given: Document) -> Usage:
        """The first event of its hour is taken, and stays.

        Raises:
            Wrong: it cannot be taken.
            Duplicate: the hour has one.
        """
        if (trouble := self._operations.shapes.usage_status) is not None:
            raise Wrong(trouble, "The event could not be taken.", "ResourceId")
        now = self._operations.now()
        resource, dimension, plan = (_text(given, name) for name in ("resourceId", "dimension", "planId"))
        quantity, effective = _quantity(given), _instant(given)
        with self._operations.changing() as state:
            if resource not in state.subscriptions:
                raise Wrong("ResourceNotFound", "The resource was not found.", "ResourceId")
            subscription = state.subscriptions[resource]
            if effective <= now - OLDEST:
                raise Wrong("Expired", "The event is older than 24 hours.", "EffectiveStartTime")
            if effective > now:
                raise Wrong("BadArgument", "The event is in the future.", "EffectiveStartTime")
            _check_active(subscription, effective)
            if plan != subscription.plan_id:
                raise Wrong("BadArgument", "The plan is not the one that was bought.", "PlanId")
            if dimension not in find_plan(plan).dimensions:
                raise Wrong("InvalidDimension", "The plan has no such dimension.", "Dimension")
            slot = effective.replace(minute=0, second=0, microsecond=0)
            for usage in state.usage:
                if (usage.resource_id, usage.dimension, usage.slot) == (resource, dimension, slot):
                    raise Duplicate(usage)
            told = str(given["effectiveStartTime"])
            values: Document = {"id": str(clock.new_id()), "resource_id": resource, "dimension": dimension}
            new = Usage(**values, quantity=quantity, effective=told, slot=slot, plan_id=plan, told_at=now)
            state.usage.append(new)
            return new

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
    """After the end, what was used before it may still be told."""
    used_before = subscription.cancelled_at is not None and effective <= subscription.cancelled_at
    used_before = used_before and subscription.starts_on is not None
    if subscription.status != "Subscribed" and not used_before:
        raise Wrong("ResourceNotActive", "The resource is not active.", "ResourceId")


def _mapping(event: object) -> Document:
    return event if isinstance(event, dict) else {}


def _text(given: Document, name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise Wrong("BadArgument", f"The {name} is required.", name[:1].upper() + name[1:])
    return value


def _quantity(given: Document) -> float:
    value = given.get("quantity")
    if not isinstance(value, int | float) or isinstance(value, bool) or not value > 0:
        raise Wrong("InvalidQuantity", "The quantity must be greater than 0.", "Quantity")
    return float(value)


def _instant(given: Document) -> dt.datetime:
    """A time without an offset is UTC."""
    try:
        instant = dt.datetime.fromisoformat(_text(given, "effectiveStartTime"))
    except ValueError:
        raise Wrong("BadArgument", "The effectiveStartTime is no time.", "EffectiveStartTime") from None
    return instant.replace(tzinfo=dt.UTC) if instant.tzinfo is None else instant.astimezone(dt.UTC)


def _day(text: str | None) -> dt.date | None:
    try:
        return dt.datetime.fromisoformat(text).date() if text else None
    except ValueError:
        return None


def _is_asked_for(usage: Usage, asked: Mapping[str, str]) -> bool:
    plan, dimension = asked.get("planId"), asked.get("dimension")
    return plan in (None, "", usage.plan_id) and dimension in (None, "", usage.dimension)


def _accepted(usage: Usage, given: Document) -> Document:
    echoed = {name: given.get(name) for name in _ECHOED}
    return {"usageEventId": usage.id, "status": "Accepted", "messageTime": seven_digits(usage.told_at), **echoed}


def _conflict(usage: Usage) -> Document:
    """Carries the event that is on record, for the publisher to compare."""
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
