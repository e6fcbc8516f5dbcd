"""What a tenant's plan allows at an instant: the one answer that every slice uses."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Final

from shared.errors import Forbidden, PaymentRequired
from shared.tenancy.model import Plan, Role, Tenant, TenantStatus, User


INACTIVE_AFTER: Final = dt.timedelta(days=30)  # without a sign-in: nobody waits for such an admin


@dataclass(frozen=True, slots=True)
class Refusal:
    code: str
    detail: str


TRIAL_EXPIRED = Refusal(
    "trial_expired",
    "The trial is over. Reading, exporting and stopping a running timer still work; to track new time, "
    "a super admin can buy TimeTracker in the Azure Marketplace. Nothing has been deleted.",
)
SUSPENDED = Refusal(
    "subscription_suspended",
    "The subscription is suspended. Reading, exporting and stopping a running timer still work; to track new "
    "time, a super admin can settle the payment in the Azure Marketplace.",
)
CANCELLED = Refusal(
    "subscription_cancelled",
    "The subscription was cancelled. Admins can still read and export, and a running timer can be stopped; to track "
    "new time, a super admin can buy TimeTracker again in the Azure Marketplace.",
)


_SHORT_ID: Final = 8
_OF_THE_CLOCK: Final = frozenset({TenantStatus.ACTIVE, TenantStatus.EXPIRED})
_REFUSALS: Final = {
    TenantStatus.EXPIRED: TRIAL_EXPIRED,
    TenantStatus.SUSPENDED: SUSPENDED,
    TenantStatus.CANCELLED: CANCELLED,
}


def status_at(tenant: Tenant, at: dt.datetime) -> TenantStatus:
    """The state at an instant. Whether a trial is over is its end's to say, not the job's that writes it down.

    So an hour of the trial that is reported late counts, whether or not the job has run in between.
    """
    if tenant.plan is Plan.TRIAL and tenant.trial_ends_at is not None and tenant.status in _OF_THE_CLOCK:
        return TenantStatus.ACTIVE if at < tenant.trial_ends_at else TenantStatus.EXPIRED
    return tenant.status


def tracking_refusal(tenant: Tenant, now: dt.datetime) -> Refusal | None:
    """Why new time may not be tracked at `now`, or None when it may."""
    return _REFUSALS.get(status_at(tenant, now))


def require_tracking(tenant: Tenant, now: dt.datetime) -> None:
    """Lets through whoever may start or enter time.

    Raises:
        PaymentRequired: with the code and what to do next.
    """
    refusal = tracking_refusal(tenant, now)
    if refusal is not None:
        raise PaymentRequired(refusal.detail, code=refusal.code)


def trial_days_left(tenant: Tenant, now: dt.datetime) -> int | None:
    """Days of a trial that are left, the running one included; 0 when it is over, None when there is no trial."""
    if tenant.plan is not Plan.TRIAL or tenant.trial_ends_at is None:
        return None
    return max(0, -((now - tenant.trial_ends_at) // dt.timedelta(days=1)))


def seat_cap(tenant: Tenant, trial_user_limit: int) -> int | None:
    """How many enabled accounts the plan admits; None is without a cap, 0 is none at all."""
    match tenant.plan:
        case Plan.TRIAL:
            return trial_user_limit
        case Plan.PAID:
            return tenant.seat_limit
        case Plan.INTERNAL:
            return None


def require_not_cancelled(tenant: Tenant, role: Role, *, writes: bool) -> None:
    """After a cancellation admins read and export; nobody changes anything, and users see nothing more.

    Raises:
        PaymentRequired: `subscription_cancelled`.
    """
    if tenant.status is TenantStatus.CANCELLED and (writes or role is Role.USER):
        raise PaymentRequired(CANCELLED.detail, code=CANCELLED.code)


def deactivated() -> Forbidden:
    return Forbidden(
        "Your account was deactivated by an admin of your organisation. Ask them to reactivate it.",
        code="user_deactivated",
    )


def require_processing(user: User) -> None:
    """Lets through whoever has not had the processing of their data stopped.

    Raises:
        Forbidden: `processing_restricted`.
    """
    if user.restricted_since is not None:
        raise restricted(own=True)


def restricted(*, own: bool = False) -> Forbidden:
    """Of a person who has had the processing of their data stopped: it stays, and nothing more is done with it."""
    if own:
        detail = (
            "You have had the processing of your data stopped, so no new time is tracked. Lift that in "
            "your privacy settings to go on. Stopping a running timer, reading and correcting your own time still work."
        )
    else:
        detail = "This person has had the processing of their data stopped. It is kept, and shown to nobody else."
    return Forbidden(detail, code="processing_restricted")


def no_seat(tenant: Tenant, cap: int | None) -> Forbidden:
    """The refusal of one account more than the plan admits."""
    if tenant.plan is Plan.TRIAL:
        return Forbidden(
            f"A trial admits {cap} people, and {tenant.name} has them. A super admin can deactivate somebody or buy "
            "TimeTracker in the Azure Marketplace.",
            code="trial_user_limit_reached",
        )
    return Forbidden(
        f"All {cap} seats of {tenant.name} are taken. A super admin can deactivate somebody or add seats in the Azure "
        "Marketplace.",
        code="seat_limit_reached",
    )


def short_id(public_id: uuid.UUID) -> str:
    """The beginning of a person's id, which tells people apart whom name and address do not."""
    return str(public_id)[:_SHORT_ID]


def month_key(instant: dt.datetime, tenant: Tenant) -> int:
    """The calendar month of an instant in the tenant's time zone, as yyyymm."""
    local = instant.astimezone(tenant.zone)
    return local.year * 100 + local.month
