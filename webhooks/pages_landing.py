"""The page of a purchase, one for each state it can be in: what is so, and what to do now."""

from typing import Final

from shared.http.html import Content, Html, element
from shared.http.page import note, page, paragraphs
from shared.http.reply import Reply
from shared.settings import Settings
from shared.tenancy.model import Tenant
from webhooks.flow_purchase import View
from webhooks.pages_form import set_up_form
from webhooks.pages_still import STILL
from webhooks.pages_terms import counted, facts
from webhooks.rules_landing import Scene
from webhooks.schemas_landing import Confirmation
from webhooks.store_visits import Visit


NOTHING_WRONG: Final[dict[str, str]] = {}
_PORTAL: Final = "https://portal.azure.com/"


def page_of(
    view: View,
    visit: Visit,
    form_token: str,
    settings: Settings,
    *,
    filled: Confirmation | None = None,
    wrong: dict[str, str] = NOTHING_WRONG,
) -> Reply:
    """The page for the purchase as it is now; `filled` and `wrong` are a form that was sent and cannot be taken."""
    if view.scene in STILL:
        return STILL[view.scene]
    if view.scene is Scene.UNDER_WAY:
        return _under_way(view, visit)
    if view.scene is Scene.ACTIVE:
        return _active(view, settings)
    if view.scene is Scene.SUSPENDED:
        return _suspended(view)
    return _set_up(view, set_up_form(view.found, visit, form_token, filled, wrong), is_wrong=bool(wrong))


def _set_up(view: View, form: Html, *, is_wrong: bool) -> Reply:
    found = view.found
    began = found.known is not None or found.bought.status != "PendingFulfillmentStart"
    begins = "Nothing has been lost: confirm again, and the set-up goes on where it was." if began else None
    trial = None
    if found.tenant is not None:
        trial = "Your organisation uses TimeTracker already. All of its time, people and settings stay."
    return page(
        400 if is_wrong else 200,
        "Finish setting up TimeTracker" if began else "Set up TimeTracker",
        paragraphs("Thank you for buying TimeTracker. Check what you bought, and confirm to start the subscription."),
        note("good", paragraphs(trial)) if trial else None,
        note("warn", paragraphs(begins)) if begins else None,
        _too_few_seats(found.tenant, found.bought.quantity),
        element("h2", "What you bought"),
        facts(found.bought, view.plan),
        element("h2", "Your organisation"),
        form,
    )


def _under_way(view: View, visit: Visit) -> Reply:
    return page(
        200,
        "Your subscription is being activated",
        note(
            "good",
            paragraphs(
                "You are done: your organisation is set up, and Microsoft has been told. It can take a few minutes "
                "until Microsoft shows the subscription as active."
            ),
        ),
        paragraphs("You can close this page. The activation is completed without you; TimeTracker works meanwhile."),
        facts(view.found.bought, view.plan),
        element(
            "p",
            element(
                "a", "Look again", href=f"/api/marketplace/landing/purchase?visit={visit.public_id}", class_="button"
            ),
        ),
    )


def _active(view: View, settings: Settings) -> Reply:
    tenant, known = view.found.tenant, view.found.known
    assert tenant is not None and known is not None, "what is in force is here"  # noqa: S101, PT018 - ours
    # A change that was just accepted counts here already, while Microsoft still shows the old number.
    limit = known.terms.quantity
    bought = view.found.bought.model_copy(update={"quantity": limit})
    used = f"{tenant.seats_used} of {limit}" if limit is not None else f"{tenant.seats_used}, without a limit"
    home = f"{settings.azure_devops_url}/{tenant.organization}"
    more = {"Organisation": tenant.name, "Accounts in use": used, "Time zone": tenant.time_zone}
    return page(
        200,
        "Your subscription is active",
        note("good", paragraphs("Everybody in your organisation can track time in Azure DevOps now.")),
        _too_few_seats(tenant, limit),
        facts(bought, view.plan, more),
        element("p", element("a", "Open TimeTracker in Azure DevOps", href=home, rel="noreferrer", class_="button")),
        element("h2", "To change something"),
        element(
            "ul",
            element("li", "Time zone, organisation, people and roles: in TimeTracker, by a super admin."),
            element("li", *_in_the_portal("Plan, seats, renewal, payment and cancellation: in the ")),
        ),
    )


def _suspended(view: View) -> Reply:
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
        element(
            "p",
            *_in_the_portal("Whoever manages your subscriptions can settle the payment in the "),
            " The subscription then goes on by itself.",
        ),
        paragraphs("Nothing was deleted. If the payment stays open for 30 days, Microsoft ends the subscription."),
        facts(view.found.bought, view.plan),
    )


def _too_few_seats(tenant: Tenant | None, seats: int | None) -> Html | None:
    """People who are here stay; both numbers are said, since nobody new gets in."""
    if tenant is None or seats is None or tenant.seats_used <= seats:
        return None
    used = counted(tenant.seats_used, "account", "accounts")
    return note(
        "warn",
        paragraphs(
            f"Your organisation has {used} in use, and this subscription has {counted(seats, 'seat', 'seats')}. "
            "Everybody who is in stays in, but nobody new is admitted until you add seats or deactivate accounts."
        ),
    )


def _in_the_portal(text: str) -> tuple[Content, ...]:
    link = element("a", "Azure portal", href=_PORTAL, rel="noreferrer")
    return text, link, " under SaaS."
