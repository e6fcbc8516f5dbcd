"""Roles that an operator gives after checking the customer, where no super admin can act."""

import sqlalchemy as sa

from shared import audit
from shared.audit import Action
from shared.errors import Conflict, Forbidden
from shared.tenancy.model import Role
from shared.tenancy.rules import INACTIVE_AFTER
from shared.work import Work
from tenants import seat_store
from tenants.account_store import set_role
from tenants.people.service import notify_of_super_admins
from tenants.seat_store import Member


def confirm_role(work: Work, user_id: int, *, proof: str) -> None:
    """Gives a person the role of their invitation. Lock the tenant first.

    Raises:
        Conflict: no role waits, or a super admin has signed in recently and can confirm it.
        Forbidden: the account is deactivated, or nobody has signed in with it.
    """
    member = _find_member(work, user_id)
    if member.pending_role is None:
        raise Conflict("no role of this person waits to be confirmed", code="no_role_waiting")
    sign_ins = (each.last_sign_in_at for each in seat_store.find_super_admins(work.tx, work.tenant.id))
    if any(at is not None and at > work.now - INACTIVE_AFTER for at in sign_ins):
        raise Conflict(
            f"a super admin has signed in in the last {INACTIVE_AFTER.days} days and can confirm the role",
            code="super_admin_present",
        )
    _change_role(work, member, member.pending_role, Action.ROLE_CHANGED, proof)


def find_pending_role(tx: sa.Connection, tenant_id: int, user_id: int) -> Role | None:
    """The role that waits to be confirmed."""
    member = seat_store.find_member(tx, tenant_id, user_id)
    return None if member is None else member.pending_role


def hand_over(work: Work, user_id: int, *, proof: str, replaces: bool) -> None:
    """Makes a member a super admin; with `replaces` the other super admins become users. Lock the tenant first.

    Raises:
        Forbidden: the account is deactivated, or nobody has signed in with it.
    """
    member = _find_member(work, user_id)
    _change_role(work, member, Role.SUPER_ADMIN, Action.TENANT_HANDED_OVER, proof)
    others = seat_store.find_super_admins(work.tx, work.tenant.id) if replaces else ()
    for other in others:
        if other.id != member.id:
            _change_role(work, other, Role.USER, Action.ROLE_CHANGED, proof)


def _find_member(work: Work, user_id: int) -> Member:
    member = seat_store.find_member(work.tx, work.tenant.id, user_id, lock=True)
    if member is None:
        raise Forbidden("the account is deactivated, or nobody has signed in with it yet", code="user_deactivated")
    return member


def _change_role(work: Work, member: Member, role: Role, action: Action, proof: str) -> None:
    set_role(work.tx, work.tenant.id, member.id, role=role, now=work.now)
    before = {"role": member.role, "pendingRole": member.pending_role}
    audit.record(work, action, subject=member.id, before=before, after={"role": role, "proof": proof})
    notify_of_super_admins(work, member.id, member.role, role)
