"""The errors of the landing page. Each says to the visitor how to continue."""

from typing import Final

from shared.errors import Forbidden, Inconclusive, InvalidRequest, NotFound


ANOTHER_PRODUCT: Final = "purchase_of_another_product"
OPEN_AGAIN: Final = (
    "Open your subscription again: in the Azure portal under SaaS, or in the Microsoft 365 admin center under Billing, "
    "choose Configure account or Manage account. That gives you a new link."
)


def landing_page_off() -> NotFound:
    """The same error as for an unknown address."""
    return NotFound("There is no such address.", code="no_such_route")


def unknown_purchase() -> InvalidRequest:
    return InvalidRequest(
        f"This link is incomplete or more than a day old. {OPEN_AGAIN}",
        code="unknown_purchase",
        title="This link does not work any more",
    )


def visit_over() -> NotFound:
    return NotFound(
        "This page has been open for too long, or was opened in another browser. Everything that you confirmed is "
        f"done; nothing else was changed. {OPEN_AGAIN}",
        code="visit_over",
        title="This page is closed",
    )


def not_signed_in() -> Forbidden:
    return Forbidden(
        "The sign-in was not finished. Nothing was changed.", code="not_signed_in", title="You are not signed in"
    )


def personal_account() -> Forbidden:
    return Forbidden(
        "You signed in with a personal Microsoft account. TimeTracker is for organizations: sign in with your work or "
        "school account.",
        code="personal_account",
        title="Use your work or school account",
    )


def another_directory() -> Forbidden:
    return Forbidden(
        "Your account belongs to another organization than this purchase. Nothing was changed. Sign in with an account "
        "of the purchase's organization. If you are a guest there, sign in at that organization.",
        code="purchase_of_another",
        title="This purchase belongs to another organization",
    )


def another_product() -> Forbidden:
    return Forbidden(
        "You bought another product of the same publisher, or a plan that is not sold for TimeTracker. Nothing was "
        "changed. Open the purchase from its own page, or ask the publisher for support.",
        code=ANOTHER_PRODUCT,
        title="This is not a purchase of TimeTracker",
    )


def form_of_another_page() -> Forbidden:
    return Forbidden(
        f"The form was not sent from this page, so nothing was changed. {OPEN_AGAIN}", code="form_of_another_page"
    )


def sign_in_unchecked(reason: str) -> Inconclusive:
    """The sign-in can be neither confirmed nor rejected now."""
    return Inconclusive(
        "Your sign-in cannot be checked right now. Nothing was changed, and your purchase is safe. Try again shortly.",
        reason=reason,
        code="sign_in_unchecked",
    )


def marketplace_unavailable(reason: str) -> Inconclusive:
    return Inconclusive(
        "The Microsoft Marketplace does not answer right now. Nothing is lost, and nothing is charged twice. Load this "
        "page again in a moment.",
        reason=reason,
        code="marketplace_unavailable",
    )
