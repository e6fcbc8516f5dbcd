"""The agreement to a purchase that waits: Microsoft is asked what it is now, and told once that is written down."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from billing import marketplace, subscriptions
from billing.marketplace import UnreadableResponse
from billing.subscriptions import SubscriptionStatus, Terms
from shared.app import App
from shared.tenancy.store import lock_tenant
from shared.work import Actor
from webhooks.agreement import service
from webhooks.agreement import store as agreement_store
from webhooks.agreement.rules import Approvers, RequestState
from webhooks.agreement.service import Decision
from webhooks.landing.marketplace_calls import asking
from webhooks.landing.purchase_flow import activated, put_in_force


if TYPE_CHECKING:
    from billing.marketplace import Marketplace


_SECONDS: Final = 25.0


@dataclass(frozen=True, slots=True)
class Agreement:
    """Who agrees to which purchase. `plan` and `seats` are as they saw them; `check` refuses whoever may not agree."""

    tenant_id: int
    marketplace_id: uuid.UUID
    actor: Actor
    plan: str
    seats: int | None
    ends_agreement: bool
    check: Callable[[sa.Connection, Approvers], None]


def agree(app: App, client: "Marketplace", agreement: Agreement) -> None:
    """Begins the purchase, tells Microsoft, and puts it in force as soon as Microsoft shows it; once, however often.

    Raises:
        Forbidden: as `check` says.
        Conflict: it was canceled, or is another one by now than was seen, or the tenant pays for something else.
        Inconclusive: Microsoft could not be asked; what was agreed to stays so, and is activated by a repeat.
    """
    with asking(_SECONDS) as flow:
        bought = client.get(str(agreement.marketplace_id), flow)
        terms = subscriptions.terms_of(bought)
        if terms is None:
            raise UnreadableResponse("status_unknown")
        plans = client.plans(bought.id, flow)
        if subscriptions.lacks_seats(terms, plans):
            raise UnreadableResponse("quantity_unknown")
        with app.transaction(tenant=agreement.tenant_id) as tx:
            refusal = _begin(app, tx, agreement, bought, terms)
        if refusal is not None:
            raise refusal  # after the commit of what was found out
        bought = activated(client, bought, flow)
    put_in_force(app, bought, plans, actor=agreement.actor)


def _begin(
    app: App, tx: sa.Connection, agreement: Agreement, bought: marketplace.Subscription, terms: Terms
) -> Exception | None:
    """The refusal of a purchase that is not what was agreed to; what it is now is written down."""
    tenant = lock_tenant(tx, agreement.tenant_id)
    request = service.require_request(tx, tenant.id, agreement.marketplace_id)
    known, live = subscriptions.find_bought(tx, agreement.marketplace_id), subscriptions.find_live(tx, tenant.id)
    decision = Decision(agreement.actor, app.now(), app.new_id)
    agreement.check(tx, service.approvers(tx, tenant, bought, request, live, decision.now))
    service.require_open(request, known)
    if terms.status is SubscriptionStatus.UNSUBSCRIBED:
        if known is None:
            service.close(tx, request, RequestState.CANCELLED, service.by_microsoft(decision))
        return service.ended(request)
    if known is None and (terms.plan_id, terms.quantity) != (agreement.plan, agreement.seats):
        agreement_store.change_terms(tx, request, terms)
        return service.changed(request, terms)
    service.agree(tx, tenant, bought, terms, decision, ends_agreement=agreement.ends_agreement)
    return None
