"""Renames people, changes and confirms roles, deactivates and reactivates accounts. Lock the tenant first."""

import uuid
from dataclasses import dataclass

import sqlalchemy as sa

from shared import audit, notices
from shared.audit import Action
from shared.db.engine import is_unique_violation
from shared.errors import Conflict, Forbidden, PreconditionFailed
from shared.notices import NoticeKind
from shared.tenancy import people
from shared.tenancy.model import Role, User
from shared.tenancy.rules import require_tracking, seat_cap, seat_limit_error
from shared.work import Work
from tenants import account_store as store
from tenants import seat_store
from tenants.invitations import store as invitations_store
from tenants.invitations.service import end_expired
from tenants.new_rows import address_key
from tenants.people import store as people_store
from tenants.people.rules import RANK, may_manage
from tenants.people.store import Account
from timers.entries import stop_if_running


@dataclass(frozen=True, slots=True)
class UserChange:
    """None means no change."""

    display_name: str | None = None
    role: Role | None = None


def change(
    work: Work, user: User, public_id: uuid.UUID, user_change: UserChange, *, versions: frozenset[int] | None
) -> Account:
    """Renames a person, changes their role, or both.

    Raises:
        NotFound: the person is not in the tenant.
        Forbidden: the person's role is above the user's, or the user may not give the role.
        Conflict: the person is the last super admin, or their role waits to be confirmed.
        PreconditionFailed: the account's version is another one.
    """
    account = _find_for_update(work, user, public_id)
    _require_version(account, versions)
    if user_change.display_name is not None and user_change.display_name != account.user.display_name:
        store.rename(work.tx, work.tenant.id, account.user.id, name=user_change.display_name, now=work.now)
        audit.record(work, Action.USER_RENAMED, subject=account.user.id)
    if user_change.role is not None:
        _change_role(work, user, account, user_change.role)
    return _read_again(work, public_id)


def _change_role(work: Work, user: User, account: Account, role: Role) -> None:
    pending = account.user.pending_role
    if role is account.user.role and pending is None:
        return
    if user.role is not Role.SUPER_ADMIN or RANK[role] > RANK[user.role]:
        raise role_grant_forbidden()
    if account.object_id is None:
        if role is not pending:
            _change_offered_role(work, account, role)
        return
    if pending is not None and role is not Role.USER:  # the role was meant for an address, not for this person
        raise Conflict(
            "Somebody has claimed this invitation, and its role waits. Check who claimed it, then confirm the role, or "
            "give the role user.",
            code="role_waiting",
        )
    if account.user.role is Role.SUPER_ADMIN and account.user.is_active:
        _require_another_super_admin(work, account)
    _set_role(work, account, role)


def _change_offered_role(work: Work, account: Account, role: Role) -> None:
    invitations_store.offer_role(work.tx, work.tenant.id, account.user.id, role=role, now=work.now)
    before = {"pendingRole": account.user.pending_role}
    after = {"pendingRole": None if role is Role.USER else role}
    audit.record(work, Action.ROLE_CHANGED, subject=account.user.id, before=before, after=after)


def confirm_role(work: Work, user: User, public_id: uuid.UUID, *, versions: frozenset[int] | None) -> Account:
    """Gives a person the role of their invitation, after the user has verified the person's identity.

    Raises:
        NotFound: the person is not in the tenant.
        Conflict: the invitation is not claimed yet, or no role waits.
        PreconditionFailed: the account's version is another one.
    """
    account = _find_for_update(work, user, public_id)
    _require_version(account, versions)
    if account.object_id is None:
        raise Conflict(
            "Nobody has signed in with this invitation yet. Confirm the role after the person's first sign-in.",
            code="invitation_open",
        )
    if account.user.pending_role is None:
        raise Conflict("No role of this person waits to be confirmed.", code="no_role_waiting")
    _set_role(work, account, account.user.pending_role)
    return _read_again(work, public_id)


def _set_role(work: Work, account: Account, role: Role) -> None:
    store.set_role(work.tx, work.tenant.id, account.user.id, role=role, now=work.now)
    before = {"role": account.user.role}
    if account.user.pending_role is not None:
        before["pendingRole"] = account.user.pending_role
    audit.record(work, Action.ROLE_CHANGED, subject=account.user.id, before=before, after={"role": role})
    if account.user.is_active:
        notify_of_super_admins(work, account.user.id, account.user.role, role)


