"""The landing page of the Marketplace: sign-in, the page of a purchase, and its confirmation."""

from collections.abc import Iterator
from dataclasses import replace
from http import HTTPMethod, HTTPStatus
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

import azure.functions as func

from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.headers import cookies
from shared.http.operation import HTML, LOCATION, Answer, Operation, merge_problems
from shared.http.parsing import public_id
from shared.http.reply import Reply
from shared.restore.flow import HELD, require_not_held
from webhooks.landing import arrival_flow, purchase_flow, refusals, visits
from webhooks.landing.arrival_flow import AuthorizationResponse, RetryOptions, Sessions, SignInFailed
from webhooks.landing.marketplace_calls import require_client
from webhooks.landing.pages.document import error_page
from webhooks.landing.pages.purchase import other_account_address, purchase_page, signed_out_page
from webhooks.landing.purchase_flow import Form
from webhooks.landing.schemas import Arrival, Confirmation, PageForm, PurchasePage, Return, parse_choices
from webhooks.landing.visit_store import Visit
from webhooks.landing.visits import Session


blueprint = func.Blueprint()
_TAG: Final = "marketplace"
_LANDING: Final = "/api/marketplace/landing"
_PAGE: Final = Answer("The page", media=(HTML,))
_VISIT: Final = {404: ("no_such_route", "visit_over"), 421: ("address_unknown",)}


@route(
    blueprint,
    Operation(
        id="open_landing_page",
        method=HTTPMethod.GET,
        path="marketplace/landing",
        tag=_TAG,
        query=Arrival,
        answers={302: Answer("Redirect to the sign-in", headers=(LOCATION,))},
        problems={400: ("unknown_purchase",), 404: ("no_such_route",), 421: ("address_unknown",)},
        error_page=error_page,
    ),
)
def open_landing_page(call: Call, query: Arrival) -> Reply:
    """Open a purchase from the Marketplace.

    Redirects the browser to the sign-in. Microsoft opens this address after a purchase, and for Manage account.
    """
    require_client(call.app)
    is_ours = visits.is_directory_proof(query.proof, _sessions(call).values(), query.directory)
    directory = query.directory if is_ours else None
    address, session = arrival_flow.start_sign_in(call.app, query.token, _redirect_uri(call), directory=directory)
    return _to_sign_in(call, session, address)


@route(
    blueprint,
    Operation(
        id="return_from_sign_in",
        method=HTTPMethod.GET,
        path="marketplace/landing/signed-in",
        tag=_TAG,
        query=Return,
        answers={303: Answer("Redirect to the page of the purchase", headers=(LOCATION,))},
        problems=merge_problems(
            _VISIT,
            {
                400: ("unknown_purchase",),
                403: ("not_signed_in", "personal_account", "purchase_of_another", "purchase_of_another_product"),
                503: ("sign_in_unchecked", "marketplace_unavailable"),
            },
        ),
        error_page=error_page,
    ),
)
def return_from_sign_in(call: Call, query: Return) -> Reply:
    """Finish the sign-in.

    Microsoft Entra redirects the browser here, with a code or an error.
    """
    require_client(call.app)
    try:
        response = AuthorizationResponse(query.code, query.error)
        session = arrival_flow.finish_sign_in(call.app, query.state, _sessions(call), response, _redirect_uri(call))
    except SignInFailed as failure:
        reply = error_page(
            failure.error,
            operation=call.operation.id,
            request_id=call.request_id,
            contact=call.app.settings.vendor_contact,
            links=_retry_links(failure.retry, failure.session.secret),
        )
        return _with_cookie(call, reply, failure.session)
    return _with_cookie(call, _to_page(call, session.visit), session)


@route(
    blueprint,
    Operation(
        id="show_purchase",
        method=HTTPMethod.GET,
        path="marketplace/landing/purchase",
        tag=_TAG,
        query=PurchasePage,
        answers={200: _PAGE, 403: _PAGE, 409: _PAGE},
        problems=merge_problems(_VISIT, {503: ("marketplace_unavailable",)}),
        error_page=error_page,
    ),
)
def show_purchase(call: Call, query: PurchasePage) -> Reply:
    """The page of a purchase.

    Shows the purchase and the form to confirm it, to the browser that signed in.
    """
    require_client(call.app)
    sessions = _sessions(call)
    visit = arrival_flow.find_visit(call.app, public_id(query.visit), sessions)
    form_token = visits.form_token(Session(visit.public_id, sessions[visit.public_id]))
    return purchase_page(purchase_flow.load_view(call.app, visit), visit, form_token, call.app.settings)


@route(
    blueprint,
    Operation(
        id="refresh_purchase",
        method=HTTPMethod.POST,
        path="marketplace/landing/purchase",
        tag=_TAG,
        body=PageForm,
        answers={303: Answer("Redirect to the page of the purchase", headers=(LOCATION,))},
        problems=merge_problems(
            _VISIT,
            {
                403: ("form_of_another_page",),
                409: ("another_subscription_is_live",),
                503: ("marketplace_unavailable", HELD),
            },
        ),
        error_page=error_page,
    ),
)
def refresh_purchase(call: Call, body: PageForm) -> Reply:
    """Apply Microsoft's changes to a purchase.

    Reads the purchase from the Marketplace and redirects to its page.
    """
    require_client(call.app)
    visit = _visit_of_form(call, body)
    purchase_flow.refresh(call.app, visit)
    return _to_page(call, visit.public_id)


