"""Types of bills: period, activity, bill and record."""

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
    TIME = "time"  # also with sign-ins


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
    has_earlier_zones: bool = False  # its tenant has had another time zone
    lacks_price: bool = False  # a bill has no price
    has_adopted: bool = False  # usage was adopted after a restore


@dataclass(frozen=True, slots=True)
class Zones:
    """A tenant's present time zone, and earlier ones with the instant of each change, in order."""

    now: ZoneInfo
    earlier: tuple[tuple[dt.datetime, ZoneInfo], ...] = ()

    def at(self, instant: dt.datetime) -> ZoneInfo:
        """The time zone at an instant."""
        return next((zone for until, zone in self.earlier if instant < until), self.now)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A subscription that may have a month to close; `marked` is the tenant's newest closed month."""

    billed: BilledThrough
    zones: Zones | None  # None if a name is unknown
    is_billed: bool  # not on the internal plan
    marked: Month | None

    @property
    def tenant_id(self) -> int:
        return self.billed.subscription.tenant_id


@dataclass(frozen=True, slots=True)
class Period:
    """A month and the part of it that is billed, half-open: `ends_at` is not in it.

    `time_zone` is the tenant's at the start of the period.
    """

    month: Month
    kind: Kind
    starts_at: dt.datetime
    ends_at: dt.datetime
    time_zone: str


@dataclass(frozen=True, slots=True)
class Activity:
    """A person's first and last activity in a month: sign-ins or time."""

    user_id: int
    month: Month
    email: str
    display_name: str
    reason: Reason
    first_at: dt.datetime
    last_at: dt.datetime


@dataclass(frozen=True, slots=True)
class LastEvent:
    """The subscription's last applied event."""

    event_type: str
    operation_id: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class Bill:
    """The bill of a period, with a line for each active user, also of earlier months.

    `included_users` are covered by the fee or a free trial. `price` is None if it could not be read; `total` also
    if the price is not monthly.
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
        """The total for display; None for seats, since Microsoft alone knows their amount."""
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
        """The total for display; None for seats, since Microsoft alone knows their amount."""
        return None if self.is_by_seats else self.total


def charges_for_seats(marketplace_id: uuid.UUID | None, seats: int | None) -> bool:
    """Microsoft charges for each seat, used or not; seats that were agreed with the vendor are only a limit."""
    return marketplace_id is not None and seats is not None
