"""The HTTP function that the Marketplace calls with each event of a subscription."""

import json
from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func

from billing import marketplace
from billing.marketplace import UnreadableResponse, WebhookEvent
from shared.errors import Inconclusive
from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import Answer, Operation
from shared.http.reply import Reply
from shared.log import get_logger
from shared.restore.flow import HELD, require_not_held
from webhooks.events import flow as events_flow
from webhooks.events import reconcile_flow
from webhooks.events.publisher_token import require_marketplace, v1_keys_of
from webhooks.events.schemas import SeatsInUseProblem
from webhooks.events.service import PLAN_NOT_SOLD, SEATS_IN_USE


blueprint = func.Blueprint()
_BODY_LIMIT: Final = 256 * 1024


@route(
    blueprint,
    Operation(
        id="receive_marketplace_event",
        method=HTTPMethod.POST,
        path="marketplace/webhook",
        tag="marketplace",
        problem_models=(SeatsInUseProblem,),
        body_limit=None,
        final_errors=("invalid_token", SEATS_IN_USE, PLAN_NOT_SOLD),
        answers={200: Answer("The event was accepted")},
        problems={
            401: ("invalid_token",),
            409: (SEATS_IN_USE, PLAN_NOT_SOLD),
            503: (
                "marketplace_unavailable",
                "marketplace_event_unreadable",
                "signing_key_unknown",
                "signing_keys_unavailable",
                HELD,
            ),
        },
    ),
)
def receive_marketplace_event(call: Call) -> Reply:
    """Receive a Marketplace event.

    Only for the Azure Marketplace; its token is checked on every call. The body only names the event; its data is read
    from Microsoft. 200 accepts a change. 401 and 409 are final. Every other error is 5xx and Microsoft repeats the
    event, since a 4xx would reject a change that a customer paid for.
    """
    app = call.app
    client = marketplace.of(app)
    if client is None:  # a deployment may have lost the settings; changes of earlier purchases must not be rejected
        raise Inconclusive(
            "The Marketplace is not set up here.", reason="marketplace_off", code="marketplace_unavailable"
        )
    require_marketplace(
        call.request.headers.get("authorization"),
        keys=app.validator.keys,
        v1_keys=v1_keys_of(app),
        settings=app.settings,
        now=app.now(),
    )
    require_not_held(app)
    body = call.request.get_body()
    if body:
        events_flow.receive(app, client, _event(body))
    else:  # every event has a body, so it was lost on the way
        reconcile_flow.reconcile_now(app, client)
    return Reply(HTTPStatus.OK)


def _event(body: bytes) -> WebhookEvent:
    """The event in the body, read tolerantly.

    Raises:
        Inconclusive: the body is malformed or too large; a 4xx would reject a change that somebody paid for.
    """
    try:
        return WebhookEvent.parse(_document(body))
    except (ValueError, RecursionError, UnreadableResponse) as error:
        reason = error.reason if isinstance(error, UnreadableResponse) else type(error).__name__
        get_logger().error("marketplace_event_unreadable", reason=reason)
        raise Inconclusive("This event cannot be read.", reason=reason, code="marketplace_event_unreadable") from error


def _document(body: bytes) -> object:
    if len(body) > _BODY_LIMIT:
        raise UnreadableResponse("too_large")
    return json.loads(body)
