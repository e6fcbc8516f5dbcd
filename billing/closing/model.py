"""The words of a bill: the period, who was active in it and why, what it comes to, and the record it is kept as."""

import datetime as dt
import uuid
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from billing.subscriptions.model import Price, Subscription
from shared.calendar import Month


class Kind(StrEnum):
    MONTH = "month"
    FINAL = "final"  # the subscription ended in it


class Reason(StrEnum):
    SIGN_IN = "signIn"
    TIME = "time"  # also of who did both


class State(StrEnum):
    CLOSED = "closed"
    VOID = "void"


class NotVoidable(Exception):
    """The record is void already, or was replaced."""


@dataclass(frozen=True, slots=True)
class BilledThrough:
    """A subscription and the end of its newest record, void or not; None before the first record."""

    subscription: Subscription
    last_month: Month | None
    billed_to: dt.datetime | None
    has_earlier_zones: bool = False  # its tenant's zone was changed once
    lacks_price: bool = False  # of a bill that was made
    has_adopted: bool = False  # the meter had usage of it when a backup was restored


@dataclass(frozen=True, slots=True)
class Zones:
    """A tenant's time zone now, and those before it, each up to the instant of its change, in their order."""

    now: ZoneInfo
    earlier: tuple[tuple[dt.datetime, ZoneInfo], ...] = ()

    def at(self, instant: dt.datetime) -> ZoneInfo:
        """The one that was set then."""
        return next((zone for until, zone in self.earlier if instant < until), self.now)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A subscription that may have a month to close; `marked` is the tenant's newest closed month."""

    billed: BilledThrough
    zones: Zones | None  # None where a name is none that is known
    is_billed: bool  # not on the internal plan
    marked: Month | None

    @property
    def tenant_id(self) -> int:
        return self.billed.subscription.tenant_id


@dataclass(frozen=True, slots=True)
class Period:
    """A month and the part of it that is billed, half-open: `ends_at` is not in it.

    `time_zone` is the tenant's when the period began.
    """

    month: Month
    kind: Kind
    starts_at: dt.datetime
    ends_at: dt.datetime
    time_zone: str


@dataclass(frozen=True, slots=True)
class Activity:
    """One person's sign-ins of a month, or their time dated in it: the first and the last."""

    user_id: int
    month: Month
    email: str
    display_name: str
    reason: Reason
    first_at: dt.datetime
    last_at: dt.datetime


@dataclass(frozen=True, slots=True)
class LastEvent:
    """The newest event of the subscription that was applied."""

    event_type: str
    operation_id: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class Bill:
    """What a period comes to; a line for each active user, as `month` says also of an earlier month.

    `included_users` of them cost nothing beside the fee, or nothing yet in a free trial. `price` is None where it could
    not be read; `total` also where the price is not by the month.
    """

    subscription: Subscription
    period: Period
    plan_id: str
    price: Price | None
    included_users: int
    total: Decimal | None
    lines: tuple[Activity, ...]
    last_event: LastEvent | None

    @property
    def active_users(self) -> int:
        return len(self.lines)

    @property
    def amount(self) -> Decimal | None:
        """The total for people to see; None for seats, whose amount only Microsoft knows."""
        return None if self.subscription.is_by_seats else self.total


@dataclass(frozen=True, slots=True)
class Record:
    """A closed bill as it is stored; `id` is the row, `public_id` is shown.

    `replaces` and `replaced_by` are public ids; only lists of records read them.
    """

    id: int
    public_id: uuid.UUID
    tenant_id: int
    subscription_id: int
    period: Period
    state: State
    active_users: int
    included_users: int
    price: Price | None
    total: Decimal | None
    replaces_id: int | None
    closed_at: dt.datetime
    marketplace_id: uuid.UUID | None
    plan_id: str
    quantity: int | None
    last_event_type: str | None
    voided_at: dt.datetime | None = None
    void_reason: str | None = None
    replaces: uuid.UUID | None = None
    replaced_by: uuid.UUID | None = None

    @property
    def is_void(self) -> bool:
        return self.state is State.VOID

    @property
    def is_by_seats(self) -> bool:
        return charges_for_seats(self.marketplace_id, self.quantity)

    @property
    def currency(self) -> str | None:
        return None if self.price is None else self.price.currency

    @property
    def rate_per_user(self) -> Decimal | None:
        return None if self.price is None else self.price.rate_per_user

    @property
    def amount(self) -> Decimal | None:
        """The total for people to see; None for seats, whose amount only Microsoft knows."""
        return None if self.is_by_seats else self.total


def charges_for_seats(marketplace_id: uuid.UUID | None, seats: int | None) -> bool:
    """Microsoft charges for each seat, used or not; seats that were agreed with the vendor are only a limit."""
    return marketplace_id is not None and seats is not None
