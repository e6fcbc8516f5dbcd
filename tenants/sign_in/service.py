"""How people come in: a directory's first person starts a trial, the others join, and each sign-in is stamped."""

import datetime as dt
import uuid
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from shared import audit, notices
from shared.audit import Action
from shared.auth.tokens import Principal
from shared.errors import Conflict, Forbidden
from shared.notices import NoticeKind
from shared.settings import Settings
from shared.tenancy import organization_store
from shared.tenancy.model import Caller, Role, Tenant
from shared.tenancy.rules import deactivated, month_key, no_seat, require_tracking, seat_cap, tracking_refusal
from shared.tenancy.store import find_caller, find_tenant, record_sign_in
from shared.work import ANONYMOUS, Actor
from tenants import account_store as store
from tenants import new_rows as rows
from tenants import slug_store
from tenants.invitations import store as invitations_store
from tenants.invitations.service import end_lapsed
from tenants.new_rows import NewId, NewTenant


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
    values = rows.of_tenant(principal, subject, trial_days=trial_days, now=now, new_id=new_id)
    tenant_id = store.add_tenant(tx, values)
    if tenant_id is None:
        raise Conflict(
            "Your organization is registered already. Sign in to TimeTracker.", code="tenant_already_registered"
        )
    slug_store.add(tx, tenant_id, values["slug"], now=now)
    organization_store.add(tx, tenant_id, name=subject.organization, public_id=new_id(), now=now)
    user_values = rows.of_user(principal, Role.SUPER_ADMIN, now=now, new_id=new_id)
    user_id = store.add_user(tx, tenant_id, user_values)
    assert user_id is not None, "a new tenant has no users"  # noqa: S101 - an invariant of ours
    after = {"plan": values["plan_kind"], "timeZone": subject.time_zone, "trialEndsAt": values["trial_ends_at"]}
    _record(tx, tenant_id, user_id, Action.TENANT_CREATED, now=now, new_id=new_id, after=after)
    return _welcome(tx, principal, now=now, new_id=new_id)


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
    return _welcome(tx, principal, now=now, new_id=new_id)


def admit_buyer(
    tx: sa.Connection, tenant: Tenant, principal: Principal, *, settings: Settings, now: dt.datetime, new_id: NewId
) -> Caller | None:
    """The account of somebody who has bought for a tenant, which is held; made as a user where the plan leaves a seat.

    None where it leaves none. To buy gives no role.

    Raises:
        Forbidden: the account is deactivated; to buy does not undo that.
    """
    caller = find_caller(tx, tid=principal.tid, oid=principal.oid, lock=True)
    if caller is None and not _take_over(tx, tenant, principal, now=now, new_id=new_id):
        cap = seat_cap(tenant, settings.trial_user_limit)
        is_full = cap is not None and tenant.seats_used >= cap
        if is_full or tracking_refusal(tenant, now) is not None:
            return None
        _add(tx, tenant, principal, Role.USER, cap=cap, now=now, new_id=new_id)
    caller = caller or _found(tx, principal)
    if not caller.user.is_active:
        raise deactivated()
    return caller


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
    if _take_over(tx, tenant, principal, now=now, new_id=new_id):
        return
    require_tracking(tenant, now)  # an account that can do nothing is no use to anybody
    cap = seat_cap(tenant, settings.trial_user_limit)
    end_lapsed(tx, tenant.id, now=now, new_id=new_id)  # a seat may be free that the job has not given back yet
    if not _add(tx, tenant, principal, Role.USER, cap=cap, now=now, new_id=new_id):
        raise no_seat(tenant, cap)


def _take_over(tx: sa.Connection, tenant: Tenant, principal: Principal, *, now: dt.datetime, new_id: NewId) -> bool:
    """Whether an invitation is the person's account now. A role above user waits, unless it was for their object id."""
    claimed = invitations_store.claim(
        tx,
        tenant.id,
        oid=uuid.UUID(principal.oid),
        address=None if principal.username is None else rows.address_key(principal.username),
        is_guest=principal.is_guest is True,
        shown=rows.email(principal),
        name=rows.display_name(principal),
        now=now,
    )
    if claimed is None:
        return False
    after = {"role": claimed.role, "pendingRole": claimed.pending_role}
    _record(tx, tenant.id, claimed.user_id, Action.USER_BOUND, now=now, new_id=new_id, after=after)
    kind = NoticeKind.SUPER_ADMIN_ADDED if claimed.role is Role.SUPER_ADMIN else None
    if claimed.pending_role is not None:
        kind = NoticeKind.ROLE_WAITING
    if kind is not None:
        details = {"to": claimed.pending_role or claimed.role}
        notices.record_row(tx, tenant.id, kind, now, row_id=new_id(), about=claimed.user_id, details=details)
    return True


def _add(
    tx: sa.Connection,
    tenant: Tenant,
    principal: Principal,
    role: Role,
    *,
    cap: int | None,
    now: dt.datetime,
    new_id: NewId,
) -> bool:
    """Makes the person's account, on a seat of its own; False when the cap leaves none, and the caller undoes it."""
    user_id = store.add_user(tx, tenant.id, rows.of_user(principal, role, now=now, new_id=new_id))
    assert user_id is not None, "the tenant is held, so nobody made the account meanwhile"  # noqa: S101 - ours
    if not store.take_seat(tx, tenant.id, cap=cap, now=now):
        return False
    _record(tx, tenant.id, user_id, Action.USER_JOINED, now=now, new_id=new_id, after={"role": role})
    return True


def _record(
    tx: sa.Connection,
    tenant_id: int,
    user_id: int | None,
    action: Action,
    *,
    now: dt.datetime,
    new_id: NewId,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """What people do to their own account: they are who did it and whom it was done to."""
    actor, row_id = ANONYMOUS if user_id is None else Actor.user(user_id), new_id()
    audit.record_row(
        tx, tenant_id, action, actor=actor, at=now, row_id=row_id, subject_user_id=user_id, before=before, after=after
    )


def _welcome(tx: sa.Connection, principal: Principal, *, now: dt.datetime, new_id: NewId) -> Caller:
    caller = _found(tx, principal)
    if not caller.user.is_active:
        raise deactivated()
    caller = _with_address(tx, caller, principal, now=now, new_id=new_id)
    name = rows.directory_name(principal)
    store.stamp_sign_in(tx, caller.tenant.id, caller.user.id, directory_name=name, now=now)
    record_sign_in(tx, caller.tenant, caller.user.id, month=month_key(now, caller.tenant), at=now)
    return caller


def _with_address(
    tx: sa.Connection, caller: Caller, principal: Principal, *, now: dt.datetime, new_id: NewId
) -> Caller:
    """The caller with the address that the directory gives them now; a token without one changes nothing."""
    address = rows.address(principal)
    if address is None or address == caller.user.email:
        return caller
    store.show_address(tx, caller.tenant.id, caller.user.id, address=address, now=now)
    _record(tx, caller.tenant.id, caller.user.id, Action.USER_ADDRESS_CHANGED, now=now, new_id=new_id)
    return replace(caller, user=replace(caller.user, email=address))


def _found(tx: sa.Connection, principal: Principal) -> Caller:
    caller = find_caller(tx, tid=principal.tid, oid=principal.oid, lock=True)
    assert caller is not None, "the account was found or made in this transaction"  # noqa: S101 - ours
    return caller
