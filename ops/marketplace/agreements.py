"""Keeps the subscription of a tenant in step with the plan that an operator sets, in the transaction of the change."""

import dataclasses
import uuid

import sqlalchemy as sa

from billing.closing import service as billing
from billing.closing.service import Closing
from billing.subscriptions import ledger_store, service, store
from billing.subscriptions.model import Event, EventSource, Outcome, Price, Quote, Subscription
from ops.exits import Refused
from ops.terms import Terms
from shared.money import MONTH
from shared.tenancy.model import Plan, Tenant
from shared.tenancy.store import lock_tenant


PLAN_ID = "agreed"


def require_free(tx: sa.Connection, tenant: Tenant, after: Terms) -> None:
    """Lets through what leaves a purchase in the Marketplace as it is: it is changed and cancelled there.

    Raises:
        Refused: another plan, or other seats than were bought.
    """
    live = store.find_live(tx, tenant.id)
    if live is None or live.marketplace_id is None:
        return
    if after.plan is not tenant.plan:
        raise Refused(
            f"{tenant.slug} has a subscription in the Marketplace, {live.marketplace_id}; cancel that one first; "
            "nothing was changed"
        )
    if live.terms.quantity is not None and after.seat_limit != live.terms.quantity:
        raise Refused(
            f"{tenant.slug} has bought {live.terms.quantity} seats in the Marketplace; their number is changed there; "
            "nothing was changed"
        )


def follow(tx: sa.Connection, tenant_id: int, after: Terms, closing: Closing) -> tuple[uuid.UUID | None, str | None]:
    """Begins, changes or ends what the tenant pays for; an agreement that ends is billed up to this instant.

    Returns the Marketplace's id of what it pays for from now on, and how long it is paid for by the rate.

    Raises:
        Refused: a subscription in the Marketplace is in the way.
    """
    tenant = lock_tenant(tx, tenant_id)
    require_free(tx, tenant, after)
    live = store.find_live(tx, tenant.id)
    if after.plan is Plan.PAID:
        price = _pay(tx, tenant, live, after, closing)
        return (None if live is None else live.marketplace_id), price.unit
    if live is not None:
        ended = service.end_agreement(tx, live, _event("Unsubscribe", closing), now=closing.now)
        billing.close_final(tx, tenant.id, ended, closing)
    return None, None


def _pay(tx: sa.Connection, tenant: Tenant, live: Subscription | None, after: Terms, closing: Closing) -> Price:
    """Another rate counts for the months that begin from now on."""
    assert after.rate_per_user is not None, "a paid plan has a rate"  # noqa: S101 - an invariant of ours
    assert after.currency is not None, "and a currency"  # noqa: S101 - likewise
    price = Price(after.rate_per_user, after.currency)
    if live is None:
        service.agree(tx, tenant, PLAN_ID, after.seat_limit, price, now=closing.now)
        return price
    last = ledger_store.last_rate(tx, live)
    price = dataclasses.replace(price, unit=live.terms.price_unit or (MONTH if last is None else last.unit))
    if last is None or last.quote.price != price:
        included = Quote(None) if last is None else last.quote
        ledger_store.add_rate(tx, live, dataclasses.replace(included, price=price), from_at=closing.now)
        ledger_store.add_event(tx, live, _event("ChangeRate", closing), Outcome.APPLIED, now=closing.now)
    if live.marketplace_id is None and live.terms.quantity != after.seat_limit:
        seats = dataclasses.replace(live.terms, quantity=after.seat_limit)
        changed = dataclasses.replace(live, terms=seats)
        ledger_store.add_event(tx, changed, _event("ChangeQuantity", closing), Outcome.APPLIED, now=closing.now)
        store.change(tx, changed, now=closing.now)
    return price


def _event(event_type: str, closing: Closing) -> Event:
    return Event(event_type, EventSource.OPERATOR, closing.now)
