"""Agrees to a purchase: reads it from Microsoft, stores the agreement, and then activates it at Microsoft."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from billing import marketplace, subscriptions
from billing.marketplace import UnreadableResponse
from billing.subscriptions import SubscriptionStatus, Terms
from shared.app import App
from shared.jobs import job_work
from shared.work import SERVICE, Actor
from webhooks.agreement import service
from webhooks.agreement import store as agreement_store
from webhooks.agreement.rules import Approvers, RequestState
from webhooks.landing.marketplace_calls import marketplace_call
from webhooks.landing.purchase_flow import activate, record_activation


if TYPE_CHECKING:
    from billing.marketplace import MarketplaceClient


_SECONDS: Final = 25.0


@dataclass(frozen=True, slots=True)
class Agreement:
    """A person's agreement to a purchase. `plan` and `seats` are those they saw; `check` tests their right to agree."""

    tenant_id: int
    marketplace_id: uuid.UUID
    actor: Actor
    plan: str
    seats: int | None
    ends_agreement: bool
    check: Callable[[sa.Connection, Approvers], None]


def agree(app: App, client: "MarketplaceClient", agreement: Agreement) -> None:
    """Starts the purchase, activates it at Microsoft, and records the activation. A repeat changes nothing more.

    Raises:
        Forbidden: as `check`.
        Conflict: it was canceled or changed, or the tenant pays for something else.
        Inconclusive: Microsoft does not answer. The agreement is stored, and a repeat activates it.
    """
    with marketplace_call(_SECONDS) as deadline:
        bought = client.get(str(agreement.marketplace_id), deadline)
        terms = subscriptions.terms_of(bought)
        if terms is None:
            raise UnreadableResponse("status_unknown")
        plans = client.plans(bought.id, deadline)
        if subscriptions.lacks_seats(terms, plans):
            raise UnreadableResponse("quantity_unknown")
        with app.transaction(tenant=agreement.tenant_id) as tx:
            refusal = _begin(app, tx, agreement, bought, terms)
        if refusal is not None:
            raise refusal  # after the commit of Microsoft's changes
        bought = activate(client, bought, deadline)
    record_activation(app, bought, plans, actor=agreement.actor)


def _begin(
    app: App, tx: sa.Connection, agreement: Agreement, bought: marketplace.Subscription, terms: Terms
) -> Exception | None:
    """Stores the agreement. If the purchase has changed, stores its present terms and returns the refusal."""
    work = job_work(app, tx, agreement.tenant_id, actor=agreement.actor, locks_tenant=True)
    tenant = work.tenant
    request = service.require_request(tx, tenant.id, agreement.marketplace_id)
    known, live = subscriptions.find_bought(tx, agreement.marketplace_id), subscriptions.find_live(tx, tenant.id)
    agreement.check(tx, service.load_approvers(work, bought, request, live))
    service.require_open(request, known)
    if terms.status is SubscriptionStatus.UNSUBSCRIBED:
        if known is None:
            service.close(replace(work, actor=SERVICE), request, RequestState.CANCELLED)  # by Microsoft
        return service.purchase_ended(request)
    if known is None and (terms.plan_id, terms.quantity) != (agreement.plan, agreement.seats):
        agreement_store.change_terms(tx, request, terms)
        return service.purchase_changed(request, terms)
    service.agree(work, bought, terms, ends_agreement=agreement.ends_agreement)
    return None
