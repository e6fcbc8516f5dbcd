"""The publisher's API: fulfillment, operations and metering, version 2018-08-31."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from werkzeug.routing import Rule
from werkzeug.wrappers import Request, Response

from devcloud.emulators.marketplace.catalog import plans_of
from devcloud.emulators.marketplace.documents import operation_document, resolve_document, subscription_document
from devcloud.emulators.marketplace.errors import MarketplaceError
from devcloud.emulators.marketplace.metering import Meter
from devcloud.emulators.marketplace.model import Operation
from devcloud.emulators.marketplace.operations import Operations
from devcloud.emulators.marketplace.sales import Sales
from shared import clock


VERSION: Final = "2018-08-31"
_SUBSCRIPTIONS: Final = "/api/saas/subscriptions"
RULES: Final = (
    Rule(f"{_SUBSCRIPTIONS}/resolve", endpoint="resolve", methods=["POST"]),
    Rule(_SUBSCRIPTIONS, endpoint="list", methods=["GET"], strict_slashes=False),
    Rule(f"{_SUBSCRIPTIONS}/", endpoint="list", methods=["GET"], strict_slashes=False),
    Rule(f"{_SUBSCRIPTIONS}/<subscription>", endpoint="get", methods=["GET"]),
    Rule(f"{_SUBSCRIPTIONS}/<subscription>", endpoint="change", methods=["PATCH"]),
    Rule(f"{_SUBSCRIPTIONS}/<subscription>", endpoint="cancel", methods=["DELETE"]),
    Rule(f"{_SUBSCRIPTIONS}/<subscription>/activate", endpoint="activate", methods=["POST"]),
    Rule(f"{_SUBSCRIPTIONS}/<subscription>/listAvailablePlans", endpoint="plans", methods=["GET"]),
    Rule(f"{_SUBSCRIPTIONS}/<subscription>/operations", endpoint="operations", methods=["GET"]),
    Rule(f"{_SUBSCRIPTIONS}/<subscription>/operations/<operation>", endpoint="operation", methods=["GET"]),
    Rule(f"{_SUBSCRIPTIONS}/<subscription>/operations/<operation>", endpoint="acknowledge", methods=["PATCH"]),
    Rule("/api/usageEvent", endpoint="usage", methods=["POST"]),
    Rule("/api/batchUsageEvent", endpoint="usage_batch", methods=["POST"]),
    Rule("/api/usageEvents", endpoint="usage_list", methods=["GET"]),
)


class Api:
    """Handles each endpoint, after the check of the caller."""

    def __init__(self, url: str, operations: Operations, sales: Sales, meter: Meter) -> None:
        self._url, self._operations, self._sales, self._meter = url, operations, sales, meter

    def handle(self, request: Request, endpoint: str, values: Mapping[str, str]) -> Response:
        if request.args.get("api-version") != VERSION:
            raise MarketplaceError(400, "ApiVersionUnspecified", f"An API version is required: api-version={VERSION}.")
        endpoints: dict[str, Callable[..., Response]] = {
            "resolve": self._resolve,
            "list": self._list,
            "get": self._get,
            "change": self._change,
            "cancel": self._cancel,
            "activate": self._activate,
            "plans": self._plans,
            "operations": self._list_operations,
            "operation": self._operation,
            "acknowledge": self._acknowledge,
            "usage": self._usage,
            "usage_batch": self._usage_batch,
            "usage_list": self._usage_list,
        }
        return endpoints[endpoint](request, **values)

    def _resolve(self, request: Request) -> Response:
        subscription = self._sales.resolve(request.headers.get("x-ms-marketplace-token"))
        return as_json(resolve_document(subscription, self._operations.shapes))

    def _list(self, request: Request) -> Response:
        token = request.args.get("continuationToken", "0")
        if not token.isdecimal():
            raise MarketplaceError(400, "BadArgument", "The continuationToken is invalid.")
        page, following = self._sales.page(int(token))
        shapes = self._operations.shapes
        if not page and shapes.empty_bodies:
            return Response(status=200)
        document: dict[str, Any] = {"subscriptions": [subscription_document(each, shapes) for each in page]}
        if following is not None:
            query = urlencode({"continuationToken": following, "api-version": VERSION})
            document["@nextLink"] = shapes.next_link or f"{self._url}{_SUBSCRIPTIONS}/?{query}"
        return as_json(document)

    def _get(self, _request: Request, subscription: str) -> Response:
        return as_json(subscription_document(self._sales.find_visible(subscription), self._operations.shapes))

    def _activate(self, request: Request, subscription: str) -> Response:
        body = parse_body(request)
        self._sales.activate(subscription, body.get("planId"), body.get("quantity"))
        return Response(status=200)

    def _change(self, request: Request, subscription: str) -> Response:
        body = parse_body(request)
        plan, quantity = body.get("planId"), body.get("quantity")
        if isinstance(quantity, str) and quantity.isdecimal():
            quantity = int(quantity)
        if not isinstance(plan, str | None) or not isinstance(quantity, int | None):
            raise MarketplaceError(400, "BadArgument", "The planId is a text, the quantity a number.")
        return self._accepted(self._sales.change(subscription, plan, quantity, "Partner"))

    def _cancel(self, _request: Request, subscription: str) -> Response:
        operation = self._sales.unsubscribe(subscription, "Partner")
        assert operation is not None, "a cancellation by the publisher has an operation"  # noqa: S101 - invariant
        return self._accepted(operation)

    def _plans(self, request: Request, subscription: str) -> Response:
        try:
            offer = self._operations.subscription(subscription).offer_id
        except MarketplaceError:
            if self._operations.shapes.empty_bodies:
                return Response(status=200)
            raise
        plan_id = request.args.get("planId")
        unpriced = self._operations.shapes.unpriced
        plans = [
            each.document(is_priced=each.id not in unpriced) for each in plans_of(offer) if plan_id in (None, each.id)
        ]
        return as_json({"plans": plans})

    def _list_operations(self, _request: Request, subscription: str) -> Response:
        offer, shapes = self._operations.subscription(subscription).offer_id, self._operations.shapes
        outstanding = self._operations.outstanding(subscription)
        return as_json({"operations": [operation_document(each, offer, shapes) for each in outstanding]})

    def _operation(self, _request: Request, subscription: str, operation: str) -> Response:
        found_operation = self._operations.find(subscription, operation)
        offer = self._operations.subscription(subscription).offer_id
        return as_json(operation_document(found_operation, offer, self._operations.shapes))

    def _acknowledge(self, request: Request, subscription: str, operation: str) -> Response:
        self._operations.acknowledge(subscription, operation, parse_body(request).get("status"))
        return Response(status=200)

    def _usage(self, request: Request) -> Response:
        status, document = self._meter.record_event(parse_body(request))
        return as_json(document, status)

    def _usage_batch(self, request: Request) -> Response:
        status, document = self._meter.record_batch(parse_body(request).get("request"))
        return as_json(document, status)

    def _usage_list(self, request: Request) -> Response:
        return as_json(self._meter.list_usage(request.args))

    def _accepted(self, operation: Operation) -> Response:
        path = f"{_SUBSCRIPTIONS}/{operation.subscription_id}/operations/{operation.id}"
        response = Response(status=202)
        response.headers["Operation-Location"] = f"{self._url}{path}?api-version={VERSION}"
        return response


def parse_body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.get_data() or b"{}")
    except ValueError:
        raise MarketplaceError(400, "BadArgument", "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise MarketplaceError(400, "BadArgument", "The body is no object.")
    return body


def as_json(document: object, status: int = 200) -> Response:
    return Response(json.dumps(document), status, content_type="application/json; charset=utf-8")


def add_request_ids(request: Request, response: Response) -> Response:
    """Adds the request id and correlation id of the request, or new ones."""
    for name in ("x-ms-requestid", "x-ms-correlationid"):
        response.headers[name] = request.headers.get(name) or str(clock.new_id())
    return response


def error_response(error: MarketplaceError, *, metering: bool) -> Response:
    """Fulfillment and metering have different error documents."""
    document = {"code": error.code, "message": error.message}
    return as_json(document if metering else {"error": document}, error.status)
