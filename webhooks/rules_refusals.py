"""What a visitor of the landing page is told when it goes no further: always with what to do now."""

from typing import Final

from shared.errors import Forbidden, InvalidRequest, NotFound, Unavailable


OPEN_AGAIN: Final = (
    "Open your subscription again: in the Azure portal under SaaS, or in the Microsoft 365 admin center under Billing, "
    "choose Configure account or Manage account. That gives you a fresh link."
)


def off() -> NotFound:
    """As any address that is none."""
    return NotFound("There is no such address. GET /api/openapi.json lists all there are.", code="no_such_route")


def unknown_purchase() -> InvalidRequest:
    return InvalidRequest(
        f"The link does not lead to a purchase: it is older than a day, or not complete. {OPEN_AGAIN}",
        code="unknown_purchase",
    )


def over() -> NotFound:
    return NotFound(
        f"This page has been open for too long, or was opened in another browser. Nothing is lost. {OPEN_AGAIN}",
        code="visit_over",
    )


def not_signed_in() -> Forbidden:
    return Forbidden("You are not signed in. Nothing was changed.", code="not_signed_in")


def personal_account() -> Forbidden:
    return Forbidden(
        "You signed in with a personal Microsoft account. TimeTracker belongs to an organisation: sign in with your "
        "work or school account.",
        code="personal_account",
    )


def of_another_directory() -> Forbidden:
    return Forbidden(
        "This purchase belongs to another organisation than the one you signed in to. Nothing was changed. Sign in "
        "with an account of the organisation that bought it.",
        code="purchase_of_another",
    )


def form_of_another_page() -> Forbidden:
    return Forbidden(
        f"The form was not sent from this page, so nothing was changed. {OPEN_AGAIN}", code="form_of_another_page"
    )


def microsoft_is_away() -> Unavailable:
    return Unavailable(
        "The Microsoft Marketplace does not answer right now. Nothing is lost, and nothing is charged twice: load this "
        "page again in a moment."
    )
