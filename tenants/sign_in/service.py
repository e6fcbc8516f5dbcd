"""Registers directories, adds their people at the first sign-in, and records each sign-in."""

import datetime as dt
import uuid
from dataclasses import dataclass, replace

import sqlalchemy as sa

from shared import audit, notices
from shared.audit import Action
from shared.auth.tokens import Principal
from shared.calendar import Month
from shared.errors import Conflict, Forbidden
from shared.notices import NoticeKind
from shared.settings import Settings
from shared.tenancy import organization_store
from shared.tenancy.model import Caller, Role, Tenant, User
from shared.tenancy.rules import (
    Refusal,
    require_tracking,
    seat_cap,
    seat_limit_error,
    tracking_refusal,
    user_deactivated,
)
from shared.tenancy.store import find_caller, find_tenant, record_sign_in
from shared.work import ANONYMOUS, Actor, NewId, Work
from tenants import account_store as store
from tenants import new_rows as rows
from tenants import slug_store
from tenants.invitations import store as invitations_store
from tenants.invitations.service import end_expired
from tenants.invitations.store import Invitee
from tenants.new_rows import NewTenant


@dataclass(frozen=True, slots=True)
class FirstSignIn:
    """The expected result of a person's first sign-in; with a `refusal` no time could be tracked after it."""

    has_invitation: bool
    refusal: Refusal | None


def start_tenant(
    tx: sa.Connection, principal: Principal, new: NewTenant, *, settings: Settings, now: dt.datetime, new_id: NewId
) -> Caller:
    """Registers a directory, on a trial or the internal plan, and makes the person its super admin.

    Raises:
        Forbidden: the person is a guest in the directory.
        Conflict: the directory is registered; it gets one trial, ever.
    """
    if principal.is_guest:
        raise guest_cannot_register()
    trial_days = None if principal.tid in settings.internal_tenant_ids else settings.trial_days
    tenant = rows.build_tenant(principal, new, trial_days=trial_days, now=now, new_id=new_id)
    tenant_id = store.add_tenant(tx, tenant)
    if tenant_id is None:
        raise Conflict(
            "Your organization is registered already. Sign in to TimeTracker.", code="tenant_already_registered"
        )
    slug_store.add(tx, tenant_id, tenant.slug, now=now)
    organization_store.add(tx, tenant_id, name=new.organization, public_id=new_id(), now=now)
    user_id = store.add_user(tx, tenant_id, rows.build_user(principal, Role.SUPER_ADMIN, now=now, new_id=new_id))
    assert user_id is not None, "a new tenant has no users"  # noqa: S101 - an invariant of ours
    caller = _find(tx, principal)
    work = _work(tx, caller.tenant, user_id, now=now, new_id=new_id)
    after = {"plan": tenant.plan, "timeZone": new.time_zone, "trialEndsAt": tenant.trial_ends_at}
    audit.record(work, Action.TENANT_CREATED, subject=user_id, after=after)
    return _record_sign_in(work, caller.user, principal)


def guest_cannot_register() -> Forbidden:
    return Forbidden(
        "You are a guest in this directory. Ask one of its members to register it.", code="guest_cannot_register"
    )


def preview_first_sign_in(
    tx: sa.Connection, tenant: Tenant, principal: Principal, *, settings: Settings, now: dt.datetime
) -> FirstSignIn:
    """The result that a first sign-in would have now, as in `_join`; changes nothing."""
    has_invitation = invitations_store.has_open(tx, tenant.id, _invitee(principal), now=now)
    refusal = tracking_refusal(tenant, now)
    cap = seat_cap(tenant, settings.trial_user_limit)
    if has_invitation or refusal is not None or cap is None or tenant.seats_used < cap:
        return FirstSignIn(has_invitation, refusal)
    if tenant.seats_used - len(invitations_store.find_expired(tx, tenant.id, now=now)) < cap:
        return FirstSignIn(has_invitation, None)
    full = seat_limit_error(tenant, cap)
    return FirstSignIn(has_invitation, Refusal(full.code, full.detail))


def sign_in(
    tx: sa.Connection, principal: Principal, *, settings: Settings, now: dt.datetime, new_id: NewId
) -> Caller | None:
    """Finds or adds the person's account and records the sign-in; None when the directory is not registered.

    Raises:
        Forbidden: the account is deactivated, or no seat is free for a new one.
        PaymentRequired: the plan allows no new people now.
    """
    caller = find_caller(tx, tid=principal.tid, oid=principal.oid, lock=True)
    tenant = find_tenant(tx, tid=principal.tid, lock=True) if caller is None else caller.tenant
    if tenant is None:
        return None
    work = _work(tx, tenant, None, now=now, new_id=new_id)
    # The tenant is locked while somebody joins. Another request of this person may have come first.
    if caller is None and find_caller(tx, tid=principal.tid, oid=principal.oid, lock=True) is None:
        _join(work, principal, settings)
    caller = _find(tx, principal)
    if not caller.user.is_active:
        raise user_deactivated()
    by_person = replace(work, tenant=caller.tenant, actor=Actor.user(caller.user.id))
    return _record_sign_in(by_person, caller.user, principal)


