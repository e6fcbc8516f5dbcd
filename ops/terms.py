"""Decides what extending a trial or setting a plan makes of a tenant's terms, or why it may not be."""

import dataclasses
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ops.account import Account
from ops.exits import Refused
from shared.money import amount_text
from shared.tenancy.model import Plan, TenantStatus
from shared.tenancy.rules import seat_cap, status_at


@dataclass(frozen=True, slots=True)
class Terms:
    """What an operator may change of a tenant."""

    plan: Plan
    status: TenantStatus
    rate_per_user: Decimal | None
    currency: str | None
    seat_limit: int | None
    trial_started_at: dt.datetime | None
    trial_ends_at: dt.datetime | None

    def wire(self) -> dict[str, Any]:
        """The fields by the names they have in JSON and in the audit log."""
        return {
            "plan": self.plan,
            "status": self.status,
            "ratePerUser": amount_text(self.rate_per_user, self.currency),
            "currency": self.currency,
            "seatLimit": self.seat_limit,
            "trialEndsAt": self.trial_ends_at,
        }


@dataclass(frozen=True, slots=True)
class Price:
    """What a paid plan costs; `keeps_seats` leaves the seat limit as it is."""

    rate_per_user: Decimal
    currency: str
    seat_limit: int | None
    keeps_seats: bool


def terms_of(account: Account, now: dt.datetime) -> Terms:
    tenant = account.tenant
    return Terms(
        plan=tenant.plan,
        status=status_at(tenant, now),
        rate_per_user=account.rate_per_user,
        currency=account.currency,
        seat_limit=tenant.seat_limit,
        trial_started_at=account.trial_started_at,
        trial_ends_at=tenant.trial_ends_at,
    )


def extended(account: Account, *, days: int, now: dt.datetime) -> Terms:
    """The trial, longer by days of 24 hours from its end, or from now when it is over, and active again.

    Raises:
        Refused: the tenant is on no trial, or in a state in which a longer trial would not help it.
    """
    tenant = account.tenant
    if tenant.plan is not Plan.TRIAL:
        raise Refused(f"{tenant.slug} is on the {tenant.plan} plan; only a trial can be extended")
    if tenant.status not in {TenantStatus.ACTIVE, TenantStatus.EXPIRED}:
        raise Refused(f"{tenant.slug} is {tenant.status}; make it active first, with set-plan {tenant.slug} trial")
    begins = max(now, tenant.trial_ends_at or now)
    ends_at = begins + dt.timedelta(days=days)
    return dataclasses.replace(terms_of(account, now), status=TenantStatus.ACTIVE, trial_ends_at=ends_at)


def on_plan(account: Account, plan: Plan, price: Price | None, *, trial_days: int, now: dt.datetime) -> Terms:
    """The terms on a plan, active. A trial keeps the dates it had: it is given once, and extended apart from this.

    So a trial that is over is not active by this, but expired.
    """
    terms = dataclasses.replace(
        terms_of(account, now),
        plan=plan,
        status=TenantStatus.ACTIVE,
        rate_per_user=price.rate_per_user if price else None,
        currency=price.currency if price else None,
        seat_limit=_seats(account, price),
    )
    if plan is not Plan.TRIAL:
        return terms
    if terms.trial_ends_at is None:
        ends_at = now + dt.timedelta(days=trial_days)
        return dataclasses.replace(terms, trial_started_at=now, trial_ends_at=ends_at)
    is_over = terms.trial_ends_at <= now
    return dataclasses.replace(terms, status=TenantStatus.EXPIRED if is_over else TenantStatus.ACTIVE)


def _seats(account: Account, price: Price | None) -> int | None:
    if price is None:
        return None
    return account.tenant.seat_limit if price.keeps_seats else price.seat_limit


def cap_of(account: Account, terms: Terms, trial_user_limit: int) -> int | None:
    """How many enabled accounts the tenant may have on these terms; None is without a cap."""
    tenant = dataclasses.replace(account.tenant, plan=terms.plan, seat_limit=terms.seat_limit)
    return seat_cap(tenant, trial_user_limit)


def require_seats(account: Account, cap: int | None) -> None:
    """Lets terms through that admit everybody who has an enabled account now.

    Raises:
        Refused: with both numbers.
    """
    if cap is not None and account.tenant.seats_used > cap:
        raise Refused(
            f"{account.tenant.slug} has {account.tenant.seats_used} enabled accounts, and the plan would admit {cap}; "
            "its admins must deactivate some first"
        )


def notes(account: Account, after: Terms, *, now: dt.datetime) -> Iterator[str]:
    """What the operator should know and the terms do not say."""
    if after.plan is Plan.TRIAL and after.trial_ends_at is not None and after.trial_ends_at <= now:
        yield f"Its trial is over; to let it track time again: extend-trial {account.tenant.slug} --days N"
