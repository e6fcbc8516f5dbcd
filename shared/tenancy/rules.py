"""Rules of plans, seats, roles and restrictions that several slices use; pure."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Final

from shared.errors import Forbidden, PaymentRequired
from shared.tenancy.model import Plan, Role, Tenant, TenantStatus, User


INACTIVE_AFTER: Final = dt.timedelta(days=30)  # without a sign-in an admin counts as inactive


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
    "The subscription was canceled. Admins can still read and export, and a running timer can be stopped; to track "
    "new time, a super admin can buy TimeTracker again in the Azure Marketplace.",
)
_SHORT_ID: Final = 8
_OF_TRIAL: Final = frozenset({TenantStatus.ACTIVE, TenantStatus.EXPIRED})
_REFUSALS: Final = {
    TenantStatus.EXPIRED: TRIAL_EXPIRED,
    TenantStatus.SUSPENDED: SUSPENDED,
    TenantStatus.CANCELLED: CANCELLED,
}


def status_at(tenant: Tenant, at: dt.datetime) -> TenantStatus:
    """The status at an instant. A trial ends at its end, whether or not the job has stored that yet.

    So late events from before the end still count.
    """
    if tenant.plan is Plan.TRIAL and tenant.trial_ends_at is not None and tenant.status in _OF_TRIAL:
        return TenantStatus.ACTIVE if at < tenant.trial_ends_at else TenantStatus.EXPIRED
    return tenant.status


def tracking_refusal(tenant: Tenant, now: dt.datetime) -> Refusal | None:
    """The refusal of new time, or None if time can be tracked."""
    return _REFUSALS.get(status_at(tenant, now))


def require_tracking(tenant: Tenant, now: dt.datetime) -> None:
    """Lets through tenants that can track time.

    Raises:
        PaymentRequired: the plan does not allow it.
    """
    refusal = tracking_refusal(tenant, now)
    if refusal is not None:
        raise PaymentRequired(refusal.detail, code=refusal.code)


def trial_days_left(tenant: Tenant, now: dt.datetime) -> int | None:
    """Remaining days of the trial, with the current one; 0 after its end, None without a trial."""
    if tenant.plan is not Plan.TRIAL or tenant.trial_ends_at is None:
        return None
    return max(0, -((now - tenant.trial_ends_at) // dt.timedelta(days=1)))


def seat_cap(tenant: Tenant, trial_user_limit: int) -> int | None:
    """The number of active accounts that the plan allows; None is unlimited."""
    match tenant.plan:
        case Plan.TRIAL:
            return trial_user_limit
        case Plan.PAID:
            return tenant.seat_limit
        case Plan.INTERNAL:
            return None


def require_not_cancelled(tenant: Tenant, role: Role, *, writes: bool) -> None:
    """After a cancellation admins can read and export; nobody can change data, and users see nothing.

    Raises:
        PaymentRequired: `subscription_cancelled`.
    """
    if tenant.status is TenantStatus.CANCELLED and (writes or role is Role.USER):
        raise PaymentRequired(CANCELLED.detail, code=CANCELLED.code)


def deactivated() -> Forbidden:
    return Forbidden(
        "Your account was deactivated by an admin of your organization. Ask an admin to reactivate it.",
        code="user_deactivated",
    )


def require_processing(user: User) -> None:
    """Lets through users whose data may be processed.

    Raises:
        Forbidden: `processing_restricted`.
    """
    if user.restricted_since is not None:
        raise restricted(own=True)


def restricted(*, own: bool = False) -> Forbidden:
    """The refusal where a person has stopped the processing of their data; the data is kept."""
    if own:
        detail = (
            "You stopped the processing of your data, so no new time is tracked. To track time again, allow it in your "
            "privacy settings. You can still stop a running timer, and read and correct your time."
        )
    else:
        detail = "This person stopped the processing of their data. It is kept, and nobody else can see it."
    return Forbidden(detail, code="processing_restricted")


def no_seat(tenant: Tenant, cap: int | None) -> Forbidden:
    """The refusal of an account beyond the plan's limit."""
    if tenant.plan is Plan.TRIAL:
        return Forbidden(
            f"A trial is limited to {cap} people, and {tenant.name} has reached the limit. A super admin can "
            "deactivate somebody or buy TimeTracker in the Azure Marketplace.",
            code="trial_user_limit_reached",
        )
    return Forbidden(
        f"All {cap} seats of {tenant.name} are taken. A super admin can deactivate somebody or add seats in the Azure "
        "Marketplace.",
        code="seat_limit_reached",
    )


def short_id(public_id: uuid.UUID) -> str:
    """The first characters of a person's id, to distinguish people with equal names and addresses."""
    return str(public_id)[:_SHORT_ID]


def month_key(instant: dt.datetime, tenant: Tenant) -> int:
    """The calendar month of an instant in the tenant's time zone, as yyyymm."""
    local = instant.astimezone(tenant.zone)
    return local.year * 100 + local.month
