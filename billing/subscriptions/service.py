"""The life of a subscription: it begins as a purchase or agreement, and sets its tenant's plan."""

import datetime as dt
import uuid
from dataclasses import replace
from typing import Final

import sqlalchemy as sa

from billing.subscriptions import ledger_store, rules, store
from billing.subscriptions.model import (
    Confirmation,
    Event,
    EventSource,
    Outcome,
    Price,
    Quote,
    Subscription,
    SubscriptionChange,
    SubscriptionStatus,
    Terms,
)
from shared import audit, notices
from shared.audit import Action
from shared.errors import Conflict
from shared.notices import NoticeKind
from shared.tenancy.model import Plan
from shared.work import Work


NO_CONFIRMATION: Final = Confirmation()
_ENDED: Final = "Unsubscribe"


def begin(
    work: Work, marketplace_id: uuid.UUID, terms: Terms, confirmation: Confirmation = NO_CONFIRMATION
) -> Subscription:
    """The purchase of a tenant, pending until its activation; the existing one if it was begun before.

    Raises:
        Conflict: it belongs to another tenant, or the tenant has another live subscription or an agreement that this
            purchase does not replace.
    """
    tx, tenant, now = work.tx, work.tenant, work.now
    pending = replace(terms, status=SubscriptionStatus.PENDING)
    subscription = store.add_bought(tx, tenant.id, marketplace_id, pending, confirmation, now=now) or store.find_bought(
        tx, marketplace_id
    )
    assert subscription is not None, "it exists, or was added"  # noqa: S101 - an invariant of ours
    if subscription.tenant_id != tenant.id:
        raise Conflict("This purchase belongs to another organization.", code="purchase_of_another")
    if subscription.terms.status is not SubscriptionStatus.PENDING:
        return subscription
    if confirmation.replaces_agreement and not subscription.replaces_agreement:
        subscription = replace(subscription, replaces_agreement=True)
        store.change(tx, subscription, now=now)
        subscription = replace(subscription, version=subscription.version + 1)
    _require_no_other(tx, subscription)
    return subscription


def move(
    work: Work, subscription: Subscription, terms: Terms, event: Event, *, quote: Quote | None
) -> SubscriptionChange | None:
    """Puts a subscription on the terms that Microsoft has for it; None when the event's operation is known.

    The transaction has locked the tenant and read the subscription after that. `quote` is None where none was read:
    the present one stays.

    Raises:
        Conflict: the tenant has another live Marketplace subscription.
    """
    tx, tenant, now = work.tx, work.tenant, work.now
    after = rules.apply_terms(subscription, terms, happened_at=event.effective_at, now=now)
    if tenant.plan is Plan.INTERNAL and after.ended_at is not None:
        after = rules.without_payment(after)
    ended = [after] if after.ended_at is not None and subscription.ended_at is None and after.paid_from else []
    final = subscription.terms.status is SubscriptionStatus.UNSUBSCRIBED
    outcome = Outcome.SUPERSEDED if final and event.event_type != _ENDED else Outcome.APPLIED
    if not ledger_store.add_event(tx, after, event, outcome, now=now):
        return None
    if final:
        return SubscriptionChange(subscription)
    if after.terms.status.is_live and not subscription.terms.status.is_live:
        ended += _end_replaced_agreement(work, after)
        after = replace(after, replaced_trial=after.replaced_trial and tenant.plan is Plan.TRIAL)
    if not store.change(tx, after, now=now):
        raise AssertionError("the tenant is locked, so no other process changed its subscription")
    after = replace(after, version=after.version + 1)
    in_force = _set_price(tx, subscription, after, quote, now=now)
    _change_tenant(work, subscription, after, in_force)
    if after.ended_at is not None and after.marketplace_id is not None:
        trial_ends_at = tenant.trial_ends_at if rules.has_trial_left(tenant, after, now) else None
        details = {"plan": after.terms.plan_id, "trialEndsAt": trial_ends_at}
        notices.record(work, NoticeKind.SUBSCRIPTION_CANCELLED, by=work.actor.user_id, details=details)
    return SubscriptionChange(after, tuple(ended))


