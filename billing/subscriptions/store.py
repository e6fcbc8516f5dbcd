"""Reads and writes subscriptions, and a purchase's plan of its tenant."""

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from billing.subscriptions.model import Confirmation, Subscription, SubscriptionStatus, TenantChange, Terms
from shared.db.schema import subscriptions, tenants
from shared.db.statements import InsertIfAbsent
from shared.tenancy.model import Plan, TenantStatus


_s = subscriptions.c
_OF_TENANT: Final = _s.tenant_id == bindparam("tenant")
_BY_MARKETPLACE_ID: Final = sa.select(subscriptions).where(_s.marketplace_id == bindparam("marketplace"))
_BY_ID: Final = sa.select(subscriptions).where(_OF_TENANT, _s.id == bindparam("subscription"))
_LIVE: Final = sa.select(subscriptions).where(
    _OF_TENANT, _s.status.in_((SubscriptionStatus.SUBSCRIBED.value, SubscriptionStatus.SUSPENDED.value))
)
_OPEN: Final = (
    sa.select(_s.id)
    .where(_OF_TENANT, _s.status.in_([each.value for each in SubscriptionStatus if not each.is_final]))
    .limit(1)
)
_PAGE: Final = 500
_ALL_BOUGHT: Final = (
    sa.select(subscriptions)
    .where(_s.marketplace_id.is_not(None), _s.id > bindparam("after"))
    .order_by(_s.id)
    .limit(_PAGE)
)
_COLUMNS: Final = (
    "tenant_id",
    "marketplace_id",
    "status",
    "offer_id",
    "plan_id",
    "quantity",
    "term_unit",
    "term_starts_at",
    "term_ends_at",
    "auto_renew",
    "is_free_trial",
    "free_trial_ends_at",
    "paid_from",
    "ended_at",
    "last_event_at",
    "billing_contact_id",
    "replaces_agreement",
    "replaced_trial",
    "version",
    "created_at",
    "updated_at",
)
_ADD_BOUGHT: Final = InsertIfAbsent(
    subscriptions,
    key=("marketplace_id",),
    index_where=_s.marketplace_id.is_not(None),
    columns=_COLUMNS,
    returning=("id",),
)
_ADD_AGREEMENT: Final = subscriptions.insert().returning(_s.id)
_FIXED: Final = frozenset({"tenant_id", "marketplace_id", "created_at"})
_CHANGED: Final = tuple(name for name in _COLUMNS if name not in _FIXED)
_CHANGE: Final = (
    subscriptions.update()
    .where(_OF_TENANT, _s.id == bindparam("subscription"), _s.version == bindparam("seen"))
    .values({name: bindparam(name) for name in _CHANGED})
)
_t: Final = tenants.c
_CHANGE_STATUS: Final = (
    tenants.update()
    .where(_t.id == bindparam("tenant"))
    .values(status=bindparam("state"), version=_t.version + 1, updated_at=bindparam("now"))
)
_SET_PAID_PLAN: Final = _CHANGE_STATUS.values(
    plan_kind=Plan.PAID.value,
    seat_limit=bindparam("seats"),
    subscription_id=bindparam("marketplace"),
    users_at_purchase=sa.func.coalesce(bindparam("people", type_=sa.Integer), _t.users_at_purchase),
)
_SET_PAID_PLAN_AND_PRICE: Final = _SET_PAID_PLAN.values(
    rate_per_user=bindparam("rate", type_=_t.rate_per_user.type),
    currency=bindparam("money", type_=_t.currency.type),
    rate_unit=bindparam("unit", type_=_t.rate_unit.type),
)
_RESTORE_TRIAL: Final = _CHANGE_STATUS.values(
    plan_kind=Plan.TRIAL.value, seat_limit=None, subscription_id=None, rate_per_user=None, currency=None, rate_unit=None
)


def find_bought(tx: sa.Connection, marketplace_id: uuid.UUID) -> Subscription | None:
    """The subscription with a Marketplace id, which leads to its tenant."""
    return _first(tx, _BY_MARKETPLACE_ID, {"marketplace": marketplace_id})


def read(tx: sa.Connection, tenant_id: int, subscription_id: int) -> Subscription:
    return subscription_of(tx.execute(_BY_ID, {"tenant": tenant_id, "subscription": subscription_id}).one())


def find_live(tx: sa.Connection, tenant_id: int) -> Subscription | None:
    """The live subscription, suspended or not."""
    return _first(tx, _LIVE, {"tenant": tenant_id})


def has_open(tx: sa.Connection, tenant_id: int) -> bool:
    """Whether a tenant has a subscription that has not ended, activated or not."""
    return tx.execute(_OPEN, {"tenant": tenant_id}).first() is not None


def all_bought(tx: sa.Connection) -> Iterator[Subscription]:
    """All Marketplace subscriptions, including ended ones."""
    after = 0
    while rows := tx.execute(_ALL_BOUGHT, {"after": after}).all():
        yield from (subscription_of(row) for row in rows)
        after = rows[-1].id


