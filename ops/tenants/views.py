"""Tenants and users as table rows and as JSON documents."""

import datetime as dt
from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa

from ops.tenant_account import TenantAccount
from shared.tenancy.model import Organization, Plan, Role
from shared.tenancy.rules import seat_cap, status_at


TENANT_COLUMNS: Final = ("SLUG", "NAME", "PLAN", "STATUS", "TRIAL ENDS (UTC)", "DAYS LEFT", "SEATS", "CREATED (UTC)")
USER_COLUMNS: Final = (
    "ID",
    "NAME",
    "E-MAIL",
    "ROLE",
    "PROVIDER",
    "ACTIVE",
    "FIRST SIGN-IN (UTC)",
    "LAST SIGN-IN (UTC)",
)
_DAY: Final = dt.timedelta(days=1)


def days_left(account: TenantAccount, now: dt.datetime) -> int | None:
    """Days until the trial ends, rounded up, 0 after its end; None without a trial."""
    ends_at = account.tenant.trial_ends_at
    if account.tenant.plan is not Plan.TRIAL or ends_at is None:
        return None
    return max(0, -((now - ends_at) // _DAY))


def tenant_row(account: TenantAccount, trial_user_limit: int, now: dt.datetime) -> list[Any]:
    tenant, left = account.tenant, days_left(account, now)
    cap = seat_cap(tenant, trial_user_limit)
    return [
        tenant.slug,
        tenant.name,
        tenant.plan,
        status_at(tenant, now),
        None if left is None else tenant.trial_ends_at,
        "over" if left == 0 else left,
        f"{tenant.seats_used} / {'unlimited' if cap is None else cap}",
        account.created_at,
    ]


def tenant_document(account: TenantAccount, trial_user_limit: int, now: dt.datetime) -> dict[str, Any]:
    tenant = account.tenant
    return {
        "id": tenant.public_id,
        "directoryId": account.directory_id,
        "slug": tenant.slug,
        "name": tenant.name,
        "azureDevOpsOrganization": tenant.organization,
        "adminEmail": account.admin_email,
        "timeZone": tenant.time_zone,
        "plan": tenant.plan,
        "status": status_at(tenant, now),
        "trialStartedAt": account.trial_started_at,
        "trialEndsAt": tenant.trial_ends_at,
        "trialDaysLeft": days_left(account, now),
        "seatsUsed": tenant.seats_used,
        "seatCap": seat_cap(tenant, trial_user_limit),
        "ratePerUser": account.rate_per_user,
        "currency": account.currency,
        "seatLimit": tenant.seat_limit,
        "usersAtPurchase": account.users_at_purchase,
        "subscriptionId": account.subscription_id,
        "forgottenTimerLimitMinutes": account.forgotten_timer_limit_ms // 60_000,
        "writeBack": account.write_back,
        "createdAt": account.created_at,
        "updatedAt": account.updated_at,
    }


def summary(people: Iterable[sa.Row[Any]], activity: sa.Row[Any]) -> dict[str, Any]:
    """People by role and state, and their activity."""
    counted = {(row.role, row.is_active): row.people for row in people}
    by_role = {role: (counted.get((role, True), 0), counted.get((role, False), 0)) for role in Role}
    return {
        "users": {role.value: {"active": active, "inactive": inactive} for role, (active, inactive) in by_role.items()},
        "runningTimers": activity.running,
        "timeEntries": activity.entries,
        "lastSignInAt": activity.signed_in,
        "lastActivityAt": max((at for at in (activity.signed_in, activity.logged) if at), default=None),
    }


def organizations_of(organizations: Iterable[Organization]) -> dict[str, Any]:
    """The Azure DevOps organizations; new time goes to active ones."""
    return {"organizations": [{"name": each.name, "isActive": each.is_active} for each in organizations]}


def tenant_fields(document: dict[str, Any]) -> dict[str, Any]:
    """The document as lines of text; the counts of a role are one line."""
    names = ((each["name"], "" if each["isActive"] else " (inactive)") for each in document["organizations"])
    organizations = {"organizations": ", ".join(f"{name}{state}" for name, state in names)}
    people = {
        f"users: {role}": f"{count['active']} active, {count['inactive']} inactive"
        for role, count in document["users"].items()
    }
    return {name: value for name, value in document.items() if name != "users"} | organizations | people


def user_row(row: sa.Row[Any]) -> list[Any]:
    return [
        row.public_id,
        row.display_name,
        row.email,
        row.role,
        row.auth_provider,
        row.is_active,
        row.first_sign_in_at,
        row.last_sign_in_at,
    ]


def user_document(row: sa.Row[Any]) -> dict[str, Any]:
    return {
        "id": row.public_id,
        "displayName": row.display_name,
        "email": row.email,
        "role": row.role,
        "pendingRole": row.pending_role,
        "authProvider": row.auth_provider,
        "isActive": row.is_active,
        "firstSignInAt": row.first_sign_in_at,
        "lastSignInAt": row.last_sign_in_at,
        "invitationEndsAt": row.invitation_ends_at,
        "isMerged": row.merged_into is not None,
        "createdAt": row.created_at,
    }
