"""How people come in: a directory's first person starts a trial, the others join, and each sign-in is stamped."""

import datetime as dt
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import sqlalchemy as sa

from shared import audit
from shared.audit import Action, Actor
from shared.errors import Conflict, Forbidden
from shared.identity import Principal
from shared.settings import Settings
from shared.tenancy.model import AuthProvider, Caller, Plan, Role, Tenant, TenantStatus
from shared.tenancy.rules import deactivated, month_key, no_seat, require_tracking, seat_cap
from shared.tenancy.store import find_caller, find_tenant, record_sign_in
from shared.text import key_of, shortened
from tenants import store


NewId = Callable[[], uuid.UUID]
EMAIL_KEY: Final = 400  # characters the column takes


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
    after = {"plan": values["plan_kind"], "timeZone": subject.time_zone, "trialEndsAt": values["trial_ends_at"]}
    _record(tx, tenant_id, user_id, Action.TENANT_CREATED, now=now, new_id=new_id, after=after)
    return _welcome(tx, principal, now=now)


def sign_in(
    tx: sa.Connection, principal: Principal, *, settings: Settings, now: dt.datetime, new_id: NewId
) -> Caller | None:
    """Finds or makes the person's account and stamps the sign-in; None when the directory has no tenant.

    Raises:
        Forbidden: the account is deactivated, or no seat is free for a new one.
        PaymentRequired: the plan admits nobody new now.
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


def record_refusal(tx: sa.Connection, principal: Principal, code: str, *, now: dt.datetime, new_id: NewId) -> None:
    """Puts a refused sign-in on record, in a transaction of its own, where the directory has a tenant."""
    tenant = find_tenant(tx, tid=principal.tid)
    if tenant is None:
        return
    caller = find_caller(tx, tid=principal.tid, oid=principal.oid, lock=False)
    user_id = None if caller is None else caller.user.id
    _record(tx, tenant.id, user_id, Action.SIGN_IN_REFUSED, now=now, new_id=new_id, after={"code": code})


def rename_me(tx: sa.Connection, caller: Caller, name: str, *, now: dt.datetime, new_id: NewId) -> Caller:
    """Gives the caller the name they want to be shown by."""
    if name != caller.user.display_name:
        store.rename(tx, caller.tenant.id, caller.user.id, name=name, now=now)
        _record(tx, caller.tenant.id, caller.user.id, Action.USER_RENAMED, now=now, new_id=new_id)
    return replace(caller, user=replace(caller.user, display_name=name))


def _join(
    tx: sa.Connection, tenant: Tenant, principal: Principal, *, settings: Settings, now: dt.datetime, new_id: NewId
) -> None:
    address, oid, name = address_key(principal), uuid.UUID(principal.oid), display_name(principal)
    if address is None:
        bound = None
    else:
        bound = store.bind_manual_account(tx, tenant.id, address=address, oid=oid, name=name, now=now)
    if bound is not None:
        _record(tx, tenant.id, bound, Action.USER_BOUND, now=now, new_id=new_id)
        return
    require_tracking(tenant, now)  # an account that can do nothing is no use to anybody
    if address is not None:
        store.release_address(tx, tenant.id, address=address)
    user_id = store.add_user(tx, tenant.id, _user_values(principal, Role.USER, now=now, new_id=new_id))
    assert user_id is not None, "the tenant is held, so nobody made the account meanwhile"  # noqa: S101 - ours
    cap = seat_cap(tenant, settings.trial_user_limit)
    if not store.take_seat(tx, tenant.id, cap=cap, now=now):
        raise no_seat(tenant, cap)
    _record(tx, tenant.id, user_id, Action.USER_JOINED, now=now, new_id=new_id, after={"role": Role.USER})


def _record(
    tx: sa.Connection,
    tenant_id: int,
    user_id: int | None,
    action: Action,
    *,
    now: dt.datetime,
    new_id: NewId,
    after: dict[str, Any] | None = None,
) -> None:
    """What people do to their own account: they are who did it and whom it was done to."""
    actor = audit.STRANGER if user_id is None else Actor.user(user_id)
    audit.record(tx, tenant_id, action, actor=actor, at=now, row_id=new_id(), subject_user_id=user_id, after=after)


def _welcome(tx: sa.Connection, principal: Principal, *, now: dt.datetime) -> Caller:
    caller = find_caller(tx, tid=principal.tid, oid=principal.oid, lock=True)
    assert caller is not None, "the account was found or made in this transaction"  # noqa: S101 - ours
    if not caller.user.is_active:
        raise deactivated()
    store.stamp_sign_in(tx, caller.tenant.id, caller.user.id, now=now)
    record_sign_in(tx, caller.tenant.id, caller.user.id, month=month_key(now, caller.tenant), at=now)
    return caller


def _tenant_values(
    principal: Principal, subject: NewTenant, *, trial_days: int | None, now: dt.datetime, new_id: NewId
) -> dict[str, Any]:
    plan = Plan.INTERNAL if trial_days is None else Plan.TRIAL
    return {
        "public_id": new_id(),
        "entra_tenant_id": uuid.UUID(principal.tid),
        "slug": slug(subject.name, new_id()),
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
        "email_key": address_key(principal),
        "display_name": display_name(principal),
        "role": role.value,
        "auth_provider": AuthProvider.MICROSOFT.value,
        "is_active": True,
        "version": 1,
        "created_at": now,
        "updated_at": now,
    }


def email(principal: Principal) -> str:
    """The person's address as the directory gives it; a person without one is known by their object id."""
    return shortened(principal.email or principal.username or principal.oid, 320)


def display_name(principal: Principal) -> str:
    return shortened(principal.name or email(principal), 200)


def address_key(principal: Principal) -> str | None:
    """The address by which a person is matched to an account made for them: the name they sign in with.

    Never the `email` claim: in many directories whoever sets it need not hold the address.
    """
    return None if principal.username is None else key_of(principal.username, EMAIL_KEY)


def slug(name: str, unique: uuid.UUID) -> str:
    """A short name for addresses: the tenant's name in plain letters, and a random piece to be unique."""
    words = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")[:40].strip("-")
    piece = unique.hex[:8]
    return f"{words}-{piece}" if words else piece
