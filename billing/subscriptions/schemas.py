"""Wire models of subscriptions: plan, seats, price and history."""

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import Field

from billing.schemas import Money
from billing.subscriptions import model
from billing.subscriptions.history_store import Contact, LedgerRow
from shared.http.paging import NEXT_LINK, CursorQuery
from shared.http.wire import Instant, WireModel
from shared.money import amount_text
from shared.tenancy.model import Plan, Tenant, TenantStatus
from shared.tenancy.rules import status_at


_NO_EVENT = 2**31 - 1  # above any event's number
_NO_QUOTE = model.Quote(None)
EventNumber = Annotated[int, Field(ge=1, le=_NO_EVENT)]


class SubscriptionQuery(CursorQuery[EventNumber]):
    after: EventNumber | None = Field(None, description="cursor of the previous page of the history, from its nextLink")

    @property
    def before(self) -> int:
        """The exclusive upper bound of the page's event numbers."""
        return self.after or _NO_EVENT


class BillingContact(WireModel):
    """The contact for payments; without rights in TimeTracker."""

    id: str
    display_name: str | None = Field(None, description="absent if the processing of their data is stopped")


class Subscription(WireModel):
    """A Marketplace purchase, or an agreement with the vendor."""

    id: str | None = Field(None, description="Marketplace id; absent for an agreement with the vendor")
    status: model.SubscriptionStatus
    offer: str | None = None
    plan: str
    quantity: int | None = Field(None, description="seats bought, on a plan with seats")
    term_unit: str | None = Field(None, examples=["P1M"])
    term_starts_at: Instant | None = None
    term_ends_at: Instant | None = None
    auto_renew: bool
    is_free_trial: Literal[True] | None = Field(None, description="true during the Marketplace's free trial")
    free_trial_ends_at: Instant | None = Field(None, description="last day of the Marketplace's free trial")
    paid_from: Instant | None = Field(None, description="time of the activation; absent while pending")
    ended_at: Instant | None = None
    rate_per_user: Money | None = Field(None, description="present rate of an active user or a seat")
    rate_unit: str | None = Field(None, description="billing unit of the rate", examples=["P1M", "P1Y"])
    currency: str | None = None
    rate_from: Instant | None = Field(None, description="start of this rate; bills use the rate at their period start")
    included_users: int | None = Field(None, description="active users covered by the fee of a term")
    included_unit: str | None = Field(
        None, description="term of the included users; monthly ones reduce each bill", examples=["P1M", "P1Y"]
    )

    billing_contact: BillingContact | None = Field(None, description="the buyer; absent without an account")

    @classmethod
    def of(cls, subscription: model.Subscription, rate: model.Rate | None, contact: Contact | None = None) -> Self:
        terms, quote = subscription.terms, _NO_QUOTE if rate is None else rate.quote
        price = quote.price
        return cls(
            id=None if subscription.marketplace_id is None else str(subscription.marketplace_id),
            status=terms.status,
            offer=terms.offer_id or None,
            plan=terms.plan_id,
            quantity=terms.quantity,
            term_unit=terms.term_unit or None,
            term_starts_at=terms.term_starts_at,
            term_ends_at=terms.term_ends_at,
            auto_renew=bool(terms.auto_renew),
            paid_from=subscription.paid_from,
            ended_at=subscription.ended_at,
            is_free_trial=terms.is_free_trial or None,
            free_trial_ends_at=terms.free_trial_ends_at,
            rate_per_user=None if price is None else amount_text(price.rate_per_user, price.currency),
            rate_unit=None if price is None else price.unit,
            currency=None if price is None else price.currency,
            rate_from=None if rate is None or price is None else rate.from_at,
            included_users=quote.included_users or None,
            included_unit=quote.included_unit if quote.included_users else None,
            billing_contact=None
            if contact is None
            else BillingContact(id=str(contact.id), display_name=contact.display_name),
        )


class SubscriptionEvent(WireModel):
    """`plan`, `quantity` and `status` are the values after the event."""

    number: int = Field(description="number of the event in your organization, from 1")
    type: str = Field(description="Microsoft's event type, or Activate")
    source: model.EventSource
    outcome: model.Outcome
    subscription_id: str | None = None
    plan: str
    quantity: int | None = None
    status: model.SubscriptionStatus
    effective_at: Instant
    recorded_at: Instant

    @classmethod
    def of(cls, row: LedgerRow) -> Self:
        return cls(
            number=row.number,
            type=row.event_type,
            source=model.EventSource(row.source),
            outcome=model.Outcome(row.outcome),
            subscription_id=None if row.marketplace_id is None else str(row.marketplace_id),
            plan=row.plan_id,
            quantity=row.quantity,
            status=model.SubscriptionStatus(row.status),
            effective_at=row.effective_at,
            recorded_at=row.recorded_at,
        )


class SubscriptionDetail(WireModel):
    """Plan and subscription of your organization; `subscription` is absent without any purchase."""

    plan: Plan
    status: TenantStatus
    seats_used: int
    seat_limit: int | None = Field(None, description="absent for unlimited")
    trial_ends_at: Instant | None = None
    subscription: Subscription | None = None
    history: list[SubscriptionEvent] = Field(description="events of all subscriptions, newest first")
    next_link: str | None = NEXT_LINK

    @classmethod
    def of(
        cls,
        tenant: Tenant,
        subscription: Subscription | None,
        history: list[SubscriptionEvent],
        *,
        seat_limit: int | None,
        next_link: str | None,
        now: dt.datetime,
    ) -> Self:
        return cls(
            plan=tenant.plan,
            status=status_at(tenant, now),
            seats_used=tenant.seats_used,
            seat_limit=seat_limit,
            trial_ends_at=tenant.trial_ends_at,
            subscription=subscription,
            history=history,
            next_link=next_link,
        )
