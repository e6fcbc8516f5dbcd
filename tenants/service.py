"""How people come in: a directory's first person starts a trial, the others join, and each sign-in is stamped."""

import datetime as dt
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from shared.errors import Conflict, Forbidden
from shared.identity import Principal
from shared.settings import Settings
from shared.tenancy.model import AuthProvider, Caller, Plan, Role, Tenant, TenantStatus
from shared.tenancy.rules import month_key, seat_cap
from shared.tenancy.store import find_caller, find_tenant, record_activity
from tenants import store


NewId = Callable[[], uuid.UUID]


@dataclass(frozen=True, slots=True)
class NewTenant:
    name: str
    organization: str
    time_zone: str


def start_tenant(
    tx: sa.Connection, principal: Principal, subject: NewTenant, *, settings: Settings, now: dt.datetime, new_id: NewId
) -> Caller:
    """Registers a directory and makes the person its super admin: on a trial, or on the vendor's internal plan.

    Raises:
        Forbidden: the person is a guest in the directory.
        Conflict: the directory has a tenant already; a trial is given once, ever.
    """
    if principal.is_guest:
        raise Forbidden(
            "You are a guest in this directory. Ask one of its members to register it.", code="guest_cannot_register"
        )
    trial_days = None if principal.tid in settings.internal_tenant_ids else settings.trial_days
    values = _tenant_values(principal, subject, trial_days=trial_days, now=now, new_id=new_id)
    tenant_id = store.add_tenant(tx, values)
    if tenant_id is None:
        raise Conflict(
            "Your organisation is registered already. Sign in with POST /api/sign-in.", code="tenant_already_registered"
        )
    user_values = _user_values(principal, Role.SUPER_ADMIN, now=now, new_id=new_id)
    user_id = store.add_user(tx, tenant_id, user_values)
    assert user_id is not None, "a new tenant has no users"  # noqa: S101 - an invariant of ours
    return _welcome(tx, principal, now=now)


def sign_in(
    tx: sa.Connection, principal: Principal, *, settings: Settings, now: dt.datetime, new_id: NewId
) -> Caller | None:
    """Finds or makes the person's account and stamps the sign-in; None when the directory has no tenant.

    Raises:
        Forbidden: the account is deactivated, or no seat is free for a new one.
    """
    caller = find_caller(tx, tid=principal.tid, oid=principal.oid, lock=True)
    if caller is None:
        tenant = find_tenant(tx, tid=principal.tid, lock=True)
        if tenant is None:
            return None
        # People join one after another; the same person may have been the one before.
        if find_caller(tx, tid=principal.tid, oid=principal.oid, lock=True) is None:
            _join(tx, tenant, principal, settings=settings, now=now, new_id=new_id)
    return _welcome(tx, principal, now=now)


def _join(
    tx: sa.Connection, tenant: Tenant, principal: Principal, *, settings: Settings, now: dt.datetime, new_id: NewId
) -> None:
    address = email_key(principal)
    if store.bind_manual_account(tx, tenant.id, address=address, oid=uuid.UUID(principal.oid), now=now):
        return
    store.release_address(tx, tenant.id, address=address)
    user_id = store.add_user(tx, tenant.id, _user_values(principal, Role.USER, now=now, new_id=new_id))
    assert user_id is not None, "the tenant is held, so nobody made the account meanwhile"  # noqa: S101 - ours
    cap = seat_cap(tenant, settings.trial_user_limit)
    if not store.take_seat(tx, tenant.id, cap=cap, now=now):
        raise _no_seat(tenant, cap)


def _welcome(tx: sa.Connection, principal: Principal, *, now: dt.datetime) -> Caller:
    caller = find_caller(tx, tid=principal.tid, oid=principal.oid, lock=True)
    assert caller is not None, "the account was found or made in this transaction"  # noqa: S101 - ours
    if not caller.user.is_active:
        raise Forbidden(
            "Your account was deactivated by an admin of your organisation. Ask them to reactivate it.",
            code="user_deactivated",
        )
    store.stamp_sign_in(tx, caller.tenant.id, caller.user.id, now=now)
    months = [month_key(now, caller.tenant)]
    record_activity(tx, caller.tenant.id, caller.user.id, months=months, reason="signIn", at=now)
    return caller


def _no_seat(tenant: Tenant, cap: int | None) -> Forbidden:
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


def _tenant_values(
    principal: Principal, subject: NewTenant, *, trial_days: int | None, now: dt.datetime, new_id: NewId
) -> dict[str, Any]:
    plan = Plan.INTERNAL if trial_days is None else Plan.TRIAL
    return {
        "public_id": new_id(),
        "entra_tenant_id": uuid.UUID(principal.tid),
        "slug": slug(subject.name, principal.tid),
        "name": subject.name,
        "organization": subject.organization,
        "admin_email": email(principal),
        "plan_kind": plan.value,
        "status": TenantStatus.ACTIVE.value,
        "time_zone": subject.time_zone,
        "trial_started_at": None if trial_days is None else now,
        "trial_ends_at": None if trial_days is None else now + dt.timedelta(days=trial_days),
        "seats_used": 1,
        "seat_limit": None,
        "version": 1,
        "created_at": now,
        "updated_at": now,
    }


def _user_values(principal: Principal, role: Role, *, now: dt.datetime, new_id: NewId) -> dict[str, Any]:
    return {
        "public_id": new_id(),
        "entra_object_id": uuid.UUID(principal.oid),
        "email": email(principal),
        "email_key": email_key(principal),
        "display_name": shortened(principal.name or email(principal), 200),
        "role": role.value,
        "auth_provider": AuthProvider.MICROSOFT.value,
        "is_active": True,
        "version": 1,
        "created_at": now,
        "updated_at": now,
    }


def email(principal: Principal) -> str:
    """The person's address as the directory gives it; a person without one is known by their object id."""
    return principal.email or principal.username or principal.oid


def email_key(principal: Principal) -> str:
    return email(principal).strip().casefold()


def shortened(text: str, limit: int) -> str:
    """At most `limit` UTF-16 units, which is how Azure SQL measures a column, without half a character at the end."""
    return text.encode("utf-16-le")[: limit * 2].decode("utf-16-le", errors="ignore")


def slug(name: str, tid: str) -> str:
    """A short name for addresses: the tenant's name in plain letters, and a piece of its directory id to be unique."""
    words = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")[:40].strip("-")
    return f"{words}-{tid[:8]}" if words else tid[:8]
