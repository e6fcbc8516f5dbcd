"""The API the publisher calls: fulfilment, operations and metering, as version 2018-08-31 has them."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from werkzeug.routing import Rule
from werkzeug.wrappers import Request, Response

from devcloud.emulators.marketplace.catalogue import plans_of
from devcloud.emulators.marketplace.documents import operation_document, resolve_document, subscription_document
from devcloud.emulators.marketplace.metering import Meter
from devcloud.emulators.marketplace.model import Operation
from devcloud.emulators.marketplace.operations import Operations
from devcloud.emulators.marketplace.refusal import Refused
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
    """Answers each endpoint; who calls has been checked before."""

    def __init__(self, url: str, operations: Operations, sales: Sales, meter: Meter) -> None:
        self._url, self._operations, self._sales, self._meter = url, operations, sales, meter

    def answer(self, request: Request, endpoint: str, values: Mapping[str, str]) -> Response:
        if request.args.get("api-version") != VERSION:
            raise Refused(400, "ApiVersionUnspecified", f"An API version is required: api-version={VERSION}.")
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
        found = self._sales.resolve(request.headers.get("x-ms-marketplace-token"))
        return as_json(resolve_document(found, self._operations.shapes))

    def _list(self, request: Request) -> Response:
        given = request.args.get("continuationToken", "0")
        if not given.isdecimal():
            raise Refused(400, "BadArgument", "The continuationToken is not one of ours.")
        page, following = self._sales.page(int(given))
        shapes = self._operations.shapes
        if not page and shapes.empty_bodies:
            return Response(status=200)
        told: dict[str, Any] = {"subscriptions": [subscription_document(each, shapes) for each in page]}
        if following is not None:
            query = urlencode({"continuationToken": following, "api-version": VERSION})
            told["@nextLink"] = shapes.next_link or f"{self._url}{_SUBSCRIPTIONS}/?{query}"
        return as_json(told)

    def _get(self, _request: Request, subscription: str) -> Response:
        return as_json(subscription_document(self._sales.shown(subscription), self._operations.shapes))

    def _activate(self, request: Request, subscription: str) -> Response:
        given = body_of(request)
        self._sales.activate(subscription, given.get("planId"), given.get("quantity"))
        return Response(status=200)

    def _change(self, request: Request, subscription: str) -> Response:
        given = body_of(request)
        plan, quantity = given.get("planId"), given.get("quantity")
        if isinstance(quantity, str) and quantity.isdecimal():
            quantity = int(quantity)
        if not isinstance(plan, str | None) or not isinstance(quantity, int | None):
            raise Refused(400, "BadArgument", "The planId is a text, the quantity a number.")
        return self._begun(self._sales.change(subscription, plan, quantity, "Partner"))

    def _cancel(self, _request: Request, subscription: str) -> Response:
        operation = self._sales.unsubscribe(subscription, "Partner")
        assert operation is not None, "the publisher's own end is always told"  # noqa: S101 - an invariant of ours
        return self._begun(operation)

    def _plans(self, request: Request, subscription: str) -> Response:
        try:
            offer = self._operations.subscription(subscription).offer_id
        except Refused:
            if self._operations.shapes.empty_bodies:
                return Response(status=200)
            raise
        wanted = request.args.get("planId")
        unpriced = self._operations.shapes.unpriced
        told = [
            each.document(is_priced=each.id not in unpriced) for each in plans_of(offer) if wanted in (None, each.id)
        ]
        return as_json({"plans": told})

    def _list_operations(self, _request: Request, subscription: str) -> Response:
        offer, shapes = self._operations.subscription(subscription).offer_id, self._operations.shapes
        found = self._operations.outstanding(subscription)
        return as_json({"operations": [operation_document(each, offer, shapes) for each in found]})

    def _operation(self, _request: Request, subscription: str, operation: str) -> Response:
        found = self._operations.find(subscription, operation)
        offer = self._operations.subscription(subscription).offer_id
        return as_json(operation_document(found, offer, self._operations.shapes))

    def _acknowledge(self, request: Request, subscription: str, operation: str) -> Response:
        self._operations.acknowledge(subscription, operation, body_of(request).get("status"))
        return Response(status=200)

    def _usage(self, request: Request) -> Response:
        status, told = self._meter.single(body_of(request))
        return as_json(told, status)

    def _usage_batch(self, request: Request) -> Response:
        status, told = self._meter.batch(body_of(request).get("request"))
        return as_json(told, status)

    def _usage_list(self, request: Request) -> Response:
        return as_json(self._meter.listed(request.args))

    def _begun(self, operation: Operation) -> Response:
        path = f"{_SUBSCRIPTIONS}/{operation.subscription_id}/operations/{operation.id}"
        response = Response(status=202)
        response.headers["Operation-Location"] = f"{self._url}{path}?api-version={VERSION}"
        return response


def body_of(request: Request) -> dict[str, Any]:
    try:
        given = json.loads(request.get_data() or b"{}")
    except ValueError:
        raise Refused(400, "BadArgument", "The body is not JSON.") from None
    if not isinstance(given, dict):
        raise Refused(400, "BadArgument", "The body is no object.")
    return given


def as_json(document: object, status: int = 200) -> Response:
    return Response(json.dumps(document), status, content_type="application/json; charset=utf-8")


def with_ids(request: Request, response: Response) -> Response:
    """The ids of the request and of the flow come back; who sent none gets some."""
    for name in ("x-ms-requestid", "x-ms-correlationid"):
        response.headers[name] = request.headers.get(name) or str(clock.new_id())
    return response


def refusal(error: Refused, *, metering: bool) -> Response:
    """Fulfilment and metering say no in shapes of their own."""
    told = {"code": error.code, "message": error.message}
    return as_json(told if metering else {"error": told}, error.status)
