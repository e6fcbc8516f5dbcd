"""Binds a purchase to its directory's tenant, and puts in force what Microsoft has activated."""

import datetime as dt
import uuid
from dataclasses import dataclass

import sqlalchemy as sa

from billing import marketplace, subscriptions
from billing.closing import Closing, close_ended
from billing.subscriptions import Agreed, Event, EventSource, Quote, SubscriptionStatus, Terms, begin
from shared.auth.tokens import Principal
from shared.errors import Forbidden
from shared.settings import Settings
from shared.tenancy.model import Tenant
from shared.tenancy.store import find_caller, find_tenant, lock_tenant
from shared.work import SERVICE, Actor, NewId, Work
from tenants import NewTenant
from tenants.sign_in import start_tenant
from webhooks.agreement import service as agreement_service
from webhooks.agreement import store as agreement_store
from webhooks.agreement.rules import RequestState
from webhooks.agreement.service import Decision
from webhooks.landing.rules import Found, may_confirm, may_decline


ACTIVATED = "Activate"


@dataclass(frozen=True, slots=True)
class Choices:
    """What the first buyer of a directory chooses for its tenant."""

    time_zone: str
    organization: str


def look_up(tx: sa.Connection, principal: Principal, bought: marketplace.Subscription, *, now: dt.datetime) -> Found:
    """What is here of a purchase of the person's directory."""
    tenant = find_tenant(tx, tid=principal.tid)
    return Found(bought) if tenant is None else _found(tx, tenant, principal, bought, now)


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
    """Everything before Microsoft is told: the pending subscription, and of a new directory its tenant and super admin.

    The settings of a tenant that exists stay as they are.

    Raises:
        Forbidden: the person may not agree to this purchase.
        Conflict: the tenant pays for another one, or somebody else was registering the directory just now.
    """
    tenant = find_tenant(tx, tid=principal.tid, lock=True)
    if tenant is not None:
        found = _found(tx, tenant, principal, bought, now)
        if not may_confirm(found, principal):
            raise Forbidden(
                "Ask a super admin of your organization to agree to the purchase.", code=agreement_service.ROLE_REQUIRED
            )
        actor = SERVICE if found.account is None else Actor.user(found.account.id)
        decision = Decision(actor, now, new_id)
        agreement_service.agree(tx, tenant, bought, terms, decision, ends_agreement=ends_agreement)
        return
    assert choices is not None, "a new directory has chosen"  # noqa: S101 - the form was checked
    chosen = NewTenant(choices.organization, choices.organization, choices.time_zone)
    caller = start_tenant(tx, principal, chosen, settings=settings, now=now, new_id=new_id)
    begin(tx, caller.tenant, uuid.UUID(bought.id), terms, Agreed(caller.user.id), now=now)


def ask(
    tx: sa.Connection,
    principal: Principal,
    bought: marketplace.Subscription,
    terms: Terms,
    *,
    settings: Settings,
    now: dt.datetime,
    new_id: NewId,
) -> None:
    """Puts the purchase of a tenant that exists before those who may agree to it."""
    tenant = find_tenant(tx, tid=principal.tid, lock=True)
    assert tenant is not None, "who may not confirm has a tenant, and tenants stay"  # noqa: S101 - ours
    agreement_service.ask(tx, tenant, principal, bought, terms, settings=settings, now=now, new_id=new_id)


def close_request(
    tx: sa.Connection, principal: Principal, bought: marketplace.Subscription, state: RequestState, decision: Decision
) -> None:
    """Declines the request for a purchase, as the visitor may, or notes that its purchase was canceled.

    Raises:
        Forbidden: the visitor may not decline it.
    """
    tenant = find_tenant(tx, tid=principal.tid, lock=True)
    if tenant is None:
        return
    found = _found(tx, tenant, principal, bought, decision.now)
    if state is RequestState.DECLINED and not may_decline(found, principal):
        raise Forbidden(
            "Ask a super admin of your organization to decline the purchase.", code=agreement_service.ROLE_REQUIRED
        )
    if found.request is not None:
        actor = decision.actor
        if state is RequestState.DECLINED and found.account is not None:
            actor = Actor.user(found.account.id)
        agreement_service.close(tx, found.request, state, Decision(actor, decision.now, decision.new_id))


def put_in_force(
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
    """The paid plan, from now on; None, and nothing is done, when it is in force already, or nothing here waits for it.

    Raises:
        Conflict: the tenant pays for another one since.
    """
    known = subscriptions.find_bought(tx, marketplace_id)
    if known is None:
        return None
    tenant = lock_tenant(tx, known.tenant_id)
    known = subscriptions.read(tx, tenant.id, known.id)  # as it is now that nobody else moves it
    if known.terms.status is not SubscriptionStatus.PENDING:
        return None
    caller = None if principal is None else find_caller(tx, tid=principal.tid, oid=principal.oid, lock=False)
    actor = actor if caller is None else Actor.user(caller.user.id)
    event = Event(ACTIVATED, EventSource.LANDING, now)
    work = Work(tx, tenant, actor, now, new_id)
    moved = subscriptions.move(work, known, terms, event, quote=quote)
    if moved is None:
        return None
    close_ended(work, moved.ended, Closing(settings.marketplace_metering_dimension))  # a former agreement
    return tenant


def _found(
    tx: sa.Connection, tenant: Tenant, principal: Principal, bought: marketplace.Subscription, now: dt.datetime
) -> Found:
    caller = find_caller(tx, tid=principal.tid, oid=principal.oid, lock=False)
    marketplace_id = uuid.UUID(bought.id)
    known, live = subscriptions.find_bought(tx, marketplace_id), subscriptions.find_live(tx, tenant.id)
    request = agreement_store.find(tx, tenant.id, marketplace_id)
    approvers = agreement_service.approvers(tx, tenant, bought, request, live, now)
    return Found(bought, known, tenant, None if caller is None else caller.user, live, request, approvers)
