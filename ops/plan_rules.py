"""The rules of trials and plans: the terms after a change, or the reason against it."""

import dataclasses
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ops.errors import CommandRejected
from ops.tenant_account import TenantAccount
from shared.money import amount_text
from shared.tenancy.model import Plan, TenantStatus
from shared.tenancy.rules import seat_cap, status_at


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """The terms of a tenant that an operator can change."""

    plan: Plan
    status: TenantStatus
    rate_per_user: Decimal | None
    currency: str | None
    seat_limit: int | None
    trial_started_at: dt.datetime | None
    trial_ends_at: dt.datetime | None

    def to_wire(self) -> dict[str, Any]:
        """The fields as in JSON and in the audit log."""
        return {
            "plan": self.plan,
            "status": self.status,
            "ratePerUser": amount_text(self.rate_per_user, self.currency),
            "currency": self.currency,
            "seatLimit": self.seat_limit,
            "trialEndsAt": self.trial_ends_at,
        }


@dataclass(frozen=True, slots=True)
class PlanPrice:
    """The price of a paid plan; `keeps_seats` leaves the seat limit unchanged."""

    rate_per_user: Decimal
    currency: str
    seat_limit: int | None
    keeps_seats: bool


def terms_of(account: TenantAccount, now: dt.datetime) -> PlanTerms:
    tenant = account.tenant
    return PlanTerms(
        plan=tenant.plan,
        status=status_at(tenant, now),
        rate_per_user=account.rate_per_user,
        currency=account.currency,
        seat_limit=tenant.seat_limit,
        trial_started_at=account.trial_started_at,
        trial_ends_at=tenant.trial_ends_at,
    )


def extend_trial(account: TenantAccount, *, days: int, now: dt.datetime) -> PlanTerms:
    """An active trial, longer by days of 24 hours from its end, or from now if it is over.

    Raises:
        CommandRejected: the tenant has no trial, or a status in which a longer trial has no effect.
    """
    tenant = account.tenant
    if tenant.plan is not Plan.TRIAL:
        raise CommandRejected(f"{tenant.slug} is on the {tenant.plan} plan; only a trial can be extended")
    if tenant.status not in {TenantStatus.ACTIVE, TenantStatus.EXPIRED}:
        raise CommandRejected(
            f"{tenant.slug} is {tenant.status}; activate it first: ops tenants set-plan {tenant.slug} trial"
        )
    begins = max(now, tenant.trial_ends_at or now)
    ends_at = begins + dt.timedelta(days=days)
    return dataclasses.replace(terms_of(account, now), status=TenantStatus.ACTIVE, trial_ends_at=ends_at)


def set_plan(
    account: TenantAccount, plan: Plan, price: PlanPrice | None, *, trial_days: int, now: dt.datetime
) -> PlanTerms:
    """The terms on a plan, with the status active. A trial keeps its dates, and one that is over is expired."""
    terms = dataclasses.replace(
        terms_of(account, now),
        plan=plan,
        status=TenantStatus.ACTIVE,
        rate_per_user=price.rate_per_user if price else None,
        currency=price.currency if price else None,
        seat_limit=_seat_limit(account, price),
    )
    if plan is not Plan.TRIAL:
        return terms
    if terms.trial_ends_at is None:
        ends_at = now + dt.timedelta(days=trial_days)
        return dataclasses.replace(terms, trial_started_at=now, trial_ends_at=ends_at)
    is_over = terms.trial_ends_at <= now
    return dataclasses.replace(terms, status=TenantStatus.EXPIRED if is_over else TenantStatus.ACTIVE)


def _seat_limit(account: TenantAccount, price: PlanPrice | None) -> int | None:
    if price is None:
        return None
    return account.tenant.seat_limit if price.keeps_seats else price.seat_limit


def seat_cap_for(account: TenantAccount, terms: PlanTerms, trial_user_limit: int) -> int | None:
    """The highest number of enabled accounts on these terms; None is unlimited."""
    tenant = dataclasses.replace(account.tenant, plan=terms.plan, seat_limit=terms.seat_limit)
    return seat_cap(tenant, trial_user_limit)


def require_seats(account: TenantAccount, cap: int | None) -> None:
    """Checks that the enabled accounts fit into the cap.

    Raises:
        CommandRejected: there are more; the text has both numbers.
    """
    if cap is not None and account.tenant.seats_used > cap:
        raise CommandRejected(
            f"{account.tenant.slug} has {account.tenant.seats_used} enabled accounts, and the plan allows {cap}; "
            "its admins must deactivate some first"
        )


def trial_notes(account: TenantAccount, after: PlanTerms, *, now: dt.datetime) -> Iterator[str]:
    """Hints for the operator."""
    if after.plan is Plan.TRIAL and after.trial_ends_at is not None and after.trial_ends_at <= now:
        yield f"The trial is over; to reactivate it: ops tenants extend-trial {account.tenant.slug} --days N"
