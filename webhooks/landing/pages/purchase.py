"""The page of a purchase, one for each state it can be in: what is so, and what to do now."""

import uuid
from typing import Final

from shared.http.reply import Reply
from shared.settings import Settings
from shared.tenancy.model import Plan, Tenant, TenantStatus
from webhooks.agreement.rules import RequestState
from webhooks.landing.pages.agreement import agreement_form, buyer_page
from webhooks.landing.pages.form import FIELDS, set_up_form
from webhooks.landing.pages.html import Html, element, joined
from webhooks.landing.pages.notices import STILL
from webhooks.landing.pages.page import help_from, linked, note, page, paragraphs
from webhooks.landing.pages.summary import counted, facts, listed
from webhooks.landing.purchase_flow import View
from webhooks.landing.rules import Scene
from webhooks.landing.schemas import Confirmation
from webhooks.landing.visit_store import Visit


_FINISH: Final = "Finish setting up TimeTracker"
NOTHING_WRONG: Final[dict[str, str]] = {}
_PURCHASE: Final = "/api/marketplace/landing/purchase"
_SIGN_OUT: Final = "/api/marketplace/landing/sign-out"
_MAY_MOVE_ON: Final = {Scene.UNDER_WAY, Scene.SUSPENDED, Scene.ANOTHER, Scene.UNKNOWN}  # Microsoft may, any moment


def page_of(  # noqa: PLR0911 - one for each scene
    view: View,
    visit: Visit,
    form_token: str,
    settings: Settings,
    *,
    filled: Confirmation | None = None,
    wrong: dict[str, str] = NOTHING_WRONG,
) -> Reply:
    """The page for the purchase as it is now; `filled` and `wrong` are a form that was sent and cannot be taken."""
    look_again = _button("Look again", _PURCHASE, visit, form_token)
    foot = joined(
        look_again if view.scene in _MAY_MOVE_ON else None,
        _signed_in_as(visit, form_token),
        help_from(settings.vendor_contact),
    )
    if view.scene in STILL:
        still = STILL[view.scene]
        return page(still.status, still.title, still.content, foot)
    match view.scene:
        case Scene.UNDER_WAY:
            return _under_way(view, foot)
        case Scene.ACTIVE:
            return _active(view, settings, foot)
        case Scene.SUSPENDED:
            return _suspended(view, foot)
        case Scene.COLLEAGUE:
            return _colleague(view, settings, foot)
        case Scene.ASK | Scene.WAITING | Scene.DECLINED:
            return buyer_page(view, visit, form_token, foot)
    return _to_confirm(view, visit, form_token, filled, wrong, foot)


def _to_confirm(  # noqa: PLR0917 - as page_of
    view: View, visit: Visit, form_token: str, filled: Confirmation | None, wrong: dict[str, str], foot: Html
) -> Reply:
    if view.found.tenant is not None:
        return _agree(view, view.found.tenant, agreement_form(view, visit, form_token, wrong), wrong, foot)
    return _set_up(view, set_up_form(visit, form_token, filled, wrong), wrong, foot)


def other_account(visit: uuid.UUID) -> str:
    """The address at which the visit's purchase is opened with another account."""
    return f"/api/marketplace/landing/other-account?visit={visit}"


def signed_out(settings: Settings) -> Reply:
    """After the sign-out of our pages; Microsoft's own is another one."""
    entra = f"{settings.entra_authority}/organizations/oauth2/v2.0/logout"
    return page(
        200,
        "You are signed out",
        paragraphs(
            "The pages of your purchases are closed in this browser. Microsoft may still know you here: on a computer "
            "that others use, sign out there as well."
        ),
        element("p", element("a", "Sign out of Microsoft", href=entra, rel="noreferrer")),
        help_from(settings.vendor_contact),
    )


def _signed_in_as(visit: Visit, form_token: str) -> Html:
    person, other = visit.principal, element("a", "Use another account", href=other_account(visit.public_id))
    known_by = person.username or person.email or person.name
    told = element("p", f"You are signed in as {known_by}. ", other, class_="fine")
    return joined(told, _button("Sign out", _SIGN_OUT, visit, form_token, class_="quiet"))


def _button(text: str, action: str, visit: Visit, form_token: str, *, class_: str | None = None) -> Html:
    """A form of nothing but a button: what it does changes something, so no link may do it."""
    return element(
        "form",
        element("input", type="hidden", name="visit", value=str(visit.public_id)),
        element("input", type="hidden", name="form", value=form_token),
        element("button", text, type="submit", class_=class_),
        method="post",
        action=action,
    )


def _set_up(view: View, form: Html, wrong: dict[str, str], foot: Html) -> Reply:
    found, began = view.found, _has_begun(view)
    return page(
        400 if wrong else 200,
        _FINISH if began else "Set up TimeTracker",
        _summary(wrong) if wrong else None,
        paragraphs("Thank you for buying TimeTracker. Check what you bought, and confirm to start the subscription."),
        _goes_on() if began else None,
        element("h2", "What you bought"),
        facts(found.bought, view.plan),
        element("h2", "Your organization"),
        form,
        foot,
        has_errors=bool(wrong),
    )