@route(
    blueprint,
    Operation(
        id="sign_out_of_landing_page",
        method=HTTPMethod.POST,
        path="marketplace/landing/sign-out",
        tag=_TAG,
        body=PageForm,
        answers={200: _PAGE},
        problems=merge_problems(_VISIT, {403: ("form_of_another_page",)}),
        error_page=error_page,
    ),
)
def sign_out_of_landing_page(call: Call, body: PageForm) -> Reply:
    """Sign out of the landing page.

    Ends all visits of this browser. The purchase is not changed.
    """
    require_client(call.app)
    visit = _visit_of_form(call, body)
    arrival_flow.sign_out(call.app, _sessions(call))
    return _with_cookie(call, signed_out_page(call.app.settings), Session(visit.public_id, ""), is_over=True)


@route(
    blueprint,
    Operation(
        id="change_account",
        method=HTTPMethod.GET,
        path="marketplace/landing/other-account",
        tag=_TAG,
        query=PurchasePage,
        answers={302: Answer("Redirect to the sign-in", headers=(LOCATION,))},
        problems=_VISIT,
        error_page=error_page,
    ),
)
def change_account(call: Call, query: PurchasePage) -> Reply:
    """Open a purchase with another account.

    Redirects to the sign-in, which then asks for the account.
    """
    require_client(call.app)
    visit = arrival_flow.find_visit(call.app, public_id(query.visit), _sessions(call))
    address, session = arrival_flow.change_account(call.app, visit, _redirect_uri(call))
    return _to_sign_in(call, session, address)


@route(
    blueprint,
    Operation(
        id="activate_purchase",
        method=HTTPMethod.POST,
        path="marketplace/activate",
        tag=_TAG,
        body=Confirmation,
        answers={303: Answer("Redirect to the page of the purchase", headers=(LOCATION,)), 400: _PAGE},
        problems=merge_problems(
            _VISIT,
            {
                403: ("form_of_another_page", "role_required", "user_deactivated", "guest_cannot_register"),
                409: (
                    "another_subscription_is_live",
                    "agreement_is_live",
                    "purchase_of_another",
                    "tenant_already_registered",
                ),
                503: ("marketplace_unavailable", HELD),
            },
        ),
        error_page=error_page,
    ),
)
def activate_purchase(call: Call, body: Confirmation) -> Reply:
    """Confirm, decline or request a purchase.

    The form of the page. A repeat changes nothing more. For a buyer without the right to agree, it asks the approvers.
    """
    require_client(call.app)
    require_not_held(call.app)
    visit = _visit_of_form(call, body)
    to_page = _to_page(call, visit.public_id)  # first, since without an address nothing may be changed
    form = Form(parse_choices(body), ends_agreement=body.end_agreement == "yes", declines=body.decision == "decline")
    if errors := purchase_flow.confirm(call.app, visit, form):
        view = purchase_flow.load_view(call.app, visit)
        return purchase_page(view, visit, body.form, call.app.settings, entered=body, errors=errors)
    return to_page


def _visit_of_form(call: Call, form: PageForm) -> Visit:
    """The visit of a form.

    Raises:
        NotFound: it is over, or belongs to another browser.
        Forbidden: the form comes from another site.
    """
    sessions = _sessions(call)
    visit = arrival_flow.find_visit(call.app, public_id(form.visit), sessions)
    if not visits.is_form_token(form.form, Session(visit.public_id, sessions[visit.public_id])):
        raise refusals.form_of_another_page()
    return visit


def _to_sign_in(call: Call, session: Session, address: str) -> Reply:
    return _with_cookie(call, Reply(HTTPStatus.FOUND, headers={"Location": address}), session)


def _with_cookie(call: Call, reply: Reply, session: Session, *, is_over: bool = False) -> Reply:
    cookie = visits.to_cookie(session, is_secure=_is_secure(call), is_over=is_over)
    return replace(reply, headers={**reply.headers, "Set-Cookie": cookie})


def _retry_links(retry: RetryOptions | None, secret: str) -> Iterator[tuple[str, str]]:
    if retry is None:
        return
    if retry.visit is not None:
        yield "Try again", other_account_address(retry.visit)
        return
    if retry.directory is not None:
        proof = visits.directory_proof(secret, retry.directory)
        query = urlencode({"token": retry.token, "directory": retry.directory, "proof": proof})
        yield "Sign in at the organization of this purchase", f"{_LANDING}?{query}"
    yield "Try again", f"{_LANDING}?{urlencode({'token': retry.token})}"


def _sessions(call: Call) -> Sessions:
    return visits.parse_sessions(cookies(call.request), is_secure=_is_secure(call))


def _is_secure(call: Call) -> bool:
    return call.base_address.startswith("https:")


def _redirect_uri(call: Call) -> str:
    """The address that Entra sends the browser back to. It must be registered there."""
    return f"{call.base_address}{_LANDING}/signed-in"


def _to_page(call: Call, visit: UUID) -> Reply:
    """A redirect, so that the page can be reloaded, and neither code nor token stays in the browser's history."""
    address = f"{call.base_address}{_LANDING}/purchase?{urlencode({'visit': str(visit)})}"
    return Reply(HTTPStatus.SEE_OTHER, headers={"Location": address})
