"""The words of a purchase: a subscription, its terms, its events and its price, as frozen values."""

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
    REFUSED = "refused"  # we said no, and Microsoft was told
    SUPERSEDED = "superseded"  # something newer had been applied before
    IGNORED = "ignored"  # not an event that we know


@dataclass(frozen=True, slots=True)
class Terms:
    """What is bought, as Microsoft or the agreement has it.

    Of a copy "" and None are what it does not say; of a subscription of ours `auto_renew` is always known.
    """

    status: SubscriptionStatus
    offer_id: str
    plan_id: str
    quantity: int | None
    term_unit: str
    term_starts_at: dt.datetime | None
    term_ends_at: dt.datetime | None
    auto_renew: bool | None
    is_free_trial: bool | None = False  # the Marketplace's; ours is a plan of its own
    free_trial_ends_at: dt.datetime | None = None  # its last day, kept after it

    @property
    def price_unit(self) -> str:
        """How long a price is for: a seat's for the term that was bought ("" where not known), a user's for a month."""
        return MONTH if self.quantity is None else self.term_unit


@dataclass(frozen=True, slots=True)
class Subscription:
    """`marketplace_id` is None for an agreement with the vendor; `paid_from` is the activation."""

    id: int
    tenant_id: int
    marketplace_id: uuid.UUID | None
    terms: Terms
    paid_from: dt.datetime | None
    ended_at: dt.datetime | None
    last_event_at: dt.datetime | None
    version: int
    billing_contact_id: int | None = None  # the buyer's account, where the buyer has one
    replaces_agreement: bool = False  # a super admin agreed that it ends the agreement with the vendor
    replaced_trial: bool = False  # the tenant was on its trial when it was agreed to

    @property
    def is_by_seats(self) -> bool:
        """Microsoft charges for the seats, whoever is active; seats agreed with the vendor are only a limit."""
        return self.marketplace_id is not None and self.terms.quantity is not None


@dataclass(frozen=True, slots=True)
class Price:
    """What one user costs for `unit`, an ISO 8601 duration; at most four decimal places."""

    rate_per_user: Decimal
    currency: str
    unit: str = MONTH


@dataclass(frozen=True, slots=True)
class Quote:
    """What a plan costs on its term, once it was asked for; `price` is None where it could not be read.

    The fee of each term (`included_unit`) covers `included_users`.
    """

    price: Price | None
    included_users: int = 0
    included_unit: str = MONTH

    @property
    def included_a_month(self) -> int:
        """Users that come off the bill of a month; those of a longer term cannot be told by the month."""
        return self.included_users if self.included_unit == MONTH else 0


@dataclass(frozen=True, slots=True)
class Rate:
    """What a plan costs from an instant on; `unit` is that of the price, also where it could not be read."""

    from_at: dt.datetime
    plan_id: str
    quote: Quote
    unit: str = MONTH


@dataclass(frozen=True, slots=True)
class Event:
    """`event_type` is Microsoft's word, or Activate; `effective_at` is by Microsoft's clock."""

    event_type: str
    source: EventSource
    effective_at: dt.datetime
    operation_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Agreed:
    """What was agreed to with a purchase: who is asked about its payment, and what it replaces."""

    billing_contact_id: int | None = None
    replaces_agreement: bool = False
    replaced_trial: bool = False


@dataclass(frozen=True, slots=True)
class TenantChange:
    """What a purchase makes of its tenant; `quote` and `users_at_purchase` are None where they stay as they are."""

    status: TenantStatus
    plan: Plan  # on `paid` seats and price are the purchase's, on `trial` there are none, else all stay as they are
    seat_limit: int | None
    marketplace_id: uuid.UUID | None
    quote: Quote | None
    users_at_purchase: int | None


@dataclass(frozen=True, slots=True)
class Moved:
    """A subscription after an event, and those that ended by it: their last month is to be closed now."""

    subscription: Subscription
    ended: tuple[Subscription, ...] = ()
