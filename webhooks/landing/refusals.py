"""What a visitor of the landing page is told when it goes no further: always with what to do now."""

from typing import Final

from shared.errors import Forbidden, Inconclusive, InvalidRequest, NotFound


ANOTHER_PRODUCT: Final = "purchase_of_another_product"
OPEN_AGAIN: Final = (
    "Open your subscription again: in the Azure portal under SaaS, or in the Microsoft 365 admin center under Billing, "
    "choose Configure account or Manage account. That gives you a fresh link."
)


def off() -> NotFound:
    """As any address that is none."""
    return NotFound("There is no such address.", code="no_such_route")


def unknown_purchase() -> InvalidRequest:
    return InvalidRequest(
        f"The link does not lead to a purchase: it is older than a day, or not complete. {OPEN_AGAIN}",
        code="unknown_purchase",
        title="This link does not work any more",
    )


def over() -> NotFound:
    return NotFound(
        "This page has been open for too long, or was opened in another browser. What you confirmed is done; nothing "
        f"else was changed. {OPEN_AGAIN}",
        code="visit_over",
        title="This page is closed",
    )


def not_signed_in() -> Forbidden:
    return Forbidden(
        "The sign-in was not finished. Nothing was changed.", code="not_signed_in", title="You are not signed in"
    )


def personal_account() -> Forbidden:
    return Forbidden(
        "You signed in with a personal Microsoft account. TimeTracker belongs to an organization: sign in with your "
        "work or school account.",
        code="personal_account",
        title="Use your work or school account",
    )


def of_another_directory() -> Forbidden:
    return Forbidden(
        "The account you signed in with belongs to another organization than this purchase. Nothing was changed. Sign "
        "in with an account of the organization that it is for; or, if you are a guest there, sign in at that one.",
        code="purchase_of_another",
        title="This is the purchase of another organization",
    )


def of_another_product() -> Forbidden:
    return Forbidden(
        "What you bought is another product of the same publisher, or a plan that is not sold for TimeTracker. Nothing "
        "was changed. Open it from its own page, or ask the publisher for support.",
        code=ANOTHER_PRODUCT,
        title="This is not a purchase of TimeTracker",
    )


def form_of_another_page() -> Forbidden:
    return Forbidden(
        f"The form was not sent from this page, so nothing was changed. {OPEN_AGAIN}", code="form_of_another_page"
    )


def sign_in_unchecked(reason: str) -> Inconclusive:
    """Nobody knows yet who it is, and nothing says that they are not who they are."""
    return Inconclusive(
        "Your sign-in cannot be checked right now. Nothing was changed, and your purchase is safe: try again shortly.",
        reason=reason,
        code="sign_in_unchecked",
    )


def microsoft_is_away(reason: str) -> Inconclusive:
    return Inconclusive(
        "The Microsoft Marketplace does not answer right now. Nothing is lost, and nothing is charged twice: load this "
        "page again in a moment.",
        reason=reason,
        code="marketplace_unavailable",
    )
