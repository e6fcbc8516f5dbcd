"""Decides the terms of a subscription after an event, and the resulting plan of its tenant; pure."""

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from billing.marketplace import model as marketplace
from billing.subscriptions.model import Price, Quote, Subscription, SubscriptionStatus, TenantChange, Terms
from shared.money import MONTH
from shared.tenancy.model import Plan, Tenant, TenantStatus


_TERM: Final = re.compile(r"\AP([1-9][0-9]?)([DMY])\Z", re.ASCII)
_UNITS: Final = {"D": "day", "M": "month", "Y": "year"}
_STATUS: Final = {
    marketplace.PENDING: SubscriptionStatus.PENDING,
    marketplace.SUBSCRIBED: SubscriptionStatus.SUBSCRIBED,
    marketplace.SUSPENDED: SubscriptionStatus.SUSPENDED,
    marketplace.UNSUBSCRIBED: SubscriptionStatus.UNSUBSCRIBED,
}
_TENANT_STATUS: Final = {
    SubscriptionStatus.SUBSCRIBED: TenantStatus.ACTIVE,
    SubscriptionStatus.SUSPENDED: TenantStatus.SUSPENDED,
    SubscriptionStatus.UNSUBSCRIBED: TenantStatus.CANCELLED,
}


def term_text(unit: str, *, unknown: str = "term") -> str:
    """A term in words: P1M is month, P3Y is 3 years; `unknown` if it cannot be read."""
    found = _TERM.match(unit)
    if found is None:
        return unknown
    number, word = int(found[1]), _UNITS[found[2]]
    return word if number == 1 else f"{number} {word}s"


def terms_of(subscription: marketplace.Subscription) -> Terms | None:
    """The terms of Microsoft's copy; None for an unknown status, which changes nothing."""
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


def fill_missing_terms(copy: Terms, known: Terms) -> Terms:
    """A copy with its missing values filled in from the known terms.

    A plan with seats keeps its number of seats: Microsoft at times sends null or "" for it. Half a term is not combined
    with half of another.
    """
    starts_at, ends_at = copy.term_starts_at or known.term_starts_at, copy.term_ends_at or known.term_ends_at
    is_whole, was_whole = (None not in {each.term_starts_at, each.term_ends_at} for each in (copy, known))
    if was_whole and not is_whole:
        starts_at, ends_at = known.term_starts_at, known.term_ends_at
    return replace(
        copy,
        offer_id=copy.offer_id or known.offer_id,
        quantity=known.quantity if copy.quantity is None and copy.plan_id == known.plan_id else copy.quantity,
        term_unit=copy.term_unit or known.term_unit,
        term_starts_at=starts_at,
        term_ends_at=ends_at,
        auto_renew=known.auto_renew if copy.auto_renew is None else copy.auto_renew,
        is_free_trial=known.is_free_trial if copy.is_free_trial is None else copy.is_free_trial,
        free_trial_ends_at=copy.free_trial_ends_at or known.free_trial_ends_at,
    )


def lacks_seats(terms: Terms, plans: Iterable[marketplace.Plan]) -> bool:
    """Whether the plan has seats and their number is missing, which does not mean unlimited."""
    return terms.quantity is None and any(plan.is_per_seat for plan in plans if plan.id == terms.plan_id)


def quote_of(plans: Iterable[marketplace.Plan], terms: Terms) -> Quote:
    """The plan's price for the purchased term, from the Marketplace."""
    plan = next((plan for plan in plans if plan.id == terms.plan_id), None)
    if plan is None:
        return Quote(None)
    sold = plan.pricing_for(terms.term_unit)
    price = None if sold.price is None else Price(sold.price.amount, sold.price.currency, sold.unit[:16])
    return Quote(price, sold.included, sold.term_unit[:16] if sold.included else MONTH)


def quote_alarms(quote: Quote) -> Iterator[str]:
    """Log events about the price that the vendor must look at."""
    if quote.price is None:
        yield "marketplace_price_unknown"
    if quote.included_users and quote.included_unit != MONTH:
        yield "marketplace_included_by_the_year"


def apply_terms(
    subscription: Subscription, terms: Terms, *, happened_at: dt.datetime, now: dt.datetime
) -> Subscription:
    """The subscription with other terms. An ended one never returns; an activated one is never pending again."""
    before = subscription.terms.status
    if before is SubscriptionStatus.UNSUBSCRIBED:
        return subscription
    terms = fill_missing_terms(terms, subscription.terms)
    if before.is_live and terms.status is SubscriptionStatus.PENDING:
        terms = replace(terms, status=before)  # Microsoft may show an activation late
    paid_from, ended_at = subscription.paid_from, None
    if terms.status.is_live and paid_from is None:
        paid_from = now
    if terms.status is SubscriptionStatus.UNSUBSCRIBED:
        ended_at = max(min(happened_at, now), paid_from or min(happened_at, now))
    newest = max(happened_at, subscription.last_event_at or happened_at)
    return replace(subscription, terms=terms, paid_from=paid_from, ended_at=ended_at, last_event_at=newest)


def without_payment(subscription: Subscription) -> Subscription:
    """An ended subscription that is never billed, since its tenant was on the internal plan at the end."""
    return replace(subscription, paid_from=None)


def has_trial_left(tenant: Tenant, ended: Subscription, now: dt.datetime) -> bool:
    """Whether the trial that the purchase replaced continues: it keeps its end, if that is in the future."""
    return ended.replaced_trial and tenant.trial_ends_at is not None and now < tenant.trial_ends_at


def tenant_change(
    tenant: Tenant, before: Subscription, after: Subscription, quote: Quote | None, *, now: dt.datetime
) -> TenantChange | None:
    """The change of the tenant; None for the vendor's own tenants, and for a purchase that was never activated."""
    is_live = after.terms.status.is_live
    if tenant.plan is Plan.INTERNAL or not (before.terms.status.is_live or is_live):
        return None
    if after.ended_at is not None and has_trial_left(tenant, after, now):
        return TenantChange(TenantStatus.ACTIVE, Plan.TRIAL, None, None, None, None)
    return TenantChange(
        status=_TENANT_STATUS[after.terms.status],
        plan=Plan.PAID if is_live else tenant.plan,
        seat_limit=after.terms.quantity if is_live else tenant.seat_limit,
        marketplace_id=after.marketplace_id,
        quote=quote,
        users_at_purchase=tenant.seats_used if before.paid_from is None else None,
    )
