"""What admins do with accounts, the tenant being held: rename, change roles, deactivate and reactivate."""

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from shared import audit, notices
from shared.audit import Action, Actor
from shared.errors import Conflict, Forbidden, NotFound, PreconditionFailed
from shared.notices import NoticeKind
from shared.tenancy import store_accounts
from shared.tenancy import store_joining as store
from shared.tenancy.model import Caller, Role
from shared.tenancy.rules import no_seat, require_tracking, seat_cap
from shared.tracking import service as tracking
from tenants import store_users
from tenants.rules import RANK, may_manage
from tenants.store_users import Account


NewId = Callable[[], uuid.UUID]


@dataclass(frozen=True, slots=True)
class Change:
    """What to change; None leaves as it is."""

    display_name: str | None = None
    role: Role | None = None


def change(
    tx: sa.Connection,
    caller: Caller,
    public_id: uuid.UUID,
    subject: Change,
    *,
    versions: frozenset[int] | None,
    now: dt.datetime,
    new_id: NewId,
) -> Account:
    """Renames a person or gives them another role.

    Raises:
        NotFound: there is no such person in the caller's tenant.
        Forbidden: the person stands above the caller, or the role may not be given by them.
        Conflict: it would leave the tenant without a super admin.
        PreconditionFailed: the account is of none of these versions.
    """
    account = _target(tx, caller, public_id)
    if versions is not None and account.version not in versions:
        raise PreconditionFailed("Somebody changed this account in the meantime. Read it again and repeat the change.")
    if subject.display_name is not None and subject.display_name != account.user.display_name:
        store.rename(tx, caller.tenant.id, account.user.id, name=subject.display_name, now=now)
        _record(tx, caller, Action.USER_RENAMED, account, now=now, new_id=new_id)
    if subject.role is not None and subject.role is not account.user.role:
        _change_role(tx, caller, account, subject.role, now=now, new_id=new_id)
    return _again(tx, caller, public_id)


def _change_role(
    tx: sa.Connection, caller: Caller, account: Account, role: Role, *, now: dt.datetime, new_id: NewId
) -> None:
    if caller.user.role is not Role.SUPER_ADMIN or RANK[role] > RANK[caller.user.role]:
        raise only_super_admins_grant()
    if account.user.role is Role.SUPER_ADMIN and account.user.is_active:
        _require_another_super_admin(tx, caller, account)
    store.set_role(tx, caller.tenant.id, account.user.id, role=role, now=now)
    before, after = {"role": account.user.role}, {"role": role}
    _record(tx, caller, Action.ROLE_CHANGED, account, now=now, new_id=new_id, before=before, after=after)
    if Role.SUPER_ADMIN in {account.user.role, role} and account.user.is_active:
        kind = NoticeKind.SUPER_ADMIN_ADDED if role is Role.SUPER_ADMIN else NoticeKind.SUPER_ADMIN_REMOVED
        _notify(tx, caller, kind, account, now=now, new_id=new_id)


def deactivate(tx: sa.Connection, caller: Caller, public_id: uuid.UUID, *, now: dt.datetime, new_id: NewId) -> Account:
    """Closes an account: its timer stops at this instant, its seat is free, its history stays.

    Raises:
        NotFound, Forbidden, Conflict: as `change`.
    """
    account = _target(tx, caller, public_id)
    if not account.user.is_active:
        return account
    if account.user.role is Role.SUPER_ADMIN:
        _require_another_super_admin(tx, caller, account)
    tenant, user_id = caller.tenant, account.user.id
    tracking.stop_if_running(tx, tenant, user_id, actor_id=caller.user.id, now=now, end_inferred=True)
    if store_accounts.set_active(tx, tenant.id, user_id, active=False, now=now):
        store_accounts.give_seat_back(tx, tenant.id, now=now)
        active, closed = {"isActive": True}, {"isActive": False}
        _record(tx, caller, Action.USER_DEACTIVATED, account, now=now, new_id=new_id, before=active, after=closed)
        if account.user.role is Role.SUPER_ADMIN:
            _notify(tx, caller, NoticeKind.SUPER_ADMIN_REMOVED, account, now=now, new_id=new_id)
    return _again(tx, caller, public_id)


def reactivate(
    tx: sa.Connection,
    caller: Caller,
    public_id: uuid.UUID,
    *,
    trial_user_limit: int,
    now: dt.datetime,
    new_id: NewId,
) -> Account:
    """Opens a closed account again, if a seat is free.

    Raises:
        NotFound: there is no such person in the caller's tenant.
        Forbidden: the person stands above the caller, or no seat is free.
        PaymentRequired: the plan does not admit anybody now.
    """
    account = _target(tx, caller, public_id)
    if account.user.is_active:
        return account
    tenant = caller.tenant
    require_tracking(tenant, now)
    cap = seat_cap(tenant, trial_user_limit)
    if not store.take_seat(tx, tenant.id, cap=cap, now=now):
        raise no_seat(tenant, cap)
    store_accounts.set_active(tx, tenant.id, account.user.id, active=True, now=now)
    closed, active = {"isActive": False}, {"isActive": True}
    _record(tx, caller, Action.USER_REACTIVATED, account, now=now, new_id=new_id, before=closed, after=active)
    if account.user.role is Role.SUPER_ADMIN:
        _notify(tx, caller, NoticeKind.SUPER_ADMIN_ADDED, account, now=now, new_id=new_id)
    return _again(tx, caller, public_id)


def _target(tx: sa.Connection, caller: Caller, public_id: uuid.UUID) -> Account:
    account = store_users.find(tx, caller.tenant.id, public_id, hold=True)
    if account is None:
        raise NotFound("There is no such person in your organisation.")
    if not may_manage(caller.user.role, account.user.role):
        raise Forbidden("This person's role is above yours. Ask a super admin.", code="role_required")
    return account


def _again(tx: sa.Connection, caller: Caller, public_id: uuid.UUID) -> Account:
    account = store_users.find(tx, caller.tenant.id, public_id)
    assert account is not None, "it is held by this transaction"  # noqa: S101 - an invariant of ours
    return account


def _require_another_super_admin(tx: sa.Connection, caller: Caller, account: Account) -> None:
    if store_accounts.other_super_admins(tx, caller.tenant.id, account.user.id) == 0:
        raise Conflict("This is the last super admin. Make somebody else a super admin first.", code="last_super_admin")


def _record(
    tx: sa.Connection,
    caller: Caller,
    action: Action,
    account: Account,
    *,
    now: dt.datetime,
    new_id: NewId,
    **fields: Any,  # noqa: ANN401 - before and after, handed on
) -> None:
    audit.record(
        tx,
        caller.tenant.id,
        action,
        actor=Actor.user(caller.user.id),
        at=now,
        row_id=new_id(),
        subject_user_id=account.user.id,
        **fields,
    )


def _notify(
    tx: sa.Connection, caller: Caller, kind: NoticeKind, account: Account, *, now: dt.datetime, new_id: NewId
) -> None:
    by = caller.user.id
    notices.record(tx, caller.tenant.id, kind, now, row_id=new_id(), about=account.user.id, by=by)


def only_super_admins_grant() -> Forbidden:
    return Forbidden("Only a super admin gives roles. Ask one of yours.", code="role_required")