def admit_buyer(work: Work, principal: Principal, *, settings: Settings) -> Caller | None:
    """The account of a buyer, added as a user if a seat is free; None if there is none. Lock the tenant first.

    A purchase gives no role.

    Raises:
        Forbidden: the account is deactivated, which a purchase does not change.
    """
    caller = find_caller(work.tx, tid=principal.tid, oid=principal.oid, lock=True)
    if caller is None and not _claim_invitation(work, principal):
        cap = seat_cap(work.tenant, settings.trial_user_limit)
        is_full = cap is not None and work.tenant.seats_used >= cap
        if is_full or tracking_refusal(work.tenant, work.now) is not None:
            return None
        _add(work, principal, cap)
    caller = caller or _find(work.tx, principal)
    if not caller.user.is_active:
        raise user_deactivated()
    return caller


def record_refusal(tx: sa.Connection, principal: Principal, code: str, *, now: dt.datetime, new_id: NewId) -> None:
    """Records a refused sign-in, in a transaction of its own, if the directory is registered."""
    tenant = find_tenant(tx, tid=principal.tid)
    if tenant is None:
        return
    caller = find_caller(tx, tid=principal.tid, oid=principal.oid, lock=False)
    user_id = None if caller is None else caller.user.id
    work = _work(tx, tenant, user_id, now=now, new_id=new_id)
    audit.record(work, Action.SIGN_IN_REFUSED, subject=user_id, after={"code": code})


def rename_me(work: Work, user: User, name: str) -> Caller:
    """Changes the user's display name."""
    if name != user.display_name:
        store.rename(work.tx, work.tenant.id, user.id, name=name, now=work.now)
        audit.record(work, Action.USER_RENAMED, subject=user.id)
    return Caller(work.tenant, replace(user, display_name=name))


def _work(tx: sa.Connection, tenant: Tenant, user_id: int | None, *, now: dt.datetime, new_id: NewId) -> Work:
    """The Work once the tenant is known, by a user or by somebody without an account."""
    return Work(tx, tenant, ANONYMOUS if user_id is None else Actor.user(user_id), now, new_id)


def _join(work: Work, principal: Principal, settings: Settings) -> None:
    """Adds the person's account. Lock the tenant first.

    Raises:
        PaymentRequired, Forbidden: as `sign_in`.
    """
    if _claim_invitation(work, principal):
        return
    require_tracking(work.tenant, work.now)  # an account that cannot track time is of no use
    cap = seat_cap(work.tenant, settings.trial_user_limit)
    end_expired(work)  # may free a seat before the job does
    if not _add(work, principal, cap):
        raise seat_limit_error(work.tenant, cap)


def _claim_invitation(work: Work, principal: Principal) -> bool:
    """Whether the person has claimed an open invitation. A role above user waits, unless it names their object id."""
    claimed = invitations_store.claim(
        work.tx,
        work.tenant.id,
        _invitee(principal),
        email=rows.email(principal),
        name=rows.display_name(principal),
        now=work.now,
    )
    if claimed is None:
        return False
    by_person = replace(work, actor=Actor.user(claimed.user_id))
    after = {"role": claimed.role, "pendingRole": claimed.pending_role}
    audit.record(by_person, Action.USER_BOUND, subject=claimed.user_id, after=after)
    kind = NoticeKind.SUPER_ADMIN_ADDED if claimed.role is Role.SUPER_ADMIN else None
    if claimed.pending_role is not None:
        kind = NoticeKind.ROLE_WAITING
    if kind is not None:
        notices.record(by_person, kind, about=claimed.user_id, details={"to": claimed.pending_role or claimed.role})
    return True


def _invitee(principal: Principal) -> Invitee:
    address = None if principal.username is None else rows.address_key(principal.username)
    return Invitee(uuid.UUID(principal.oid), address, is_guest=principal.is_guest is True)


def _add(work: Work, principal: Principal, cap: int | None) -> bool:
    """Adds the person's account and takes a seat; False if none is free, and the transaction must be rolled back."""
    user = rows.build_user(principal, Role.USER, now=work.now, new_id=work.new_id)
    user_id = store.add_user(work.tx, work.tenant.id, user)
    assert user_id is not None, "the tenant is locked, so nobody else added the account"  # noqa: S101 - ours
    if not store.take_seat(work.tx, work.tenant.id, cap=cap, now=work.now):
        return False
    by_person = replace(work, actor=Actor.user(user_id))
    audit.record(by_person, Action.USER_JOINED, subject=user_id, after={"role": user.role})
    return True


def _record_sign_in(work: Work, user: User, principal: Principal) -> Caller:
    user = _with_address(work, user, principal)
    name = rows.directory_name(principal)
    store.update_sign_in(work.tx, work.tenant.id, user.id, directory_name=name, now=work.now)
    record_sign_in(work.tx, work.tenant, user.id, month=Month.of(work.now, work.tenant.zone), at=work.now)
    return Caller(work.tenant, user)


def _with_address(work: Work, user: User, principal: Principal) -> User:
    """The user with the directory's current address; a token without an address changes nothing."""
    address = rows.address(principal)
    if address is None or address == user.email:
        return user
    store.set_address(work.tx, work.tenant.id, user.id, address=address, now=work.now)
    audit.record(work, Action.USER_ADDRESS_CHANGED, subject=user.id)
    return replace(user, email=address)


def _find(tx: sa.Connection, principal: Principal) -> Caller:
    caller = find_caller(tx, tid=principal.tid, oid=principal.oid, lock=True)
    assert caller is not None, "this transaction has found or added the account"  # noqa: S101 - ours
    return caller
