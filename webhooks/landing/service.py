"""Connects a purchase with its directory's tenant, and records its activation."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from billing import marketplace, subscriptions
from billing.closing import Closing, close_ended
from billing.subscriptions import Agreed, Event, EventSource, Quote, SubscriptionStatus, Terms, begin
from shared.auth.tokens import Principal
from shared.errors import Forbidden
from shared.settings import Settings
from shared.tenancy.model import Tenant
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


def load_context(
    tx: sa.Connection, principal: Principal, bought: marketplace.Subscription, *, now: dt.datetime
) -> PurchaseContext:
    """Our rows of a purchase and of the visitor's directory."""
    tenant = find_tenant(tx, tid=principal.tid)
    return PurchaseContext(bought) if tenant is None else _context(tx, tenant, principal, bought, now)


def prepare(
    tx: sa.Connection,
    principal: Principal,
    bought: marketplace.Subscription,
    terms: Terms,
    choices: Choices | None,
    *,
    ends_agreement: bool,
    settings: Settings,
    now: dt.datetime,
    new_id: NewId,
) -> None:
    """Everything before the activation: the pending subscription; in a new directory also tenant and super admin.

    An existing tenant keeps its settings.

    Raises:
        Forbidden: the person may not agree to this purchase.
        Conflict: the tenant pays for another subscription, or somebody else just registered the directory.
    """
    tenant = find_tenant(tx, tid=principal.tid, lock=True)
    if tenant is not None:
        purchase = _context(tx, tenant, principal, bought, now)
        if not may_confirm(purchase, principal):
            raise Forbidden(
                "Ask a super admin of your organization to agree to the purchase.", code=agreement_service.ROLE_REQUIRED
            )
        actor = SERVICE if purchase.account is None else Actor.user(purchase.account.id)
        work = Work(tx, tenant, actor, now, new_id)
        agreement_service.agree(work, bought, terms, ends_agreement=ends_agreement)
        return
    assert choices is not None, "the form of a new directory was validated"  # noqa: S101 - an invariant of ours
    new_tenant = NewTenant(choices.organization, choices.organization, choices.time_zone)
    caller = start_tenant(tx, principal, new_tenant, settings=settings, now=now, new_id=new_id)
    begin(tx, caller.tenant, uuid.UUID(bought.id), terms, Agreed(caller.user.id), now=now)


def request_agreement(
    tx: sa.Connection,
    principal: Principal,
    bought: marketplace.Subscription,
    terms: Terms,
    *,
    settings: Settings,
    now: dt.datetime,
    new_id: NewId,
) -> None:
    """Asks the approvers of an existing tenant to agree to the purchase."""
    tenant = find_tenant(tx, tid=principal.tid, lock=True)
    assert tenant is not None, "only a purchase for a tenant needs agreement"  # noqa: S101 - an invariant of ours
    work = Work(tx, tenant, ANONYMOUS, now, new_id)
    agreement_service.request_agreement(work, principal, bought, terms, settings=settings)


def close_request(
    tx: sa.Connection,
    principal: Principal,
    bought: marketplace.Subscription,
    state: RequestState,
    *,
    now: dt.datetime,
    new_id: NewId,
) -> None:
    """Declines the request for a purchase as the visitor, or records that its purchase was canceled.

    Raises:
        Forbidden: the visitor may not decline it.
    """
    tenant = find_tenant(tx, tid=principal.tid, lock=True)
    if tenant is None:
        return
    purchase = _context(tx, tenant, principal, bought, now)
    if state is RequestState.DECLINED and not may_decline(purchase, principal):
        raise Forbidden(
            "Ask a super admin of your organization to decline the purchase.", code=agreement_service.ROLE_REQUIRED
        )
    if purchase.request is not None:
        visitor = purchase.account if state is RequestState.DECLINED else None
        actor = SERVICE if visitor is None else Actor.user(visitor.id)
        agreement_service.close(Work(tx, tenant, actor, now, new_id), purchase.request, state)


def record_activation(
    tx: sa.Connection,
    marketplace_id: uuid.UUID,
    terms: Terms,
    quote: Quote,
    principal: Principal | None,
    *,
    settings: Settings,
    now: dt.datetime,
    new_id: NewId,
    actor: Actor = SERVICE,
) -> Tenant | None:
    """Starts the paid plan of a pending subscription; returns None and changes nothing where none is pending.

    Raises:
        Conflict: the tenant pays for another subscription by now.
    """
    known = subscriptions.find_bought(tx, marketplace_id)
    if known is None:
        return None
    tenant = lock_tenant(tx, known.tenant_id)
    known = subscriptions.read(tx, tenant.id, known.id)  # again, under the tenant's lock
    if known.terms.status is not SubscriptionStatus.PENDING:
        return None
    caller = None if principal is None else find_caller(tx, tid=principal.tid, oid=principal.oid, lock=False)
    actor = actor if caller is None else Actor.user(caller.user.id)
    event = Event(ACTIVATED, EventSource.LANDING, now)
    work = Work(tx, tenant, actor, now, new_id)
    moved = subscriptions.move(work, known, terms, event, quote=quote)
    if moved is None:
        return None
    closing = Closing(settings.marketplace_metering_dimension)
    close_ended(work, moved.ended, closing)  # a replaced agreement with the vendor
    return tenant


def _context(
    tx: sa.Connection, tenant: Tenant, principal: Principal, bought: marketplace.Subscription, now: dt.datetime
) -> PurchaseContext:
    caller = find_caller(tx, tid=principal.tid, oid=principal.oid, lock=False)
    marketplace_id = uuid.UUID(bought.id)
    known, live = subscriptions.find_bought(tx, marketplace_id), subscriptions.find_live(tx, tenant.id)
    request = agreement_store.find(tx, tenant.id, marketplace_id)
    approvers = agreement_service.load_approvers(tx, tenant, bought, request, live, now)
    return PurchaseContext(bought, known, tenant, None if caller is None else caller.user, live, request, approvers)
