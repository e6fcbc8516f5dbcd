"""Decides where an event takes a subscription, and what its tenant then has."""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from shared.marketplace import model as told
from shared.subscriptions.model import MONTH, Price, Quote, Subscription, SubscriptionStatus, TenantChange, Terms
from shared.tenancy.model import Plan, Tenant, TenantStatus


_STATUS: Final = {
    told.PENDING: SubscriptionStatus.PENDING,
    told.SUBSCRIBED: SubscriptionStatus.SUBSCRIBED,
    told.SUSPENDED: SubscriptionStatus.SUSPENDED,
    told.UNSUBSCRIBED: SubscriptionStatus.UNSUBSCRIBED,
}
_TENANT_STATUS: Final = {
    SubscriptionStatus.SUBSCRIBED: TenantStatus.ACTIVE,
    SubscriptionStatus.SUSPENDED: TenantStatus.SUSPENDED,
    SubscriptionStatus.UNSUBSCRIBED: TenantStatus.CANCELLED,
}


def terms_of(subscription: told.Subscription) -> Terms | None:
    """Microsoft's copy in our words; None for a status that we do not know, which changes nothing."""
    status = _STATUS.get(subscription.status)
    if status is None:
        return None
    return Terms(
        status=status,
        offer_id=subscription.offer_id[:100],
        plan_id=subscription.plan_id[:100],
        quantity=subscription.quantity,
        term_unit=subscription.term.unit[:16],
        term_starts_at=subscription.term.starts_at,
        term_ends_at=subscription.term.ends_at,
        auto_renew=subscription.auto_renew,
        is_free_trial=subscription.is_free_trial,
        free_trial_ends_at=subscription.term.ends_at if subscription.is_free_trial else None,
    )


def quote_of(plans: Iterable[told.Plan], terms: Terms) -> Quote:
    """What the plan costs on the term that was bought, as the Marketplace sells it."""
    plan = next((plan for plan in plans if plan.id == terms.plan_id), None)
    if plan is None:
        return Quote(None)
    sold = plan.sold_for(terms.term_unit)
    price = None if sold.price is None else Price(sold.price.amount, sold.price.currency, sold.unit[:16])
    return Quote(price, sold.included, sold.term_unit[:16] if sold.included else MONTH)


def alarms_of(quote: Quote) -> Iterator[str]:
    """The names of the log lines for what of a price the vendor must look at."""
    if quote.price is None:
        yield "marketplace_price_unknown"
    if quote.included_users and quote.included_unit != MONTH:
        yield "marketplace_included_by_the_year"


def moved(subscription: Subscription, terms: Terms, *, happened_at: dt.datetime, now: dt.datetime) -> Subscription:
    """The subscription on other terms. What has ended never returns; what was activated is not pending again.

    A plan with seats stays one: without a number of them (Microsoft writes null and "" at times) nobody lifts the cap.
    """
    before = subscription.terms.status
    if before is SubscriptionStatus.UNSUBSCRIBED:
        return subscription
    if terms.quantity is None and terms.plan_id == subscription.terms.plan_id:
        terms = replace(terms, quantity=subscription.terms.quantity)
    if terms.free_trial_ends_at is None:
        terms = replace(terms, free_trial_ends_at=subscription.terms.free_trial_ends_at)
    if before.is_live and terms.status is SubscriptionStatus.PENDING:
        terms = replace(terms, status=before)  # Microsoft may show an activation late
    paid_from, ended_at = subscription.paid_from, None
    if terms.status.is_live and paid_from is None:
        paid_from = now
    if terms.status is SubscriptionStatus.UNSUBSCRIBED:
        ended_at = max(min(happened_at, now), paid_from or min(happened_at, now))
    newest = max(happened_at, subscription.last_event_at or happened_at)
    return replace(subscription, terms=terms, paid_from=paid_from, ended_at=ended_at, last_event_at=newest)


def never_paid(subscription: Subscription) -> Subscription:
    """What ended while its tenant was on the internal plan: it is not billed later either, on whatever plan."""
    return replace(subscription, paid_from=None)


def tenant_change(
    tenant: Tenant, before: Subscription, after: Subscription, quote: Quote | None
) -> TenantChange | None:
    """What changes of the tenant; nothing for the vendor's own, and nothing by a purchase that never began."""
    if tenant.plan is Plan.INTERNAL or not (before.terms.status.is_live or after.terms.status.is_live):
        return None
    return TenantChange(
        status=_TENANT_STATUS[after.terms.status],
        is_paid=after.terms.status.is_live,
        seat_limit=after.terms.quantity if after.terms.status.is_live else tenant.seat_limit,
        marketplace_id=after.marketplace_id,
        quote=quote,
        users_at_purchase=tenant.seats_used if before.paid_from is None else None,
    )