def _agree(view: View, tenant: Tenant, form: Html, wrong: dict[str, str], foot: Html) -> Reply:
    """For whoever may agree to a purchase of an organization with TimeTracker: its settings are shown, not asked."""
    found, began = view.found, _has_begun(view)
    own = {"Organization": tenant.name, "Azure DevOps": tenant.organization, "Time zone": tenant.time_zone}
    trial = (
        "Your trial ends by this purchase. If the purchase is canceled before the trial would have been over, the "
        "trial goes on with the end that it had."
    )
    declined = "This purchase was declined before. You can still agree to it."
    is_declined = found.request is not None and found.request.state is RequestState.DECLINED
    return page(
        400 if wrong else 200,
        _FINISH if began else "Agree to a purchase of TimeTracker",
        _summary(wrong) if wrong else None,
        note("good", paragraphs("Your organization uses TimeTracker already. Its time, people and settings stay.")),
        _goes_on() if began else None,
        note("warn", paragraphs(declined)) if is_declined else None,
        _too_few_seats(tenant, found.bought.quantity),
        element("h2", "What was bought"),
        facts(found.bought, view.plan),
        element("h2", "Your organization"),
        listed(own),
        paragraphs(
            "The buyer becomes the billing contact, and gets no rights in TimeTracker by it.",
            trial if tenant.plan is Plan.TRIAL else None,
        ),
        form,
        foot,
        has_errors=bool(wrong),
    )


def _has_begun(view: View) -> bool:
    return view.found.known is not None or view.found.bought.status != "PendingFulfillmentStart"


def _goes_on() -> Html:
    return note("warn", paragraphs("Nothing has been lost: confirm again, and the set-up goes on where it was."))


def _summary(wrong: dict[str, str]) -> Html:
    """At the top, with links to the fields, so that nobody has to look for them."""
    links = (element("li", element("a", text, href=f"#{FIELDS[name]}")) for name, text in wrong.items())
    return note("bad", paragraphs("Nothing was changed yet. Correct this, and confirm again:"), element("ul", *links))


def _under_way(view: View, foot: Html) -> Reply:
    return page(
        200,
        "Your subscription is being activated",
        note(
            "good",
            paragraphs(
                "You are done: your organization is set up, and Microsoft has been told. It can take a few minutes "
                "until Microsoft shows the subscription as active."
            ),
        ),
        paragraphs("You can close this page. The activation is completed without you; TimeTracker works meanwhile."),
        facts(view.found.bought, view.plan),
        foot,
    )


def _active(view: View, settings: Settings, foot: Html) -> Reply:
    tenant, known = view.found.tenant, view.found.known
    assert tenant is not None and known is not None, "what is in force is here"  # noqa: S101, PT018 - ours
    # A change that was just accepted counts here already, while Microsoft still shows the old number.
    limit = known.terms.quantity
    bought = view.found.bought.model_copy(update={"quantity": limit})
    used = f"{tenant.seats_used} of {limit}" if limit is not None else f"{tenant.seats_used}, without a limit"
    more = {"Organization": tenant.name, "Accounts in use": used, "Time zone": tenant.time_zone}
    return page(
        200,
        "Your subscription is active",
        note("good", paragraphs("Everybody in your organization can track time in Azure DevOps now.")),
        _too_few_seats(tenant, limit),
        facts(bought, view.plan, more),
        _open(settings, tenant),
        element("h2", "To change something"),
        element(
            "ul",
            element("li", "Time zone, organization, people and roles: in TimeTracker, by a super admin."),
            element("li", linked("Plan, seats, renewal, payment and cancellation: in the Azure portal under SaaS.")),
        ),
        foot,
    )


def _colleague(view: View, settings: Settings, foot: Html) -> Reply:
    """Nothing of the purchase, which is not theirs to see."""
    tenant = view.found.tenant
    assert tenant is not None, "a colleague has a tenant"  # noqa: S101 - ours
    is_suspended = tenant.status is TenantStatus.SUSPENDED
    told = "There is nothing to confirm. Open it in Azure DevOps to track your time."
    paused = (
        "Its subscription is suspended, since Microsoft could not collect the payment. Until it is settled nobody can "
        "start to track time; reading, exporting and stopping a running timer work."
    )
    return page(
        200,
        "Your organization has TimeTracker",
        note("warn", paragraphs(paused)) if is_suspended else note("good", paragraphs(told)),
        _open(settings, tenant),
        paragraphs("People and settings are changed by a super admin, plan and payment by the person who bought it."),
        foot,
    )


def _open(settings: Settings, tenant: Tenant) -> Html:
    home = f"{settings.azure_devops_url}/{tenant.organization}"
    return element("p", element("a", "Open TimeTracker in Azure DevOps", href=home, rel="noreferrer", class_="button"))


def _suspended(view: View, foot: Html) -> Reply:
    return page(
        200,
        "Your subscription is suspended",
        note(
            "warn",
            paragraphs(
                "Microsoft could not collect the payment. Until it is settled nobody can start to track time; reading, "
                "exporting and stopping a running timer work."
            ),
        ),
        paragraphs(
            "The person who manages your subscriptions can settle the payment in the Azure portal under SaaS. The "
            "subscription then goes on by itself."
        ),
        paragraphs("Nothing was deleted. If the payment stays open for 30 days, Microsoft ends the subscription."),
        facts(view.found.bought, view.plan),
        foot,
    )


def _too_few_seats(tenant: Tenant | None, seats: int | None) -> Html | None:
    """People who are here stay; both numbers are said, since nobody new gets in."""
    if tenant is None or seats is None or tenant.seats_used <= seats:
        return None
    used = counted(tenant.seats_used, "account", "accounts")
    return note(
        "warn",
        paragraphs(
            f"Your organization has {used} in use, and this subscription has {counted(seats, 'seat', 'seats')}. "
            "Everybody who is in stays in, but nobody new is admitted until you add seats or deactivate accounts."
        ),
    )
