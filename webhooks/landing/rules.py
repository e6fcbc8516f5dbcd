"""Decides what the landing page shows to whom, and who may confirm a purchase there."""

import uuid
from dataclasses import dataclass
from enum import StrEnum

from billing import marketplace
from billing.subscriptions import Subscription, SubscriptionStatus, terms_of
from shared.auth.tokens import Principal
from shared.tenancy.model import Tenant, User
from webhooks.agreement.rules import Approvers, PurchaseRequest, RequestState, is_buyer


class Scene(StrEnum):
    SET_UP = "set_up"  # bought, or active at Microsoft, and not yet here
    ASK = "ask"  # the buyer may ask for the agreement of somebody else
    WAITING = "waiting"  # and has
    DECLINED = "declined"
    UNDER_WAY = "under_way"  # Microsoft was told, and does not show it yet
    ACTIVE = "active"
    SUSPENDED = "suspended"
    ENDED = "ended"
    ANOTHER = "another"  # the tenant pays for another subscription
    COLLEAGUE = "colleague"  # there is nothing to confirm, and the visitor could not
    ASK_ADMIN = "ask_admin"
    GUEST = "guest"
    UNKNOWN = "unknown"  # a status that nobody here knows


@dataclass(frozen=True, slots=True)
class Found:
    """A purchase: Microsoft's copy, and what is here of it, of its directory's tenant and of the visitor."""

    bought: marketplace.Subscription
    known: Subscription | None = None
    tenant: Tenant | None = None
    account: User | None = None
    live: Subscription | None = None  # what the tenant pays for now
    request: PurchaseRequest | None = None
    approvers: Approvers | None = None  # of a tenant that exists

    @property
    def waits_to_begin(self) -> bool:
        """Confirmed here and active at Microsoft: what is missing is that we write it down."""
        terms = terms_of(self.bought)
        return self.is_agreed and terms is not None and terms.status.is_live

    @property
    def is_agreed(self) -> bool:
        """Whether somebody who may has agreed, and it only remains to be activated."""
        is_pending = self.known is not None and self.known.terms.status is SubscriptionStatus.PENDING
        return is_pending and not self.needs_tick

    @property
    def needs_tick(self) -> bool:
        """Whether somebody must say that an agreement with the vendor ends by this purchase."""
        has_agreement = self.live is not None and self.live.marketplace_id is None
        return has_agreement and not (self.known is not None and self.known.replaces_agreement)

    @property
    def overtaken(self) -> list[Subscription]:
        """What is in force here and may not be so at Microsoft any more: its event is late, or was lost."""
        terms, in_force = terms_of(self.bought), []
        if self.known is not None and self.known.terms.status.is_live and terms is not None:
            in_force += [self.known] if self.known.terms.status is not terms.status else []
        if self.live is not None and self.live.marketplace_id not in {None, uuid.UUID(self.bought.id)}:
            in_force.append(self.live)
        return in_force


def is_of(bought: marketplace.Subscription, principal: Principal) -> bool:
    """Whether the purchase is for the directory that the person signed in to."""
    return bought.beneficiary.tid == principal.tid


def may_confirm(found: Found, principal: Principal) -> bool:
    """Of a new directory any member; of a tenant those who may agree, and the buyer once somebody has."""
    if found.approvers is None:
        return not principal.is_guest
    if found.is_agreed and is_buyer(found.bought, principal):
        return True
    return found.account is not None and found.approvers.admits(found.account, principal.oid)


def may_decline(found: Found, principal: Principal) -> bool:
    is_open = found.request is not None and found.request.state is RequestState.WAITING
    return is_open and not found.is_agreed and may_confirm(found, principal)


def scene_of(found: Found, principal: Principal, *, is_activated: bool) -> Scene:
    """First whether there is anything to confirm, then who may. `is_activated`: Microsoft was told in this visit."""
    terms, known = terms_of(found.bought), None if found.known is None else found.known.terms.status
    if terms is None:
        return Scene.UNKNOWN
    if SubscriptionStatus.UNSUBSCRIBED in {terms.status, known}:
        return Scene.ENDED
    settled = _settled(found, terms.status, known)
    if may_confirm(found, principal):
        return settled or (Scene.UNDER_WAY if is_activated and not found.needs_tick else Scene.SET_UP)
    if found.tenant is None:
        return Scene.GUEST
    if not is_buyer(found.bought, principal):
        return Scene.ASK_ADMIN if settled is None else Scene.COLLEAGUE
    return settled or _asked(found)


def _asked(found: Found) -> Scene:
    """The scene of a buyer whose purchase needs somebody else's agreement."""
    if found.request is None:
        return Scene.ASK
    return Scene.DECLINED if found.request.state is RequestState.DECLINED else Scene.WAITING


def _settled(found: Found, bought: SubscriptionStatus, known: SubscriptionStatus | None) -> Scene | None:
    """The scene of a purchase that nobody has to confirm any more, or cannot now; None for one that waits for it."""
    if SubscriptionStatus.SUSPENDED in {bought, known}:
        return Scene.SUSPENDED
    if known is not None and known.is_live:
        return Scene.ACTIVE
    if found.live is not None and found.live.marketplace_id is not None:
        return Scene.ANOTHER
    return None
