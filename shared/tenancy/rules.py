"""Rules of the plan: status, tracking, seats, cancellation."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Final

from shared.errors import Forbidden, PaymentRequired
from shared.tenancy.model import Plan, Role, Tenant, TenantStatus, User


INACTIVE_AFTER: Final = dt.timedelta(days=30)  # an admin without a sign-in since counts as absent


@dataclass(frozen=True, slots=True)
class Refusal:
    code: str
    detail: str


TRIAL_EXPIRED = Refusal(
    "trial_expired",
    "The trial has ended. You can still read, export and stop a running timer, and nothing was deleted. To track new "
    "time, a super admin can buy TimeTracker in the Azure Marketplace.",
)
SUSPENDED = Refusal(
    "subscription_suspended",
    "The subscription is suspended. You can still read, export and stop a running timer. To track new time, a super "
    "admin can settle the payment in the Azure Marketplace.",
)
CANCELLED = Refusal(
    "subscription_cancelled",
    "The subscription was canceled. Admins can still read and export, and a running timer can be stopped. To track "
    "new time, a super admin can buy TimeTracker again in the Azure Marketplace.",
)
_SHORT_ID: Final = 8
_OF_A_TRIAL: Final = frozenset({TenantStatus.ACTIVE, TenantStatus.EXPIRED})
_REFUSALS: Final = {
    TenantStatus.EXPIRED: TRIAL_EXPIRED,
    TenantStatus.SUSPENDED: SUSPENDED,
    TenantStatus.CANCELLED: CANCELLED,
}


def status_at(tenant: Tenant, at: dt.datetime) -> TenantStatus:
    """The status at an instant. A trial ends at its end date, not when the job stores that.

    So a late event from the trial counts, whether or not the job has run since.
    """
    if tenant.plan is Plan.TRIAL and tenant.trial_ends_at is not None and tenant.status in _OF_A_TRIAL:
        return TenantStatus.ACTIVE if at < tenant.trial_ends_at else TenantStatus.EXPIRED
    return tenant.status


def tracking_refusal(tenant: Tenant, now: dt.datetime) -> Refusal | None:
    """The reason why no new time can be tracked, or None."""
    return _REFUSALS.get(status_at(tenant, now))


def require_tracking(tenant: Tenant, now: dt.datetime) -> None:
    """Refuses new time if the plan does not allow it.

    Raises:
        PaymentRequired: with the reason.
    """
    refusal = tracking_refusal(tenant, now)
    if refusal is not None:
        raise PaymentRequired(refusal.detail, code=refusal.code)


def trial_days_left(tenant: Tenant, now: dt.datetime) -> int | None:
    """The days left in a trial, with today; 0 after its end, None without a trial."""
    if tenant.plan is not Plan.TRIAL or tenant.trial_ends_at is None:
        return None
    return max(0, -((now - tenant.trial_ends_at) // dt.timedelta(days=1)))


def seat_cap(tenant: Tenant, trial_user_limit: int) -> int | None:
    """The number of active accounts that the plan allows; None for unlimited."""
    match tenant.plan:
        case Plan.TRIAL:
            return trial_user_limit
        case Plan.PAID:
            return tenant.seat_limit
        case Plan.INTERNAL:
            return None


def require_not_cancelled(tenant: Tenant, role: Role, *, writes: bool) -> None:
    """After a cancellation admins can read and export. Nobody can change data, and users have no access.

    Raises:
        PaymentRequired: `subscription_cancelled`.
    """
    if tenant.status is TenantStatus.CANCELLED and (writes or role is Role.USER):
        raise PaymentRequired(CANCELLED.detail, code=CANCELLED.code)


def user_deactivated() -> Forbidden:
    return Forbidden(
        "Your account was deactivated by an admin of your organization. Ask an admin to reactivate it.",
        code="user_deactivated",
    )


def require_processing(user: User) -> None:
    """Refuses a person who stopped the processing of their data.

    Raises:
        Forbidden: `processing_restricted`.
    """
    if user.restricted_since is not None:
        raise processing_restricted(own=True)


def processing_restricted(*, own: bool = False) -> Forbidden:
    """The error for a person who stopped the processing of their data: it is stored, and not used."""
    if own:
        detail = (
            "You have stopped the processing of your data, so no new time is tracked. To track time again, resume it "
            "in your privacy settings. You can still stop a running timer, and read and correct your own time."
        )
    else:
        detail = "This person has stopped the processing of their data. It is stored, and not shown to others."
    return Forbidden(detail, code="processing_restricted")


def seat_limit_error(tenant: Tenant, cap: int | None) -> Forbidden:
    """The error for one account more than the plan allows."""
    if tenant.plan is Plan.TRIAL:
        return Forbidden(
            f"A trial is limited to {cap} people, and {tenant.name} has reached that limit. A super admin can "
            "deactivate an account, or buy TimeTracker in the Azure Marketplace.",
            code="trial_user_limit_reached",
        )
    return Forbidden(
        f"All {cap} seats of {tenant.name} are in use. A super admin can deactivate an account, or add seats in the "
        "Azure Marketplace.",
        code="seat_limit_reached",
    )


def short_id(public_id: uuid.UUID) -> str:
    """The beginning of a person's id, to tell people of the same name apart."""
    return str(public_id)[:_SHORT_ID]
