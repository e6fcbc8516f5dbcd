"""The page of a purchase: one template for each state, and the values that it shows."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from billing import marketplace
from billing.subscriptions import another_is_live
from shared.http.reply import Reply
from shared.settings import Settings
from shared.tenancy.model import Plan, Tenant, TenantStatus
from webhooks.agreement.approver_rules import TEXTS
from webhooks.agreement.rules import RequestState
from webhooks.landing.pages.document import page
from webhooks.landing.pages.summary import counted, summary
from webhooks.landing.pages.time_zones import zone_options, zone_text
from webhooks.landing.purchase_flow import View
from webhooks.landing.refusals import OPEN_AGAIN
from webhooks.landing.rules import PageState, may_decline
from webhooks.landing.schemas import Confirmation
from webhooks.landing.visit_store import Visit


NO_ERRORS: Final[Mapping[str, str]] = {}
_STATUS: Final = {
    PageState.SECOND_SUBSCRIPTION: HTTPStatus.CONFLICT,
    PageState.NOT_AN_APPROVER: HTTPStatus.FORBIDDEN,
    PageState.GUEST: HTTPStatus.FORBIDDEN,
    PageState.UNKNOWN: HTTPStatus.CONFLICT,
}
# Microsoft may move on from these at any moment.
_CAN_REFRESH: Final = frozenset(
    {PageState.ACTIVATING, PageState.SUSPENDED, PageState.SECOND_SUBSCRIPTION, PageState.UNKNOWN}
)
_ORGANIZATION_PATTERN: Final = (
    r"\s*(https?://)?(dev\.azure\.com/)?[A-Za-z0-9]([A-Za-z0-9\-]{0,48}[A-Za-z0-9])?(\.visualstudio\.com)?(/.*)?\s*"
)


@dataclass(frozen=True, slots=True)
class PageVisit:
    """The visit on each of its pages."""

    id: uuid.UUID
    form_token: str
    account: str
    other_account: str


@dataclass(frozen=True, slots=True)
class SeatCounts:
    """Accounts in use and seats, as a page shows them."""

    used: str
    bought: str


def purchase_page(  # noqa: PLR0917 - what is shown, to whom, and what they entered
    view: View,
    visit: Visit,
    form_token: str,
    settings: Settings,
    entered: Confirmation | None = None,
    errors: Mapping[str, str] = NO_ERRORS,
) -> Reply:
    """The page of a purchase as it is now. `entered` and `errors` are of a form that was rejected."""
    template, values = _content(view, visit, settings, entered)
    common = {
        "visit": _page_visit(visit, form_token),
        "can_refresh": view.state in _CAN_REFRESH,
        "errors": errors,
    }
    status = HTTPStatus.BAD_REQUEST if errors else _STATUS.get(view.state, HTTPStatus.OK)
    return page(status, template, {**values, **common}, contact=settings.vendor_contact)


def other_account_address(visit: uuid.UUID) -> str:
    """Opens the visit's purchase with another account."""
    return f"/api/marketplace/landing/other-account?visit={visit}"


def signed_out_page(settings: Settings) -> Reply:
    """After the sign-out from our pages. That of Microsoft is separate."""
    address = f"{settings.entra_authority}/organizations/oauth2/v2.0/logout"
    return page(HTTPStatus.OK, "signed_out", {"sign_out_address": address}, contact=settings.vendor_contact)


def _content(
    view: View, visit: Visit, settings: Settings, entered: Confirmation | None
) -> tuple[str, dict[str, object]]:
    """The template of the state, and the values that only its kind of page has."""
    purchase = view.purchase
    match view.state:
        case PageState.SET_UP if purchase.tenant is None:
            return "set_up", _set_up(view, entered)
        case PageState.SET_UP:
            return "agree", _agreement(view, visit, purchase.existing_tenant)
        case PageState.REQUEST_AGREEMENT | PageState.AWAITING_AGREEMENT | PageState.DECLINED:
            values = {
                "approver": TEXTS[purchase.existing_approvers.agreer],
                "facts": summary(purchase.bought, view.plan),
            }
        case PageState.ACTIVE:
            values = _active(view, settings)
        case PageState.NOTHING_TO_CONFIRM:
            values = _colleague(purchase.existing_tenant, settings)
        case PageState.SECOND_SUBSCRIPTION:
            values = {"detail": another_is_live().detail}
        case PageState.UNKNOWN:
            values = {"open_again": OPEN_AGAIN}
        case _:
            values = {"facts": summary(purchase.bought, view.plan)}
    return view.state.value, values


def _set_up(view: View, entered: Confirmation | None) -> dict[str, object]:
    return {
        "facts": summary(view.purchase.bought, view.plan),
        "is_started": _is_started(view),
        "organization": "" if entered is None else entered.organization,
        "organization_pattern": _ORGANIZATION_PATTERN,
        "time_zone": "" if entered is None else entered.time_zone,
        "time_zones": zone_options(view.now),
    }


def _agreement(view: View, visit: Visit, tenant: Tenant) -> dict[str, object]:
    purchase = view.purchase
    return {
        "facts": summary(purchase.bought, view.plan),
        "tenant": [
            ("Organization", tenant.name),
            ("Azure DevOps", tenant.organization),
            ("Time zone", zone_text(tenant.time_zone, view.now)),
        ],
        "is_started": _is_started(view),
        "is_declined": purchase.request is not None and purchase.request.state is RequestState.DECLINED,
        "is_trial": tenant.plan is Plan.TRIAL,
        "is_agreed": purchase.is_agreed,
        "ends_agreement": purchase.ends_agreement,
        "can_decline": may_decline(purchase, visit.principal),
        "seats": _exceeded_seats(tenant, purchase.bought.quantity),
    }


def _active(view: View, settings: Settings) -> dict[str, object]:
    tenant, known = view.purchase.existing_tenant, view.purchase.known
    # An accepted change counts here at once, while Microsoft still shows the old number.
    seats = None if known is None else known.terms.quantity
    bought = view.purchase.bought.model_copy(update={"quantity": seats})
    more = {
        "Organization": tenant.name,
        "Accounts in use": f"{tenant.seats_used}, without a limit"
        if seats is None
        else f"{tenant.seats_used} of {seats}",
        "Time zone": zone_text(tenant.time_zone, view.now),
    }
    return {
        "facts": summary(bought, view.plan, more),
        "seats": _exceeded_seats(tenant, seats),
        "product_address": _product_address(settings, tenant),
    }


def _colleague(tenant: Tenant, settings: Settings) -> dict[str, object]:
    """Nothing about the purchase, which is not theirs to see."""
    return {
        "is_suspended": tenant.status is TenantStatus.SUSPENDED,
        "product_address": _product_address(settings, tenant),
    }


def _page_visit(visit: Visit, form_token: str) -> PageVisit:
    person = visit.principal
    account = person.username or person.email or person.name or person.oid
    return PageVisit(visit.public_id, form_token, account, other_account_address(visit.public_id))


def _is_started(view: View) -> bool:
    """Whether an earlier confirmation began the setup, or Microsoft shows the purchase as active already."""
    return view.purchase.known is not None or view.purchase.bought.status != marketplace.PENDING


def _product_address(settings: Settings, tenant: Tenant) -> str:
    return f"{settings.azure_devops_url}/{tenant.organization}"


def _exceeded_seats(tenant: Tenant, seats: int | None) -> SeatCounts | None:
    """Both numbers where more accounts are in use than the purchase has seats."""
    if seats is None or tenant.seats_used <= seats:
        return None
    return SeatCounts(counted(tenant.seats_used, "account", "accounts"), counted(seats, "seat", "seats"))
