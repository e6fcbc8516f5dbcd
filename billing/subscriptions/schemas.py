"""What an organisation pays for, on the wire: plan, seats, price, and the history of its subscriptions."""

import datetime as dt
from typing import Annotated, Literal, Self
from urllib.parse import urlencode

from pydantic import Field

from billing.schemas import Money
from billing.subscriptions import model
from billing.subscriptions.history_store import Contact, LedgerRow
from shared.http.wire import Instant, WireModel
from shared.money import amount_text
from shared.tenancy.model import Plan, Tenant, TenantStatus
from shared.tenancy.rules import status_at


_NEWEST = 2**31 - 1  # beyond any event's number
_NO_QUOTE = model.Quote(None)


class SubscriptionQuery(WireModel):
    after: Annotated[int, Field(ge=1, le=_NEWEST)] | None = Field(
        None, description="where the page of the history before ended; nextLink carries it"
    )
    page_size: Annotated[int, Field(ge=1, le=200)] = 50

    @property
    def end(self) -> int:
        return self.after or _NEWEST

    def link_after(self, last: "SubscriptionEvent") -> str:
        return "/api/billing/subscription?" + urlencode({"pageSize": self.page_size, "after": last.number})


class BillingContact(WireModel):
    """Asked about the payment; gets no rights in TimeTracker by it."""

    id: str
    display_name: str | None = Field(None, description="absent where the processing of their data is stopped")


class Subscription(WireModel):
    """Bought in the Marketplace, or agreed with the vendor."""

    id: str | None = Field(None, description="the Marketplace's; absent for an agreement with the vendor")
    status: model.SubscriptionStatus
    offer: str | None = None
    plan: str
    quantity: int | None = Field(None, description="seats bought, on a plan with seats")
    term_unit: str | None = Field(None, examples=["P1M"])
    term_starts_at: Instant | None = None
    term_ends_at: Instant | None = None
    auto_renew: bool
    is_free_trial: Literal[True] | None = Field(
        None, description="the Marketplace's free trial runs, and Microsoft charges nothing for it"
    )
    free_trial_ends_at: Instant | None = Field(None, description="the last day of the Marketplace's free trial")
    paid_from: Instant | None = Field(None, description="the activation; absent while it is pending")
    ended_at: Instant | None = None
    rate_per_user: Money | None = Field(None, description="of an active user or a seat, in force now")
    rate_unit: str | None = Field(None, description="how long it is paid for by the rate", examples=["P1M", "P1Y"])
    currency: str | None = None
    rate_from: Instant | None = Field(None, description="since when; bills have the rate of their period's beginning")
    included_users: int | None = Field(None, description="active users that the fee of a term covers")
    included_unit: str | None = Field(
        None, description="that term; those of a month come off each bill", examples=["P1M", "P1Y"]
    )

    billing_contact: BillingContact | None = Field(None, description="the buyer; absent where they have no account")

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
    """`plan`, `quantity` and `status` are as the event left them."""

    number: int = Field(description="counts your organisation's events from 1")
    type: str = Field(description="Microsoft's word for it, or Activate")
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
    """What is in force for your organisation; `subscription` is absent where nothing was ever bought."""

    plan: Plan
    status: TenantStatus
    seats_used: int
    seat_limit: int | None = Field(None, description="absent is no limit")
    trial_ends_at: Instant | None = None
    subscription: Subscription | None = None
    history: list[SubscriptionEvent] = Field(description="of every subscription, newest first")
    next_link: str | None = Field(None, description="older history; absent on the last page")

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
