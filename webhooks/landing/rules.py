"""Decides which page a visitor sees for a purchase, and whether they may confirm or decline it."""

import uuid
from dataclasses import dataclass
from enum import StrEnum

from billing import marketplace
from billing.subscriptions import Subscription, SubscriptionStatus, terms_of
from shared.auth.tokens import Principal
from shared.tenancy.model import Tenant, User
from webhooks.agreement.rules import Approvers, PurchaseRequest, RequestState, is_buyer


class PageState(StrEnum):
    """The state of a purchase for one visitor. Each state has a page."""

    SET_UP = "set_up"  # bought, or active at Microsoft, and not set up here
    REQUEST_AGREEMENT = "request_agreement"  # the buyer may ask somebody else for agreement
    AWAITING_AGREEMENT = "awaiting_agreement"  # the buyer has asked
    DECLINED = "declined"
    ACTIVATING = "activating"  # activated by us; Microsoft does not show it yet
    ACTIVE = "active"
    SUSPENDED = "suspended"
    ENDED = "ended"
    SECOND_SUBSCRIPTION = "second_subscription"  # the tenant pays for another subscription
    NOTHING_TO_CONFIRM = "nothing_to_confirm"  # nothing to confirm, and the visitor has no right to
    NOT_AN_APPROVER = "not_an_approver"
    GUEST = "guest"
    UNKNOWN = "unknown"  # Microsoft shows an unknown status


@dataclass(frozen=True, slots=True)
class PurchaseContext:
    """A purchase: Microsoft's copy, and our rows of it, of its directory's tenant and of the visitor."""

    bought: marketplace.Subscription
    known: Subscription | None = None
    tenant: Tenant | None = None
    account: User | None = None
    live: Subscription | None = None  # the subscription that the tenant pays for now
    request: PurchaseRequest | None = None
    approvers: Approvers | None = None  # None without a tenant

    @property
    def existing_tenant(self) -> Tenant:
        """The tenant, in a state that has one."""
        assert self.tenant is not None, "this state has a tenant"  # noqa: S101 - an invariant of ours
        return self.tenant

    @property
    def existing_approvers(self) -> Approvers:
        """The approvers, in a state that has a tenant."""
        assert self.approvers is not None, "a tenant has approvers"  # noqa: S101 - an invariant of ours
        return self.approvers

    @property
    def is_activation_unrecorded(self) -> bool:
        """Whether it was confirmed here and is active at Microsoft, but not in our database yet."""
        terms = terms_of(self.bought)
        return self.is_agreed and terms is not None and terms.status.is_live

    @property
    def is_agreed(self) -> bool:
        """Whether it is agreed to, and only has to be activated."""
        is_pending = self.known is not None and self.known.terms.status is SubscriptionStatus.PENDING
        return is_pending and not self.ends_agreement

    @property
    def ends_agreement(self) -> bool:
        """Whether it ends an agreement with the vendor, and nobody has confirmed that yet."""
        has_agreement = self.live is not None and self.live.marketplace_id is None
        return has_agreement and not (self.known is not None and self.known.replaces_agreement)

    @property
    def stale_subscriptions(self) -> list[Subscription]:
        """Subscriptions that are active here but perhaps not at Microsoft, since an event is late or lost."""
        terms, stale = terms_of(self.bought), []
        if self.known is not None and self.known.terms.status.is_live and terms is not None:
            stale += [self.known] if self.known.terms.status is not terms.status else []
        if self.live is not None and self.live.marketplace_id not in {None, uuid.UUID(self.bought.id)}:
            stale.append(self.live)
        return stale


def belongs_to(bought: marketplace.Subscription, principal: Principal) -> bool:
    """Whether the purchase is for the directory that the person signed in to."""
    return bought.beneficiary.tid == principal.tid


def may_confirm(purchase: PurchaseContext, principal: Principal) -> bool:
    """Any member of a new directory may, an approver of the tenant, and the buyer after agreement."""
    if purchase.approvers is None:
        return not principal.is_guest
    if purchase.is_agreed and is_buyer(purchase.bought, principal):
        return True
    return purchase.account is not None and purchase.approvers.admits(purchase.account, principal.oid)


def may_decline(purchase: PurchaseContext, principal: Principal) -> bool:
    is_open = purchase.request is not None and purchase.request.state is RequestState.WAITING
    return is_open and not purchase.is_agreed and may_confirm(purchase, principal)


def page_state(purchase: PurchaseContext, principal: Principal, *, is_activated: bool) -> PageState:
    """The state by the purchase, then by the visitor's rights. `is_activated`: at Microsoft, by this visit."""
    terms, known = terms_of(purchase.bought), None if purchase.known is None else purchase.known.terms.status
    if terms is None:
        return PageState.UNKNOWN
    if SubscriptionStatus.UNSUBSCRIBED in {terms.status, known}:
        return PageState.ENDED
    final = _final_state(purchase, terms.status, known)
    if may_confirm(purchase, principal):
        return final or (PageState.ACTIVATING if is_activated and not purchase.ends_agreement else PageState.SET_UP)
    if purchase.tenant is None:
        return PageState.GUEST
    if not is_buyer(purchase.bought, principal):
        return PageState.NOT_AN_APPROVER if final is None else PageState.NOTHING_TO_CONFIRM
    return final or _request_state(purchase)


def _request_state(purchase: PurchaseContext) -> PageState:
    """The state of a buyer who needs somebody else's agreement."""
    if purchase.request is None:
        return PageState.REQUEST_AGREEMENT
    return PageState.DECLINED if purchase.request.state is RequestState.DECLINED else PageState.AWAITING_AGREEMENT


def _final_state(
    purchase: PurchaseContext, bought: SubscriptionStatus, known: SubscriptionStatus | None
) -> PageState | None:
    """The state of a purchase with nothing to confirm now; None while it waits for confirmation."""
    if SubscriptionStatus.SUSPENDED in {bought, known}:
        return PageState.SUSPENDED
    if known is not None and known.is_live:
        return PageState.ACTIVE
    if purchase.live is not None and purchase.live.marketplace_id is not None:
        return PageState.SECOND_SUBSCRIPTION
    return None
