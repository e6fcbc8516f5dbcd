"""A purchase for an organization that has TimeTracker: the form to agree, and the pages of a buyer who waits."""

import uuid
from typing import Final

from shared.http.reply import Reply
from webhooks.agreement.approver_rules import TEXTS
from webhooks.landing.pages.html import Html, element, joined
from webhooks.landing.pages.page import note, page, paragraphs
from webhooks.landing.pages.summary import facts
from webhooks.landing.purchase_flow import View
from webhooks.landing.rules import Scene, may_decline
from webhooks.landing.visit_store import Visit


END_AGREEMENT: Final = "endAgreement"
ACTION: Final = "/api/marketplace/activate"
_UNTIL_THEN: Final = (
    "Until then nothing changes: nothing is activated, and Microsoft charges nothing. Microsoft cancels a purchase "
    "that is not activated within 30 days. You can cancel it before in the Azure portal under SaaS."
)
_BUYER: Final = (
    "You are the billing contact of this purchase. To buy gives no rights in TimeTracker: people and settings stay "
    "with its super admins."
)


def agreement_form(view: View, visit: Visit, form_token: str, wrong: dict[str, str]) -> Html:
    """For those who may agree: nothing to fill in, but a tick where an agreement with the vendor ends by it."""
    found = view.found
    label = "Activate" if found.is_agreed else "Agree and activate"
    decline = None
    if may_decline(found, visit.principal):
        decline = element("button", "Decline", type="submit", name="decision", value="decline", class_="second")
    return element(
        "form",
        *_hidden(visit.public_id, form_token),
        _tick(wrong.get("end_agreement")) if found.needs_tick else None,
        element(
            "div", element("button", label, type="submit", name="decision", value="agree"), decline, class_="buttons"
        ),
        element("p", "Microsoft charges you by the terms of the Azure Marketplace, and adds taxes.", class_="fine"),
        method="post",
        action=ACTION,
    )


def buyer_page(view: View, visit: Visit, form_token: str, foot: Html) -> Reply:
    """Of a buyer who may not agree: asks for agreement, waits for it, or was told no."""
    match view.scene:
        case Scene.ASK:
            return _ask(view, visit, form_token, foot)
        case Scene.DECLINED:
            return _declined(view, foot)
    return page(
        200,
        "Your purchase waits for agreement",
        note("warn", paragraphs(_who(view))),
        paragraphs(_UNTIL_THEN, _BUYER),
        _bought(view),
        foot,
    )


def _ask(view: View, visit: Visit, form_token: str, foot: Html) -> Reply:
    form = element(
        "form",
        *_hidden(visit.public_id, form_token),
        element("button", "Ask for agreement", type="submit"),
        method="post",
        action=ACTION,
    )
    return page(
        200,
        "Ask for agreement to your purchase",
        paragraphs("Your organization uses TimeTracker already, so you cannot activate this purchase alone."),
        note("warn", paragraphs(_who(view))),
        paragraphs(_UNTIL_THEN),
        _bought(view),
        form,
        foot,
    )


def _declined(view: View, foot: Html) -> Reply:
    return page(
        200,
        "Your purchase was declined",
        note("warn", paragraphs("Your organization declined this purchase, so it was not activated.")),
        paragraphs(
            "Microsoft charges nothing for it. Cancel it in the Azure portal under SaaS; Microsoft cancels a purchase "
            "that is not activated within 30 days. If this was a mistake, it can still be agreed to.",
            _who(view),
        ),
        _bought(view),
        foot,
    )


def _who(view: View) -> str:
    assert view.found.approvers is not None, "an organization that exists has approvers"  # noqa: S101 - ours
    text = TEXTS[view.found.approvers.agreer]
    return f"{text.who} {text.how}"


def _bought(view: View) -> Html:
    return joined(element("h2", "What you bought"), facts(view.found.bought, view.plan))


def _hidden(visit: uuid.UUID, form_token: str) -> tuple[Html, Html]:
    return (
        element("input", type="hidden", name="visit", value=str(visit)),
        element("input", type="hidden", name="form", value=form_token),
    )


def _tick(wrong: str | None) -> Html:
    hint = (
        "Your organization has an agreement with the vendor of TimeTracker. It ends as soon as this purchase is "
        "active, its last bill is closed, and it does not come back when the purchase is canceled."
    )
    described = {"aria_describedby": f"{END_AGREEMENT}-hint"}
    told = None
    if wrong is not None:
        told = element("p", wrong, id=f"{END_AGREEMENT}-wrong", class_="wrong")
        described = {"aria_describedby": f"{END_AGREEMENT}-wrong {END_AGREEMENT}-hint", "aria_invalid": "true"}
    box = element(
        "input",
        type="checkbox",
        id=END_AGREEMENT,
        name=END_AGREEMENT,
        value="yes",
        autofocus=wrong is not None,
        **described,
    )
    return joined(
        element("p", box, element("label", "End the agreement with the vendor", for_=END_AGREEMENT), class_="tick"),
        element("p", hint, id=f"{END_AGREEMENT}-hint", class_="hint"),
        told,
    )
