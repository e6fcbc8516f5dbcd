"""What goes over the wire: subscriptions, operations and webhook bodies, in the shapes that are switched on."""

import datetime as dt
from typing import Any, Final

from devcloud.emulators.marketplace.catalogue import PUBLISHER_ID
from devcloud.emulators.marketplace.model import Operation, Subscription
from devcloud.emulators.marketplace.switches import Shapes


Document = dict[str, Any]
_YEAR_1: Final = "0001-01-01T00:00:00"


def subscription_document(subscription: Subscription, shapes: Shapes, status: str | None = None) -> Document:
    """`status` is told instead of the true one, where webhook bodies differ from it."""
    told = status or subscription.status
    document = {
        "id": subscription.id,
        "publisherId": PUBLISHER_ID,
        "offerId": subscription.offer_id,
        "name": subscription.name,
        "saasSubscriptionStatus": f" {told} " if shapes.padded_status else told,
        "beneficiary": subscription.beneficiary.document(),
        "purchaser": subscription.purchaser.document(),
        "planId": subscription.plan_id,
        "quantity": quantity_of(subscription.quantity, shapes),
        "term": _term(subscription, shapes),
        "autoRenew": True,
        "isTest": False,
        "isFreeTrial": subscription.is_free_trial,
        "allowedCustomerOperations": ["Read"] if subscription.resold else ["Delete", "Update", "Read"],
        "sandboxType": "Sandbox9" if shapes.unknown_enums else "None",
        "sessionMode": "Rehearsal" if shapes.unknown_enums else "None",
        "created": seven_digits(subscription.created_at),
        "lastModified": _YEAR_1,
    }
    return _thinned(document, shapes)


def resolve_document(subscription: Subscription, shapes: Shapes) -> Document:
    return {
        "id": subscription.id,
        "subscriptionName": subscription.name,
        "offerId": subscription.offer_id,
        "planId": subscription.plan_id,
        "quantity": quantity_of(subscription.quantity, shapes),
        "subscription": subscription_document(subscription, shapes),
    }


def operation_document(operation: Operation, offer: str, shapes: Shapes) -> Document:
    document = {
        "id": operation.id,
        "activityId": operation.id,
        "subscriptionId": operation.subscription_id,
        "offerId": offer,
        "publisherId": PUBLISHER_ID,
        "planId": operation.plan_id,
        "quantity": quantity_of(operation.quantity, shapes),
        "action": operation.action,
        "timeStamp": seven_digits(operation.created_at),
        "status": f" {operation.status} " if shapes.padded_status else operation.status,
        "operationRequestSource": operation.source,
        "errorStatusCode": "",
        "errorMessage": "",
    }
    return _thinned(document, shapes)


def _thinned(document: Document, shapes: Shapes) -> Document:
    return {name: None if name in shapes.lacking else value for name, value in document.items()}


def event_document(operation: Operation, subscription: Subscription, shapes: Shapes) -> Document:
    """The body of a webhook, with the subscription as it was when it happened."""
    minimal = shapes.minimal_bodies
    if operation.action == "Reinstate" and minimal != "never":
        return {"subscriptionId": operation.subscription_id, "operationType": "Reinstate"}
    told = {
        "id": operation.id,
        "activityId": operation.id,
        "operationRequestSource": operation.source,
        "subscriptionId": operation.subscription_id,
        "timeStamp": seven_digits(operation.created_at),
        "action": operation.action,
    }
    if minimal == "all":
        return told
    status = shapes.suspend_body if operation.action == "Suspend" else None
    return {
        **told,
        "publisherId": PUBLISHER_ID,
        "offerId": subscription.offer_id,
        "planId": operation.plan_id,
        "quantity": quantity_of(operation.quantity, shapes),
        "status": operation.status,
        "subscription": subscription_document(subscription, shapes, status),
        "purchaseToken": None,
    }


def quantity_of(quantity: int | None, shapes: Shapes) -> int | str | None:
    match shapes.quantity:
        case "string":
            return "" if quantity is None else str(quantity)
        case "empty":
            return ""
        case "null":
            return None
        case "number":
            return quantity


def seven_digits(instant: dt.datetime) -> str:
    """UTC the way .NET writes it."""
    return f"{instant.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"


def _term(subscription: Subscription, shapes: Shapes) -> Document:
    """Before the activation there is only the unit."""
    unit = "P7D" if shapes.unknown_enums else subscription.term_unit
    if subscription.starts_on is None or subscription.ends_on is None:
        return _thinned({"termUnit": unit}, shapes)
    document = {
        "startDate": f"{subscription.starts_on}T00:00:00Z",
        "endDate": f"{subscription.ends_on}T00:00:00Z",
        "termUnit": unit,
        "chargeDuration": None,
    }
    return _thinned(document, shapes)
