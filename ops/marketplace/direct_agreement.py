"""Begins, changes and ends a tenant's direct agreement with the vendor, in the transaction that sets the plan."""

import dataclasses
import datetime as dt
import uuid

import sqlalchemy as sa

from billing.closing import service as billing
from billing.closing.service import Closing
from billing.subscriptions import ledger_store, service, store
from billing.subscriptions.model import Event, EventSource, Outcome, Price, Quote, Subscription
from ops.errors import CommandRejected
from ops.plan_rules import PlanTerms
from shared.money import MONTH
from shared.tenancy.model import Plan, Tenant
from shared.work import Work


PLAN_ID = "agreed"


def require_no_purchase(tx: sa.Connection, tenant: Tenant, after: PlanTerms) -> None:
    """Checks that the terms leave a purchase in the Marketplace unchanged: it is changed and cancelled there.

    Raises:
        CommandRejected: the plan, or the number of bought seats, would change.
    """
    live = store.find_live(tx, tenant.id)
    if live is None or live.marketplace_id is None:
        return
    if after.plan is not tenant.plan:
        raise CommandRejected(
            f"{tenant.slug} has a subscription in the Marketplace, {live.marketplace_id}; cancel it there first; "
            "nothing was changed"
        )
    if live.terms.quantity is not None and after.seat_limit != live.terms.quantity:
        raise CommandRejected(
            f"{tenant.slug} has bought {live.terms.quantity} seats in the Marketplace; change their number there; "
            "nothing was changed"
        )


def apply_plan(work: Work, after: PlanTerms) -> tuple[uuid.UUID | None, str | None]:
    """Begins, changes or ends the agreement; one that ends is billed up to now.

    The transaction has locked the tenant. Returns the Marketplace id of the subscription, if any, and the rate's unit.

    Raises:
        CommandRejected: a subscription in the Marketplace prevents it.
    """
    tx, tenant = work.tx, work.tenant
    require_no_purchase(tx, tenant, after)
    live = store.find_live(tx, tenant.id)
    if after.plan is Plan.PAID:
        price = _pay(work, live, after)
        return (None if live is None else live.marketplace_id), price.unit
    if live is not None:
        ended = service.end_agreement(work, live, _event("Unsubscribe", work.now))
        billing.close_ended(work, [ended], Closing(""))
    return None, None


def _pay(work: Work, live: Subscription | None, after: PlanTerms) -> Price:
    """A new rate applies to months that begin from now on."""
    tx, now = work.tx, work.now
    assert after.rate_per_user is not None, "a paid plan has a rate"  # noqa: S101 - an invariant of ours
    assert after.currency is not None, "and a currency"  # noqa: S101 - likewise
    price = Price(after.rate_per_user, after.currency)
    if live is None:
        service.agree(work, PLAN_ID, after.seat_limit, price)
        return price
    last = ledger_store.last_rate(tx, live)
    price = dataclasses.replace(price, unit=live.terms.price_unit or (MONTH if last is None else last.unit))
    if last is None or last.quote.price != price:
        included = Quote(None) if last is None else last.quote
        ledger_store.add_rate(tx, live, dataclasses.replace(included, price=price), from_at=now)
        ledger_store.add_event(tx, live, _event("ChangeRate", now), Outcome.APPLIED, now=now)
    if live.marketplace_id is None and live.terms.quantity != after.seat_limit:
        seats = dataclasses.replace(live.terms, quantity=after.seat_limit)
        changed = dataclasses.replace(live, terms=seats)
        ledger_store.add_event(tx, changed, _event("ChangeQuantity", now), Outcome.APPLIED, now=now)
        store.change(tx, changed, now=now)
    return price


def _event(event_type: str, now: dt.datetime) -> Event:
    return Event(event_type, EventSource.OPERATOR, now)
