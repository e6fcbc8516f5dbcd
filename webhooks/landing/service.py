"""Connects a purchase with its directory's tenant, and records its activation."""

import datetime as dt
import uuid
from dataclasses import dataclass, replace
from typing import Final

import sqlalchemy as sa

from billing import marketplace, subscriptions
from billing.closing import Closing, close_ended
from billing.subscriptions import Confirmation, Event, EventSource, Quote, SubscriptionStatus, Terms, begin
from shared.auth.tokens import Principal
from shared.errors import Forbidden
from shared.settings import Settings
from shared.tenancy.model import Tenant, User
from shared.tenancy.store import find_caller, find_tenant, lock_tenant
from shared.work import ANONYMOUS, SERVICE, Actor, NewId, Work
from tenants import NewTenant
from tenants.sign_in import start_tenant
from webhooks.agreement import service as agreement_service
from webhooks.agreement import store as agreement_store
from webhooks.agreement.rules import RequestState
from webhooks.landing.rules import PurchaseContext, may_confirm, may_decline


ACTIVATED: Final = "Activate"


@dataclass(frozen=True, slots=True)
class Choices:
    """The settings that the first buyer of a directory chooses for its tenant."""

    time_zone: str
    organization: str


@dataclass(frozen=True, slots=True)
class PurchaseTransaction:
    """A transaction about a purchase, begun before its tenant is known. `bought` is Microsoft's copy."""

    tx: sa.Connection
    bought: marketplace.Subscription
    settings: Settings
    now: dt.datetime
    new_id: NewId

    @property
    def marketplace_id(self) -> uuid.UUID:
        return uuid.UUID(self.bought.id)

    def work(self, tenant: Tenant, actor: Actor) -> Work:
        """The Work once the tenant is known."""
        return Work(self.tx, tenant, actor, self.now, self.new_id)

    def lock_directory(self, principal: Principal) -> Work | None:
        """The Work of the visitor's directory, with its tenant locked; None for a new directory."""
        tenant = find_tenant(self.tx, tid=principal.tid, lock=True)
        return None if tenant is None else self.work(tenant, ANONYMOUS)


def load_context(purchase: PurchaseTransaction, principal: Principal) -> PurchaseContext:
    """Our rows of a purchase and of the visitor's directory."""
    tenant = find_tenant(purchase.tx, tid=principal.tid)
    if tenant is None:
        return PurchaseContext(purchase.bought)
    return _context(purchase.work(tenant, ANONYMOUS), principal, purchase.bought)


def prepare(
    purchase: PurchaseTransaction,
    principal: Principal,
    terms: Terms,
    choices: Choices | None,
    *,
    ends_agreement: bool,
) -> None:
    """Everything before the activation: the pending subscription; in a new directory also tenant and super admin.

    An existing tenant keeps its settings.

    Raises:
        Forbidden: the person may not agree to this purchase.
        Conflict: the tenant pays for another subscription, or somebody else just registered the directory.
    """
    work = purchase.lock_directory(principal)
    if work is not None:
        context = _context(work, principal, purchase.bought)
        if not may_confirm(context, principal):
            raise Forbidden(
                "Ask a super admin of your organization to agree to the purchase.", code=agreement_service.ROLE_REQUIRED
            )
        work = replace(work, actor=_actor(context.account))
        agreement_service.agree(work, purchase.bought, terms, ends_agreement=ends_agreement)
        return
    assert choices is not None, "the form of a new directory was validated"  # noqa: S101 - an invariant of ours
    new_tenant = NewTenant(choices.organization, choices.organization, choices.time_zone)
    caller = start_tenant(
        purchase.tx, principal, new_tenant, settings=purchase.settings, now=purchase.now, new_id=purchase.new_id
    )
    work = purchase.work(caller.tenant, Actor.user(caller.user.id))
    begin(work, purchase.marketplace_id, terms, Confirmation(caller.user.id))


def request_agreement(purchase: PurchaseTransaction, principal: Principal, terms: Terms) -> None:
    """Asks the approvers of an existing tenant to agree to the purchase."""
    work = purchase.lock_directory(principal)
    assert work is not None, "only a purchase for a tenant needs agreement"  # noqa: S101 - an invariant of ours
    agreement_service.request_agreement(work, principal, purchase.bought, terms, settings=purchase.settings)


def close_request(purchase: PurchaseTransaction, principal: Principal, state: RequestState) -> None:
    """Declines the request for a purchase as the visitor, or records that its purchase was canceled.

    Raises:
        Forbidden: the visitor may not decline it.
    """
    work = purchase.lock_directory(principal)
    if work is None:
        return
    context = _context(work, principal, purchase.bought)
    if state is RequestState.DECLINED and not may_decline(context, principal):
        raise Forbidden(
            "Ask a super admin of your organization to decline the purchase.", code=agreement_service.ROLE_REQUIRED
        )
    if context.request is not None:
        visitor = context.account if state is RequestState.DECLINED else None
        agreement_service.close(replace(work, actor=_actor(visitor)), context.request, state)


def record_activation(
    purchase: PurchaseTransaction, terms: Terms, quote: Quote, principal: Principal | None, *, actor: Actor = SERVICE
) -> Tenant | None:
    """Starts the paid plan of a pending subscription; returns None and changes nothing where none is pending.

    Raises:
        Conflict: the tenant pays for another subscription by now.
    """
    tx = purchase.tx
    known = subscriptions.find_bought(tx, purchase.marketplace_id)
    if known is None:
        return None
    tenant = lock_tenant(tx, known.tenant_id)
    known = subscriptions.read(tx, tenant.id, known.id)  # again, under the tenant's lock
    if known.terms.status is not SubscriptionStatus.PENDING:
        return None
    caller = None if principal is None else find_caller(tx, tid=principal.tid, oid=principal.oid, lock=False)
    work = purchase.work(tenant, actor if caller is None else Actor.user(caller.user.id))
    change = subscriptions.move(work, known, terms, Event(ACTIVATED, EventSource.LANDING, work.now), quote=quote)
    if change is None:
        return None
    closing = Closing(purchase.settings.marketplace_metering_dimension)
    close_ended(work, change.ended, closing)  # a replaced agreement with the vendor
    return tenant


def _actor(account: User | None) -> Actor:
    return SERVICE if account is None else Actor.user(account.id)


def _context(work: Work, principal: Principal, bought: marketplace.Subscription) -> PurchaseContext:
    tx, tenant = work.tx, work.tenant
    caller = find_caller(tx, tid=principal.tid, oid=principal.oid, lock=False)
    marketplace_id = uuid.UUID(bought.id)
    known, live = subscriptions.find_bought(tx, marketplace_id), subscriptions.find_live(tx, tenant.id)
    request = agreement_store.find(tx, tenant.id, marketplace_id)
    approvers = agreement_service.load_approvers(work, bought, request, live)
    return PurchaseContext(bought, known, tenant, None if caller is None else caller.user, live, request, approvers)
