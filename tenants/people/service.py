"""What admins do with accounts, the tenant being held: rename, change roles, deactivate and reactivate."""

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from shared import audit, notices
from shared.audit import Action
from shared.db.engine import is_unique_violation
from shared.errors import Conflict, Forbidden, NotFound, PreconditionFailed
from shared.notices import NoticeKind
from shared.tenancy.model import Caller, Role
from shared.tenancy.rules import no_seat, require_tracking, seat_cap
from shared.work import Actor
from tenants import account_store as store
from tenants import seat_store
from tenants.invitations import store as invitations_store
from tenants.invitations.service import end_lapsed
from tenants.new_rows import address_key
from tenants.people import store as people_store
from tenants.people.rules import RANK, may_manage
from tenants.people.store import Account
from timers.entries import stop_if_running


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
        Conflict: it would leave the tenant without a super admin, or a role of theirs waits to be confirmed.
        PreconditionFailed: the account is of none of these versions.
    """
    account = _target(tx, caller, public_id)
    _require_version(account, versions)
    if subject.display_name is not None and subject.display_name != account.user.display_name:
        store.rename(tx, caller.tenant.id, account.user.id, name=subject.display_name, now=now)
        _record(tx, caller, Action.USER_RENAMED, account, now=now, new_id=new_id)
    if subject.role is not None:
        _change_role(tx, caller, account, subject.role, now=now, new_id=new_id)
    return _again(tx, caller, public_id)


def _change_role(
    tx: sa.Connection, caller: Caller, account: Account, role: Role, *, now: dt.datetime, new_id: NewId
) -> None:
    pending = account.user.pending_role
    if role is account.user.role and pending is None:
        return
    if caller.user.role is not Role.SUPER_ADMIN or RANK[role] > RANK[caller.user.role]:
        raise only_super_admins_grant()
    if account.object_id is None:
        if role is pending:
            return
        invitations_store.offer_role(tx, caller.tenant.id, account.user.id, role=role, now=now)
        before, after = {"pendingRole": pending}, {"pendingRole": None if role is Role.USER else role}
        _record(tx, caller, Action.ROLE_CHANGED, account, now=now, new_id=new_id, before=before, after=after)
        return
    if pending is not None and role is not Role.USER:  # whoever meant the invitation did not know who claims it
        raise Conflict(
            "Somebody has claimed this invitation, and its role waits. Check who came, then confirm the role, or give "
            "the role user.",
            code="role_waiting",
        )
    if account.user.role is Role.SUPER_ADMIN and account.user.is_active:
        _require_another_super_admin(tx, caller, account)
    _put_in_force(tx, caller, account, role, now=now, new_id=new_id)


def confirm_role(
    tx: sa.Connection,
    caller: Caller,
    public_id: uuid.UUID,
    *,
    versions: frozenset[int] | None,
    now: dt.datetime,
    new_id: NewId,
) -> Account:
    """Puts in force the role with which a person was invited, whom the caller has recognized.

    Raises:
        NotFound: there is no such person in the caller's tenant.
        Conflict: nobody has claimed the invitation yet, or no role waits.
        PreconditionFailed: the account is of none of these versions.
    """
    account = _target(tx, caller, public_id)
    _require_version(account, versions)
    if account.object_id is None:
        raise Conflict(
            "Nobody has signed in with this invitation yet. Confirm the role when the person has come.",
            code="invitation_open",
        )
    if account.user.pending_role is None:
        raise Conflict("No role of this person waits to be confirmed.", code="no_role_waiting")
    _put_in_force(tx, caller, account, account.user.pending_role, now=now, new_id=new_id)
    return _again(tx, caller, public_id)


def _put_in_force(
    tx: sa.Connection, caller: Caller, account: Account, role: Role, *, now: dt.datetime, new_id: NewId
) -> None:
    store.set_role(tx, caller.tenant.id, account.user.id, role=role, now=now)
    before = {"role": account.user.role, "pendingRole": account.user.pending_role}
    if account.user.pending_role is None:
        del before["pendingRole"]
    _record(tx, caller, Action.ROLE_CHANGED, account, now=now, new_id=new_id, before=before, after={"role": role})
    if account.user.is_active:
        _notify(tx, caller, account, (account.user.role, role), now=now, new_id=new_id)


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
    stop_if_running(tx, tenant, user_id, actor_id=caller.user.id, now=now, end_inferred=True)
    if seat_store.set_active(tx, tenant.id, user_id, active=False, now=now):
        seat_store.give_seat_back(tx, tenant.id, now=now)
        before, after = {"isActive": True}, {"isActive": False}
        _record(tx, caller, Action.USER_DEACTIVATED, account, now=now, new_id=new_id, before=before, after=after)
        _notify(tx, caller, account, (account.user.role, None), now=now, new_id=new_id)
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
    """Opens a closed account again, if a seat is free; one that nobody claimed is an open invitation once more.

    Raises:
        NotFound: there is no such person in the caller's tenant.
        Forbidden: the person stands above the caller, or no seat is free.
        PaymentRequired: the plan does not admit anybody now.
        Conflict: the address of the invitation is another one's by now, or none that can be matched.
    """
    account = _target(tx, caller, public_id)
    if account.user.is_active:
        return account
    tenant = caller.tenant
    require_tracking(tenant, now)
    cap = seat_cap(tenant, trial_user_limit)
    # before this account is active: until it has its new end it would be taken for one that has lapsed
    end_lapsed(tx, tenant.id, now=now, new_id=new_id)
    if not store.take_seat(tx, tenant.id, cap=cap, now=now):
        raise no_seat(tenant, cap)
    seat_store.set_active(tx, tenant.id, account.user.id, active=True, now=now)
    if account.object_id is None:
        _invite_again(tx, caller, account, now=now)
    closed, active = {"isActive": False}, {"isActive": True}
    _record(tx, caller, Action.USER_REACTIVATED, account, now=now, new_id=new_id, before=closed, after=active)
    _notify(tx, caller, account, (None, account.user.role), now=now, new_id=new_id)
    return _again(tx, caller, public_id)


def _invite_again(tx: sa.Connection, caller: Caller, account: Account, *, now: dt.datetime) -> None:
    address = address_key(account.user.email)
    if address is None:
        raise Conflict("This address cannot be matched. Invite the person anew.", code="address_not_plain")
    try:
        with tx.begin_nested():
            invitations_store.open_again(tx, caller.tenant.id, account.user.id, address=address, now=now)
    except sa.exc.IntegrityError as error:
        if not is_unique_violation(error):
            raise
        raise Conflict("An invitation to this address is open already.", code="email_taken") from error


def _target(tx: sa.Connection, caller: Caller, public_id: uuid.UUID) -> Account:
    account = people_store.find(tx, caller.tenant.id, public_id, hold=True)
    if account is None:
        raise NotFound("There is no such person in your organisation.")
    if not may_manage(caller.user.role, account.user.pending_role or account.user.role):
        raise Forbidden("This person's role is above yours. Ask a super admin.", code="role_required")
    return account


def _again(tx: sa.Connection, caller: Caller, public_id: uuid.UUID) -> Account:
    account = people_store.find(tx, caller.tenant.id, public_id)
    assert account is not None, "it is held by this transaction"  # noqa: S101 - an invariant of ours
    return account


def _require_another_super_admin(tx: sa.Connection, caller: Caller, account: Account) -> None:
    if seat_store.other_super_admins(tx, caller.tenant.id, account.user.id) == 0:
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
    audit.record_row(
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
    tx: sa.Connection,
    caller: Caller,
    account: Account,
    roles: tuple[Role | None, Role | None],
    *,
    now: dt.datetime,
    new_id: NewId,
) -> None:
    """Tells the super admins of one more or one less of them; `roles` are those before and after."""
    was, becomes = (each is Role.SUPER_ADMIN for each in roles)
    if was == becomes:
        return
    kind = NoticeKind.SUPER_ADMIN_ADDED if becomes else NoticeKind.SUPER_ADMIN_REMOVED
    notices.record_row(tx, caller.tenant.id, kind, now, row_id=new_id(), about=account.user.id, by=caller.user.id)


def _require_version(account: Account, versions: frozenset[int] | None) -> None:
    if versions is not None and account.version not in versions:
        raise PreconditionFailed("Somebody changed this account in the meantime. Read it again and repeat the change.")


def only_super_admins_grant() -> Forbidden:
    return Forbidden("Only a super admin gives roles. Ask one of yours.", code="role_required")
