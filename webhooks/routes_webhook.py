"""The HTTP function that the Marketplace calls with each event of a subscription."""

import json
from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func

from shared.errors import NotFound, Unavailable
from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import Answer, Operation
from shared.http.reply import Reply
from shared.log import get_logger
from shared.marketplace.errors import Unreadable
from shared.marketplace.model import WebhookEvent
from webhooks import flow_events
from webhooks.service_token import require_marketplace


blueprint = func.Blueprint()
_BODY_LIMIT: Final = 256 * 1024


@route(
    blueprint,
    Operation(
        id="receive_marketplace_event",
        method=HTTPMethod.POST,
        path="marketplace/webhook",
        tag="marketplace",
        summary="What happened to a subscription",
        description="For the Azure Marketplace alone, whose token is checked on every call. The body only says what to "
        "ask Microsoft about. 200 accepts a change, 409 refuses it, and whatever is answered 5xx is to be sent again.",
        body_limit=_BODY_LIMIT,
        answers={200: Answer("It was taken")},
        problems={
            401: ("invalid_token",),
            404: ("no_such_route",),
            409: ("seats_in_use", "plan_not_sold"),
            503: ("marketplace_unavailable", "marketplace_event_unreadable", "signing_keys_unavailable"),
        },
    ),
)
def receive_marketplace_event(call: Call) -> Reply:
    app = call.app
    if app.marketplace is None:
        raise NotFound("There is no such address. GET /api/openapi.json lists all there are.", code="no_such_route")
    require_marketplace(
        call.request.headers.get("authorization"),
        keys=app.validator.keys,
        v1_keys=app.v1_keys,
        settings=app.settings,
        now=app.now(),
    )
    flow_events.receive(app, app.marketplace, _event(call.request.get_body()))
    return Reply(HTTPStatus.OK)


def _event(body: bytes) -> WebhookEvent:
    """What the body says, read tolerantly.

    Raises:
        Unavailable: it is something else; a 4xx would reject a change that somebody paid for.
    """
    try:
        return WebhookEvent.read(json.loads(body))
    except (ValueError, RecursionError, Unreadable) as error:
        get_logger().error("marketplace_event_unreadable", reason=type(error).__name__)
        raise Unavailable("This event cannot be read.", code="marketplace_event_unreadable") from error