def deactivate(work: Work, user: User, public_id: uuid.UUID) -> Account:
    """Deactivates an account, stops its running timer and gives its seat back. Its history stays.

    Raises:
        NotFound, Forbidden, Conflict: as `change`.
    """
    account = _find_for_update(work, user, public_id)
    if not account.user.is_active:
        return account
    if account.user.role is Role.SUPER_ADMIN:
        _require_another_super_admin(work, account)
    tx, tenant, user_id = work.tx, work.tenant, account.user.id
    stop_if_running(work, user_id, end_inferred=True)
    if seat_store.set_active(tx, tenant.id, user_id, active=False, now=work.now):
        seat_store.give_seat_back(tx, tenant.id, now=work.now)
        before, after = {"isActive": True}, {"isActive": False}
        audit.record(work, Action.USER_DEACTIVATED, subject=user_id, before=before, after=after)
        notify_of_super_admins(work, user_id, account.user.role, None)
    return _read_again(work, public_id)


def reactivate(work: Work, user: User, public_id: uuid.UUID, *, trial_user_limit: int) -> Account:
    """Reactivates an account if a seat is free; an unclaimed invitation opens again.

    Raises:
        NotFound: the person is not in the tenant.
        Forbidden: the person's role is above the user's, or no seat is free.
        PaymentRequired: the plan allows no new people now.
        Conflict: another open invitation has the address, or the address cannot be matched.
    """
    account = _find_for_update(work, user, public_id)
    if account.user.is_active:
        return account
    tx, tenant, user_id = work.tx, work.tenant, account.user.id
    require_tracking(tenant, work.now)
    cap = seat_cap(tenant, trial_user_limit)
    # Before this account is active: without its new end it would count as expired.
    end_expired(work)
    if not store.take_seat(tx, tenant.id, cap=cap, now=work.now):
        raise seat_limit_error(tenant, cap)
    seat_store.set_active(tx, tenant.id, user_id, active=True, now=work.now)
    if account.object_id is None:
        _reopen_invitation(work, account)
    before, after = {"isActive": False}, {"isActive": True}
    audit.record(work, Action.USER_REACTIVATED, subject=user_id, before=before, after=after)
    notify_of_super_admins(work, user_id, None, account.user.role)
    return _read_again(work, public_id)


def _reopen_invitation(work: Work, account: Account) -> None:
    address = address_key(account.user.email)
    if address is None:
        raise Conflict(
            "The address has letters that invitations cannot match. Invite the person again.", code="address_not_plain"
        )
    try:
        with work.tx.begin_nested():
            invitations_store.reopen(work.tx, work.tenant.id, account.user.id, address=address, now=work.now)
    except sa.exc.IntegrityError as error:
        if not is_unique_violation(error):
            raise
        raise Conflict("An invitation to this address is open already.", code="email_taken") from error


def notify_of_super_admins(work: Work, user_id: int, before: Role | None, after: Role | None) -> None:
    """Notifies super admins if a person became one or is one no longer; None stands for a deactivated account."""
    if (before is Role.SUPER_ADMIN) == (after is Role.SUPER_ADMIN):
        return
    kind = NoticeKind.SUPER_ADMIN_ADDED if after is Role.SUPER_ADMIN else NoticeKind.SUPER_ADMIN_REMOVED
    notices.record(work, kind, about=user_id, by=work.actor.user_id)


def role_grant_forbidden() -> Forbidden:
    return Forbidden("Only a super admin can give roles. Ask a super admin.", code="role_required")


def _find_for_update(work: Work, user: User, public_id: uuid.UUID) -> Account:
    account = people_store.find(work.tx, work.tenant.id, public_id, lock=True)
    if account is None:
        raise people.not_found()
    if not may_manage(user.role, account.user.pending_role or account.user.role):
        raise Forbidden("This person's role is above yours. Ask a super admin.", code="role_required")
    return account


def _read_again(work: Work, public_id: uuid.UUID) -> Account:
    account = people_store.find(work.tx, work.tenant.id, public_id)
    assert account is not None, "this transaction has locked the row"  # noqa: S101 - an invariant of ours
    return account


def _require_another_super_admin(work: Work, account: Account) -> None:
    if seat_store.count_other_super_admins(work.tx, work.tenant.id, account.user.id) == 0:
        raise Conflict("This is the last super admin. Make somebody else a super admin first.", code="last_super_admin")


def _require_version(account: Account, versions: frozenset[int] | None) -> None:
    if versions is not None and account.version not in versions:
        raise PreconditionFailed("Somebody changed this account in the meantime. Reload it and repeat the change.")
