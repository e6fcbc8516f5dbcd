"""The landing page of the Marketplace: sign-in, what was bought, and its confirmation; pages that need no script."""

from collections.abc import Iterator
from http import HTTPMethod, HTTPStatus
from typing import Final
from urllib.parse import urlencode

import azure.functions as func

from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.headers import cookies
from shared.http.operation import LOCATION, Answer, Operation
from shared.http.page import HTML, refusal
from shared.http.parsing import public_id
from shared.http.reply import Reply
from webhooks import flow_arrival, flow_purchase, pages_landing, rules_visits
from webhooks import rules_refusals as refusals
from webhooks.flow_arrival import NotFinished, Retry, Returned
from webhooks.flow_calls import client_of
from webhooks.flow_purchase import Form
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
        problems={400: ("unknown_purchase",), 404: ("no_such_route",), 421: ("address_unknown",)},
        for_browser=True,
    ),
)
def open_landing_page(call: Call, query: Arrival) -> Reply:
    client_of(call.app)
    browser = _browser(call) or rules_visits.new_browser()
    is_ours = rules_visits.is_directory_proof(query.proof, browser, query.directory)
    directory = query.directory if is_ours else None
    address = flow_arrival.arrive(call.app, query.token, browser, _redirect_uri(call), directory=directory)
    return _to_sign_in(call, browser, address)


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
            421: ("address_unknown",),
            503: ("sign_in_unchecked", "marketplace_unavailable"),
        },
        for_browser=True,
    ),
)
def return_from_sign_in(call: Call, query: Return) -> Reply:
    client_of(call.app)
    try:
        returned = Returned(query.code, query.error)
        visit = flow_arrival.come_back(call.app, query.state, _browser(call), returned, _redirect_uri(call))
    except NotFinished as failure:
        return refusal(
            failure.error,
            operation=call.operation.id,
            request_id=call.request_id,
            contact=call.app.settings.vendor_contact,
            links=_ways_on(failure.retry, _browser(call) or ""),
        )
    return _to_page(call, str(visit))


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
        problems={
            404: ("no_such_route", "visit_over"),
            409: ("another_subscription_is_live",),
            503: ("marketplace_unavailable",),
        },
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
        id="change_account",
        method=HTTPMethod.GET,
        path="marketplace/landing/other-account",
        tag=_TAG,
        summary="Sign in to the page of a purchase with another account",
        query=PurchasePage,
        answers={302: Answer("To the sign-in", headers=(LOCATION,))},
        problems={404: ("no_such_route", "visit_over"), 421: ("address_unknown",)},
        for_browser=True,
    ),
)
def change_account(call: Call, query: PurchasePage) -> Reply:
    client_of(call.app)
    visit = flow_arrival.find_visit(call.app, public_id(query.visit), browser := _browser(call))
    assert browser is not None, "the visit was found by it"  # noqa: S101 - ours
    return _to_sign_in(call, browser, flow_arrival.change_account(call.app, visit, browser, _redirect_uri(call)))


@route(
    blueprint,
    Operation(
        id="activate_purchase",
        method=HTTPMethod.POST,
        path="marketplace/activate",
        tag=_TAG,
        summary="Confirm a purchase, ask for agreement to it, or decline it",
        description="Which purchase it is, is kept on the server since the sign-in. Sent twice, it is done once. What "
        "it does depends on who sends it: whoever may not agree to a purchase of their organization asks for it.",
        body=Confirmation,
        answers={303: Answer("To the page of the purchase", headers=(LOCATION,)), 400: _PAGE},
        problems={
            403: ("form_of_another_page", "role_required", "user_deactivated", "guest_cannot_register"),
            404: ("no_such_route", "visit_over"),
            409: (
                "another_subscription_is_live",
                "agreement_is_live",
                "purchase_of_another",
                "tenant_already_registered",
            ),
            421: ("address_unknown",),
            503: ("marketplace_unavailable",),
        },
        for_browser=True,
    ),
)
def activate_purchase(call: Call, body: Confirmation) -> Reply:
    client_of(call.app)
    visit = flow_arrival.find_visit(call.app, public_id(body.visit), browser := _browser(call))
    if browser is None or not rules_visits.is_form_token(body.form, browser, visit.public_id):
        raise refusals.form_of_another_page()
    to_page = _to_page(call, body.visit)  # first, since where no address can be made nothing may be done
    form = Form(choices_of(body), ends_agreement=body.end_agreement == "yes", declines=body.decision == "decline")
    if wrong := flow_purchase.confirm(call.app, visit, form):
        view = flow_purchase.look(call.app, visit)
        return pages_landing.page_of(view, visit, body.form, call.app.settings, filled=body, wrong=wrong)
    return to_page


def _to_sign_in(call: Call, browser: str, address: str) -> Reply:
    """With a cookie for as long as the visit may take from here."""
    cookie = rules_visits.cookie_of(browser, is_secure=call.base_address.startswith("https:"))
    return Reply(HTTPStatus.FOUND, headers={"Location": address, "Set-Cookie": cookie})


def _ways_on(retry: Retry | None, browser: str) -> Iterator[tuple[str, str]]:
    if retry is None:
        return
    if retry.visit is not None:
        yield "Try again", pages_landing.other_account(retry.visit)
        return
    if retry.directory is not None:
        proof = rules_visits.directory_proof(browser, retry.directory)
        at = urlencode({"token": retry.token, "directory": retry.directory, "proof": proof})
        yield "Sign in at the organization of this purchase", f"{_LANDING}?{at}"
    yield "Try again", f"{_LANDING}?{urlencode({'token': retry.token})}"


def _browser(call: Call) -> str | None:
    return rules_visits.browser_of(cookies(call.request, rules_visits.COOKIE))


def _redirect_uri(call: Call) -> str:
    """Where Entra sends the browser back to; only addresses that are registered there."""
    return f"{call.base_address}{_LANDING}/signed-in"


def _to_page(call: Call, visit: str) -> Reply:
    """A page of its own address: it can be loaded again, and neither code nor token stays in the history."""
    address = f"{call.base_address}{_LANDING}/purchase?{urlencode({'visit': visit})}"
    return Reply(HTTPStatus.SEE_OTHER, headers={"Location": address})
