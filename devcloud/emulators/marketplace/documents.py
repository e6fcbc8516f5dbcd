"""The documents of subscriptions, operations and webhooks, in the present shapes."""

import datetime as dt
from typing import Any, Final

from devcloud.emulators.marketplace.behavior import ResponseShapes
from devcloud.emulators.marketplace.catalog import PUBLISHER_ID
from devcloud.emulators.marketplace.model import Operation, Subscription


Document = dict[str, Any]
_YEAR_1: Final = "0001-01-01T00:00:00"


def subscription_document(subscription: Subscription, shapes: ResponseShapes, status: str | None = None) -> Document:
    """`status` replaces the true one in webhook bodies."""
    shown_status = status or subscription.status
    document = {
        "id": subscription.id,
        "publisherId": PUBLISHER_ID,
        "offerId": subscription.offer_id,
        "name": subscription.name,
        "saasSubscriptionStatus": f" {shown_status} " if shapes.padded_status else shown_status,
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
    return _drop_lacking(document, shapes)


def resolve_document(subscription: Subscription, shapes: ResponseShapes) -> Document:
    return {
        "id": subscription.id,
        "subscriptionName": subscription.name,
        "offerId": subscription.offer_id,
        "planId": subscription.plan_id,
        "quantity": quantity_of(subscription.quantity, shapes),
        "subscription": subscription_document(subscription, shapes),
    }


def operation_document(operation: Operation, offer: str, shapes: ResponseShapes) -> Document:
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
    return _drop_lacking(document, shapes)


def _drop_lacking(document: Document, shapes: ResponseShapes) -> Document:
    return {name: None if name in shapes.lacking else value for name, value in document.items()}


def event_document(operation: Operation, subscription: Subscription, shapes: ResponseShapes) -> Document:
    """The body of a webhook, with the subscription at the time of the event."""
    minimal = shapes.minimal_bodies
    if operation.action == "Reinstate" and minimal != "never":
        return {"subscriptionId": operation.subscription_id, "operationType": "Reinstate"}
    document = {
        "id": operation.id,
        "activityId": operation.id,
        "operationRequestSource": operation.source,
        "subscriptionId": operation.subscription_id,
        "timeStamp": seven_digits(operation.created_at),
        "action": operation.action,
    }
    if minimal == "all":
        return document
    status = shapes.suspend_body if operation.action == "Suspend" else None
    return {
        **document,
        "publisherId": PUBLISHER_ID,
        "offerId": subscription.offer_id,
        "planId": operation.plan_id,
        "quantity": quantity_of(operation.quantity, shapes),
        "status": operation.status,
        "subscription": subscription_document(subscription, shapes, status),
        "purchaseToken": None,
    }


def quantity_of(quantity: int | None, shapes: ResponseShapes) -> int | str | None:
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
    """UTC in the format of .NET."""
    return f"{instant.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"


def _term(subscription: Subscription, shapes: ResponseShapes) -> Document:
    """The term; before the activation only its unit."""
    unit = "P7D" if shapes.unknown_enums else subscription.term_unit
    if subscription.starts_on is None or subscription.ends_on is None:
        return _drop_lacking({"termUnit": unit}, shapes)
    document = {
        "startDate": f"{subscription.starts_on}T00:00:00Z",
        "endDate": f"{subscription.ends_on}T00:00:00Z",
        "termUnit": unit,
        "chargeDuration": None,
    }
    return _drop_lacking(document, shapes)
