"""The landing page of the Marketplace: sign-in, what was bought, and its confirmation; pages that need no script."""

from http import HTTPMethod, HTTPStatus
from typing import Final
from urllib.parse import urlencode, urlsplit

import azure.functions as func

from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import LOCATION, Answer, Operation
from shared.http.page import HTML, refusal
from shared.http.parsing import public_id
from shared.http.reply import Reply
from webhooks import flow_arrival, flow_purchase, pages_landing, rules_visits
from webhooks import rules_refusals as refusals
from webhooks.flow_arrival import NotFinished
from webhooks.flow_calls import client_of
from webhooks.schemas_landing import Arrival, Confirmation, PurchasePage, Return, choices_of


blueprint = func.Blueprint()
_TAG: Final = "marketplace"
_LANDING: Final = "/api/marketplace/landing"
_PAGE: Final = Answer("The page", media=(HTML,))
_PROBLEMS: Final = {403: ("not_signed_in",), 404: ("no_such_route", "visit_over")}


@route(
    blueprint,
    Operation(
        id="open_landing_page",
        method=HTTPMethod.GET,
        path="marketplace/landing",
        tag=_TAG,
        summary="Come from the Marketplace to set up or manage a purchase",
        description="Sends the browser to sign in. For people; Microsoft opens it after a purchase, and for Manage "
        "account.",
        query=Arrival,
        answers={302: Answer("To the sign-in", headers=(LOCATION,))},
        problems={400: ("unknown_purchase",), 404: ("no_such_route",)},
        for_browser=True,
    ),
)
def open_landing_page(call: Call, query: Arrival) -> Reply:
    client_of(call.app)
    browser = _browser(call) or rules_visits.new_browser()
    address = flow_arrival.arrive(call.app, query.token, browser, _redirect_uri(call))
    cookie = rules_visits.cookie_of(browser, is_secure=call.request.url.startswith("https:"))
    return Reply(HTTPStatus.FOUND, headers={"Location": address, "Set-Cookie": cookie})


@route(
    blueprint,
    Operation(
        id="return_from_sign_in",
        method=HTTPMethod.GET,
        path="marketplace/landing/signed-in",
        tag=_TAG,
        summary="Come back from the sign-in",
        query=Return,
        answers={303: Answer("To the page of the purchase", headers=(LOCATION,))},
        problems={
            400: ("unknown_purchase",),
            403: ("not_signed_in", "personal_account", "purchase_of_another", "purchase_of_another_product"),
            404: ("no_such_route", "visit_over"),
        },
        for_browser=True,
    ),
)
def return_from_sign_in(call: Call, query: Return) -> Reply:
    client_of(call.app)
    try:
        visit = flow_arrival.come_back(call.app, query.state, _browser(call), query.code, _redirect_uri(call))
    except NotFinished as failure:
        retry = failure.retry_token and f"{_LANDING}?{urlencode({'token': failure.retry_token})}"
        return refusal(failure.error, operation=call.operation.id, request_id=call.request_id, retry=retry)
    return _to_page(str(visit))


@route(
    blueprint,
    Operation(
        id="show_purchase",
        method=HTTPMethod.GET,
        path="marketplace/landing/purchase",
        tag=_TAG,
        summary="What was bought, in whatever state it is",
        query=PurchasePage,
        answers={200: _PAGE, 403: _PAGE, 409: _PAGE},
        problems={404: ("no_such_route", "visit_over"), 409: ("another_subscription_is_live",)},
        for_browser=True,
    ),
)
def show_purchase(call: Call, query: PurchasePage) -> Reply:
    client_of(call.app)
    visit = flow_arrival.find_visit(call.app, public_id(query.visit), browser := _browser(call))
    view = flow_purchase.look(call.app, visit)
    return pages_landing.page_of(
        view, visit, rules_visits.form_token(browser or "", visit.public_id), call.app.settings
    )


@route(
    blueprint,
    Operation(
        id="activate_purchase",
        method=HTTPMethod.POST,
        path="marketplace/activate",
        tag=_TAG,
        summary="Confirm a purchase",
        description="Which purchase it is, is kept on the server since the sign-in. Sent twice, it is done once.",
        body=Confirmation,
        answers={303: Answer("To the page of the purchase", headers=(LOCATION,)), 400: _PAGE},
        problems={
            403: ("form_of_another_page", "role_required", "user_deactivated", "guest_cannot_register"),
            404: ("no_such_route", "visit_over"),
            409: ("another_subscription_is_live", "purchase_of_another", "tenant_already_registered"),
        },
        for_browser=True,
    ),
)
def activate_purchase(call: Call, body: Confirmation) -> Reply:
    client_of(call.app)
    visit = flow_arrival.find_visit(call.app, public_id(body.visit), browser := _browser(call))
    if browser is None or not rules_visits.is_form_token(body.form, browser, visit.public_id):
        raise refusals.form_of_another_page()
    choices = choices_of(body)
    if isinstance(choices, dict):
        view = flow_purchase.look(call.app, visit)
        return pages_landing.page_of(view, visit, body.form, call.app.settings, filled=body, wrong=choices)
    flow_purchase.confirm(call.app, visit, choices)
    return _to_page(body.visit)


def _browser(call: Call) -> str | None:
    return rules_visits.browser_of(call.request.headers.get("cookie"))


def _redirect_uri(call: Call) -> str:
    """Ours, by the name it was called by: Entra sends codes only to addresses that are registered.

    Raises:
        InvalidRequest: the name, a header of the caller's, makes no address.
    """
    try:
        parts = urlsplit(call.request.url)
    except ValueError:
        raise refusals.unknown_purchase() from None
    return f"{parts.scheme}://{parts.netloc}{_LANDING}/signed-in"


def _to_page(visit: str) -> Reply:
    """A page of its own address: it can be loaded again, and neither code nor token stays in the history."""
    return Reply(HTTPStatus.SEE_OTHER, headers={"Location": f"{_LANDING}/purchase?{urlencode({'visit': visit})}"})