def add_bought(
    tx: sa.Connection,
    tenant_id: int,
    marketplace_id: uuid.UUID,
    terms: Terms,
    confirmation: Confirmation,
    *,
    now: dt.datetime,
) -> Subscription | None:
    """Adds a purchase that is not activated yet; None if it exists."""
    row = _ADD_BOUGHT.run(tx, _new(tenant_id, marketplace_id, terms, confirmation, paid_from=None, now=now))
    return None if row is None else read(tx, tenant_id, row.id)


def add_agreement(tx: sa.Connection, tenant_id: int, terms: Terms, *, now: dt.datetime) -> Subscription:
    """Adds an agreement with the vendor, in force from now on; the tenant has no other live subscription."""
    values = _new(tenant_id, None, terms, Confirmation(), paid_from=now, now=now)
    return read(tx, tenant_id, tx.execute(_ADD_AGREEMENT, values).scalar_one())


def change(tx: sa.Connection, subscription: Subscription, *, now: dt.datetime) -> bool:
    """Writes the next version of a subscription; False after a concurrent change."""
    values = {
        **_terms(subscription.terms),
        "paid_from": subscription.paid_from,
        "ended_at": subscription.ended_at,
        "last_event_at": subscription.last_event_at,
        "billing_contact_id": subscription.billing_contact_id,
        "replaces_agreement": subscription.replaces_agreement,
        "replaced_trial": subscription.replaced_trial,
        "version": subscription.version + 1,
        "updated_at": now,
    }
    where = {"tenant": subscription.tenant_id, "subscription": subscription.id, "seen": subscription.version}
    return tx.execute(_CHANGE, {**where, **values}).rowcount == 1


def change_tenant(tx: sa.Connection, tenant_id: int, change: TenantChange, *, now: dt.datetime) -> None:
    """Writes the tenant's plan after a purchase or its end; the tenant is locked."""
    values: dict[str, Any] = {"tenant": tenant_id, "state": change.status.value, "now": now}
    if change.plan is Plan.TRIAL:
        tx.execute(_RESTORE_TRIAL, values)
        return
    if change.status is TenantStatus.CANCELLED:
        tx.execute(_CHANGE_STATUS, values)
        return
    paid = {"seats": change.seat_limit, "marketplace": change.marketplace_id, "people": change.users_at_purchase}
    if change.quote is None:
        tx.execute(_SET_PAID_PLAN, {**values, **paid})
        return
    price = change.quote.price
    costs = {"rate": price and price.rate_per_user, "money": price and price.currency, "unit": price and price.unit}
    tx.execute(_SET_PAID_PLAN_AND_PRICE, {**values, **paid, **costs})


def subscription_of(row: sa.Row[Any]) -> Subscription:
    terms = Terms(
        status=SubscriptionStatus(row.status),
        offer_id=row.offer_id,
        plan_id=row.plan_id,
        quantity=row.quantity,
        term_unit=row.term_unit,
        term_starts_at=row.term_starts_at,
        term_ends_at=row.term_ends_at,
        auto_renew=row.auto_renew,
        is_free_trial=row.is_free_trial,
        free_trial_ends_at=row.free_trial_ends_at,
    )
    return Subscription(
        id=row.id,
        tenant_id=row.tenant_id,
        marketplace_id=row.marketplace_id,
        terms=terms,
        paid_from=row.paid_from,
        ended_at=row.ended_at,
        last_event_at=row.last_event_at,
        version=row.version,
        billing_contact_id=row.billing_contact_id,
        replaces_agreement=row.replaces_agreement,
        replaced_trial=row.replaced_trial,
    )


def _first(tx: sa.Connection, statement: sa.Select[Any], values: Mapping[str, Any]) -> Subscription | None:
    row = tx.execute(statement, values).first()
    return None if row is None else subscription_of(row)


def _new(
    tenant_id: int,
    marketplace_id: uuid.UUID | None,
    terms: Terms,
    confirmation: Confirmation,
    *,
    paid_from: dt.datetime | None,
    now: dt.datetime,
) -> dict[str, Any]:
    return {
        "tenant_id": tenant_id,
        "marketplace_id": marketplace_id,
        **_terms(terms),
        "paid_from": paid_from,
        "ended_at": None,
        "last_event_at": None,
        "billing_contact_id": confirmation.billing_contact_id,
        "replaces_agreement": confirmation.replaces_agreement,
        "replaced_trial": confirmation.replaced_trial,
        "version": 1,
        "created_at": now,
        "updated_at": now,
    }


def _terms(terms: Terms) -> dict[str, Any]:
    return {
        "status": terms.status.value,
        "offer_id": terms.offer_id,
        "plan_id": terms.plan_id,
        "quantity": terms.quantity,
        "term_unit": terms.term_unit,
        "term_starts_at": terms.term_starts_at,
        "term_ends_at": terms.term_ends_at,
        "auto_renew": bool(terms.auto_renew),  # a first copy may not say
        "is_free_trial": bool(terms.is_free_trial),  # likewise
        "free_trial_ends_at": terms.free_trial_ends_at,
    }
