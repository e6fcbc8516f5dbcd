"""Binds a purchase to its directory's tenant, and puts in force what Microsoft has activated."""

import datetime as dt
import uuid
from dataclasses import dataclass

import sqlalchemy as sa

from shared import audit
from shared.audit import Actor
from shared.billing import service as billing
from shared.billing.service import Closing
from shared.errors import Forbidden
from shared.identity import Principal
from shared.marketplace import model as told
from shared.settings import Settings
from shared.subscriptions import store
from shared.subscriptions.model import Event, EventSource, Quote, SubscriptionStatus, Terms
from shared.subscriptions.service import begin, move
from shared.tenancy import service, service_settings
from shared.tenancy.model import Caller, Tenant
from shared.tenancy.rows import NewId, NewTenant
from shared.tenancy.store import find_caller, find_tenant, hold_tenant
from webhooks.rules_landing import Found, may_confirm


ACTIVATED = "Activate"


@dataclass(frozen=True, slots=True)
class Choices:
    """What the buyer chooses for the tenant."""

    time_zone: str
    organization: str


def look_up(tx: sa.Connection, principal: Principal, bought: told.Subscription) -> Found:
    """What is here of a purchase of the person's directory."""
    tenant = find_tenant(tx, tid=principal.tid)
    return Found(bought) if tenant is None else _found(tx, tenant, principal, bought)


def prepare(
    tx: sa.Connection,
    principal: Principal,
    bought: told.Subscription,
    terms: Terms,
    choices: Choices,
    *,
    settings: Settings,
    now: dt.datetime,
    new_id: NewId,
) -> None:
    """Everything before Microsoft is told: the tenant, its super admin and settings, and the pending subscription.

    Raises:
        Forbidden: the person may not confirm this purchase, or is deactivated.
        Conflict: the tenant pays for another one, or somebody else was registering the directory just now.
    """
    tenant = find_tenant(tx, tid=principal.tid, lock=True)
    if tenant is None:
        chosen = NewTenant(choices.organization, choices.organization, choices.time_zone)
        tenant = service.start_tenant(tx, principal, chosen, settings=settings, now=now, new_id=new_id).tenant
    else:
        if not may_confirm(_found(tx, tenant, principal, bought), principal):
            raise Forbidden("Ask a super admin of your organization to confirm the purchase.", code="role_required")
        buyer = service.admit_buyer(tx, tenant, principal, now=now, new_id=new_id)
        _change_settings(tx, buyer, choices, now=now, new_id=new_id)
    begin(tx, tenant, uuid.UUID(bought.id), terms, now=now)


def put_in_force(
    tx: sa.Connection,
    principal: Principal,
    marketplace_id: uuid.UUID,
    terms: Terms,
    quote: Quote,
    *,
    settings: Settings,
    now: dt.datetime,
    new_id: NewId,
) -> Tenant | None:
    """The paid plan, from now on; None, and nothing is done, when it is in force already, or nothing here waits for it.

    Raises:
        Conflict: the tenant pays for another one since.
    """
    known = store.find_bought(tx, marketplace_id)
    if known is None:
        return None
    tenant = hold_tenant(tx, known.tenant_id)
    known = store.read(tx, tenant.id, known.id)  # as it is now that nobody else moves it
    if known.terms.status is not SubscriptionStatus.PENDING:
        return None
    caller = find_caller(tx, tid=principal.tid, oid=principal.oid, lock=False)
    actor = audit.SERVICE if caller is None else Actor.user(caller.user.id)
    event = Event(ACTIVATED, EventSource.LANDING, now)
    moved = move(tx, tenant, known, terms, event, quote=quote, actor=actor, now=now, new_id=new_id)
    closing = Closing(settings.marketplace_metering_dimension, now, new_id, actor)
    if moved is None:
        return None
    billing.close_ended(tx, moved.ended, closing)  # what was agreed with the vendor before
    return tenant


def _found(tx: sa.Connection, tenant: Tenant, principal: Principal, bought: told.Subscription) -> Found:
    caller = find_caller(tx, tid=principal.tid, oid=principal.oid, lock=False)
    known = store.find_bought(tx, uuid.UUID(bought.id))
    live = store.find_live(tx, tenant.id)
    return Found(bought, known, tenant, None if caller is None else caller.user, live)


def _change_settings(tx: sa.Connection, buyer: Caller, choices: Choices, *, now: dt.datetime, new_id: NewId) -> None:
    wanted = {"time_zone": choices.time_zone, "organization": choices.organization}
    service_settings.change(tx, buyer, wanted, versions=None, now=now, new_id=new_id)
