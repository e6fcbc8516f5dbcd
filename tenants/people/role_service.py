"""Roles that an operator gives, who has checked the customer: the last way where no super admin can act."""

import datetime as dt
from typing import Any

import sqlalchemy as sa

from shared import audit, notices
from shared.audit import Action
from shared.errors import Conflict, Forbidden
from shared.notices import NoticeKind
from shared.tenancy.model import Role
from shared.tenancy.rules import INACTIVE_AFTER
from shared.tenancy.store import lock_tenant
from shared.work import OPERATOR
from tenants import seat_store
from tenants.account_store import set_role
from tenants.new_rows import NewId
from tenants.seat_store import Member


def confirm_role(
    tx: sa.Connection, tenant_id: int, user_id: int, *, proof: str, now: dt.datetime, new_id: NewId
) -> None:
    """Puts in force the role with which a person was invited.

    Raises:
        Conflict: no role waits, or a super admin has signed in of late and so can confirm it.
        Forbidden: the account is closed, or nobody has signed in with it.
    """
    lock_tenant(tx, tenant_id)
    member = _require_member(tx, tenant_id, user_id)
    if member.pending_role is None:
        raise Conflict("no role of this person waits to be confirmed", code="no_role_waiting")
    seen = (each.last_sign_in_at for each in seat_store.super_admins(tx, tenant_id))
    if any(at is not None and at > now - INACTIVE_AFTER for at in seen):
        raise Conflict(
            f"a super admin has signed in in the last {INACTIVE_AFTER.days} days; they confirm roles themselves",
            code="super_admin_present",
        )
    action = Action.ROLE_CHANGED
    _change(tx, tenant_id, member, member.pending_role, action, now=now, new_id=new_id, proof=proof)


def waiting(tx: sa.Connection, tenant_id: int, user_id: int) -> Role | None:
    """The role of a person that waits to be confirmed."""
    member = seat_store.find_member(tx, tenant_id, user_id)
    return None if member is None else member.pending_role


def hand_over(
    tx: sa.Connection,
    tenant_id: int,
    user_id: int,
    *,
    proof: str,
    replaces: bool,
    now: dt.datetime,
    new_id: NewId,
) -> None:
    """Makes a member the tenant's super admin; with `replaces` the only one, and the others users.

    Raises:
        Forbidden: the account is closed, or nobody has signed in with it.
    """
    lock_tenant(tx, tenant_id)
    member = _require_member(tx, tenant_id, user_id)
    action = Action.TENANT_HANDED_OVER
    _change(tx, tenant_id, member, Role.SUPER_ADMIN, action, now=now, new_id=new_id, proof=proof)
    others = seat_store.super_admins(tx, tenant_id) if replaces else ()
    for other in others:
        if other.id != member.id:
            _change(tx, tenant_id, other, Role.USER, Action.ROLE_CHANGED, now=now, new_id=new_id, proof=proof)


def _require_member(tx: sa.Connection, tenant_id: int, user_id: int) -> Member:
    member = seat_store.find_member(tx, tenant_id, user_id, hold=True)
    if member is None:
        raise Forbidden("the account is closed, or nobody has signed in with it yet", code="user_deactivated")
    return member


def _change(
    tx: sa.Connection,
    tenant_id: int,
    member: Member,
    role: Role,
    action: Action,
    *,
    now: dt.datetime,
    new_id: NewId,
    **more: Any,  # noqa: ANN401 - of the audit log
) -> None:
    set_role(tx, tenant_id, member.id, role=role, now=now)
    audit.record_row(
        tx,
        tenant_id,
        action,
        actor=OPERATOR,
        at=now,
        row_id=new_id(),
        subject_user_id=member.id,
        before={"role": member.role, "pendingRole": member.pending_role},
        after={"role": role, **more},
    )
    if (member.role is Role.SUPER_ADMIN) == (role is Role.SUPER_ADMIN):
        return
    kind = NoticeKind.SUPER_ADMIN_ADDED if role is Role.SUPER_ADMIN else NoticeKind.SUPER_ADMIN_REMOVED
    notices.record_row(tx, tenant_id, kind, now, row_id=new_id(), about=member.id)