def agree(work: Work, plan_id: str, seats: int | None, price: Price) -> Subscription:
    """Adds an agreement with the vendor, in force from now on.

    Raises:
        Conflict: the tenant has a live subscription.
    """
    tx, tenant, now = work.tx, work.tenant, work.now
    if store.find_live(tx, tenant.id) is not None:
        raise another_is_live()
    terms = Terms(SubscriptionStatus.SUBSCRIBED, "", plan_id, seats, "", None, None, auto_renew=True)
    agreement = store.add_agreement(tx, tenant.id, terms, now=now)
    ledger_store.add_event(tx, agreement, Event("Agree", EventSource.OPERATOR, now), Outcome.APPLIED, now=now)
    ledger_store.add_rate(tx, agreement, Quote(price), from_at=now)
    return agreement


def end_agreement(work: Work, agreement: Subscription, event: Event) -> Subscription:
    """Ends an agreement with the vendor now; the caller closes its last month."""
    tx, now = work.tx, work.now
    ended = rules.apply_terms(
        agreement, replace(agreement.terms, status=SubscriptionStatus.UNSUBSCRIBED), happened_at=now, now=now
    )
    ledger_store.add_event(tx, ended, event, Outcome.APPLIED, now=now)
    if not store.change(tx, ended, now=now):
        raise AssertionError("the tenant is locked, so no other process changed its subscription")
    return replace(ended, version=ended.version + 1)


def another_is_live() -> Conflict:
    return Conflict(
        "Your organization pays for another subscription to TimeTracker. Cancel one of the two in the Azure portal: a "
        "purchase that is canceled within 72 hours costs nothing.",
        code="another_subscription_is_live",
    )


def agreement_is_live() -> Conflict:
    return Conflict(
        "Your organization has an agreement with the vendor of TimeTracker. A super admin can agree that this purchase "
        "replaces it: it ends once the purchase is active, and does not come back when the purchase is canceled.",
        code="agreement_is_live",
    )


def find_other_live(tx: sa.Connection, subscription: Subscription) -> Subscription | None:
    """Another live subscription, for which this purchase has to wait; not an agreement that it replaces."""
    live = store.find_live(tx, subscription.tenant_id)
    if live is None or live.id == subscription.id:
        return None
    return None if live.marketplace_id is None and subscription.replaces_agreement else live


def _require_no_other(tx: sa.Connection, subscription: Subscription) -> None:
    other = find_other_live(tx, subscription)
    if other is not None:
        raise agreement_is_live() if other.marketplace_id is None else another_is_live()


def _end_replaced_agreement(work: Work, bought: Subscription) -> list[Subscription]:
    """Ends the agreement with the vendor that the purchase replaces."""
    _require_no_other(work.tx, bought)
    live = store.find_live(work.tx, bought.tenant_id)
    if live is None or live.id == bought.id:
        return []
    return [end_agreement(work, live, Event(_ENDED, EventSource.OPERATOR, work.now))]


def _set_price(
    tx: sa.Connection, before: Subscription, after: Subscription, quote: Quote | None, *, now: dt.datetime
) -> Quote | None:
    """Stores a changed quote and returns it, else None.

    A changed price takes effect for periods that begin later. An unreadable price of another plan or term is stored,
    too, so that the former price does not apply to it; that of the same plan and term keeps its known price.
    """
    if quote is None or not after.terms.status.is_live:
        return None
    last = ledger_store.last_rate(tx, after)
    if last is not None and last.plan_id == after.terms.plan_id:
        is_same_term = after.terms.price_unit in {"", last.unit}
        if last.quote == quote if quote.price is not None else is_same_term:
            return None
    begins = after.paid_from if before.paid_from is None else now
    ledger_store.add_rate(tx, after, quote, from_at=begins or now)
    return quote


def _change_tenant(work: Work, before: Subscription, after: Subscription, quote: Quote | None) -> None:
    tenant = work.tenant
    change = rules.tenant_change(tenant, before, after, quote, now=work.now)
    if change is not None:
        store.change_tenant(work.tx, tenant.id, change, now=work.now)
    audit.record(
        work,
        Action.SUBSCRIPTION_MOVED,
        before={"plan": tenant.plan, "status": tenant.status, "seatLimit": tenant.seat_limit, **_audit_details(before)},
        after={
            "plan": tenant.plan if change is None else change.plan,
            "status": tenant.status if change is None else change.status,
            "seatLimit": tenant.seat_limit if change is None else change.seat_limit,
            **_audit_details(after),
        },
    )


def _audit_details(subscription: Subscription) -> dict[str, object]:
    return {"subscriptionPlan": subscription.terms.plan_id, "subscriptionStatus": subscription.terms.status}
