"""Types of subscriptions: terms, events and prices."""

import datetime as dt
import uuid
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from shared.money import MONTH
from shared.tenancy.model import Plan, TenantStatus


class SubscriptionStatus(StrEnum):
    PENDING = "pending"  # bought, not activated
    SUBSCRIBED = "subscribed"
    SUSPENDED = "suspended"
    UNSUBSCRIBED = "unsubscribed"  # final

    @property
    def is_live(self) -> bool:
        return self in {SubscriptionStatus.SUBSCRIBED, SubscriptionStatus.SUSPENDED}

    @property
    def is_final(self) -> bool:
        return self is SubscriptionStatus.UNSUBSCRIBED


class EventSource(StrEnum):
    LANDING = "landing"
    WEBHOOK = "webhook"
    RECONCILE = "reconcile"
    OPERATOR = "operator"


class Outcome(StrEnum):
    APPLIED = "applied"
    REFUSED = "refused"  # rejected by us, and reported to Microsoft as failed
    SUPERSEDED = "superseded"  # a newer event had been applied before
    IGNORED = "ignored"  # an unknown event


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of a purchase at Microsoft, or of an agreement.

    In a copy of Microsoft's, "" and None are missing values; in a stored subscription `auto_renew` is always known.
    """

    status: SubscriptionStatus
    offer_id: str
    plan_id: str
    quantity: int | None
    term_unit: str
    term_starts_at: dt.datetime | None
    term_ends_at: dt.datetime | None
    auto_renew: bool | None
    is_free_trial: bool | None = False  # of the Marketplace; our trial is a plan
    free_trial_ends_at: dt.datetime | None = None  # its last day; kept after the trial

    @property
    def price_unit(self) -> str:
        """The unit of the price: the purchased term for a seat ("" if not known), a month for a user."""
        return MONTH if self.quantity is None else self.term_unit


@dataclass(frozen=True, slots=True)
class Subscription:
    """A purchase or agreement; `marketplace_id` is None for an agreement, `paid_from` is the activation."""

    id: int
    tenant_id: int
    marketplace_id: uuid.UUID | None
    terms: Terms
    paid_from: dt.datetime | None
    ended_at: dt.datetime | None
    last_event_at: dt.datetime | None
    version: int
    billing_contact_id: int | None = None  # the buyer's account, if any
    replaces_agreement: bool = False  # ends the agreement with the vendor; confirmed by a super admin
    replaced_trial: bool = False  # the tenant was on its trial at the confirmation

    @property
    def is_by_seats(self) -> bool:
        """Microsoft charges for each seat, used or not; seats agreed with the vendor are only a limit."""
        return self.marketplace_id is not None and self.terms.quantity is not None


@dataclass(frozen=True, slots=True)
class Price:
    """The price of one user for `unit`, an ISO 8601 duration; at most four decimal places."""

    rate_per_user: Decimal
    currency: str
    unit: str = MONTH


@dataclass(frozen=True, slots=True)
class Quote:
    """The price of a plan for its term; `price` is None if it could not be read.

    The fee of each term (`included_unit`) covers `included_users`.
    """

    price: Price | None
    included_users: int = 0
    included_unit: str = MONTH

    @property
    def included_a_month(self) -> int:
        """The included users of a month; 0 for longer terms, since they cannot be divided into months."""
        return self.included_users if self.included_unit == MONTH else 0


@dataclass(frozen=True, slots=True)
class Rate:
    """The quote of a plan from an instant on; `unit` is the unit of the price, even if that could not be read."""

    from_at: dt.datetime
    plan_id: str
    quote: Quote
    unit: str = MONTH


@dataclass(frozen=True, slots=True)
class Event:
    """An event; `event_type` is Microsoft's or Activate, `effective_at` is by Microsoft's clock."""

    event_type: str
    source: EventSource
    effective_at: dt.datetime
    operation_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The confirmation of a purchase: the contact for payments, and the replaced agreement or trial."""

    billing_contact_id: int | None = None
    replaces_agreement: bool = False
    replaced_trial: bool = False


@dataclass(frozen=True, slots=True)
class TenantChange:
    """A tenant's plan after an event; `quote` and `users_at_purchase` are None if unchanged."""

    status: TenantStatus
    plan: Plan  # `paid` has the purchase's seats and price, `trial` has none; else unchanged
    seat_limit: int | None
    marketplace_id: uuid.UUID | None
    quote: Quote | None
    users_at_purchase: int | None


@dataclass(frozen=True, slots=True)
class SubscriptionChange:
    """A subscription after an event, and the subscriptions ended by it: their last months must be closed now."""

    subscription: Subscription
    ended: tuple[Subscription, ...] = ()
