"""Merges an invitation that nobody claimed into its person: its time becomes theirs, and its seat is free."""

import datetime as dt
import uuid

import sqlalchemy as sa

from shared import audit
from shared.audit import Action
from shared.errors import Conflict, NotFound
from shared.tenancy.model import Caller
from shared.tenancy.rules import restricted
from shared.tenancy.store import lock_tenant
from shared.work import Actor
from tenants.invitations import store as invitations_store
from tenants.new_rows import NewId
from tenants.people import store as people_store
from tenants.people.store import Account
from tenants.seat_store import give_seat_back
from timers.entries import move_entries


def merge(
    tx: sa.Connection,
    caller: Caller,
    invitation_id: uuid.UUID,
    person_id: uuid.UUID,
    *,
    now: dt.datetime,
    new_id: NewId,
) -> Account:
    """The person's account, to which the invitation's entries belong from now on. It is not undone.

    Entries are held before the tenant, as their corrections hold them.

    Raises:
        NotFound: one of the two is no account of the caller's tenant.
        Conflict: somebody has signed in with the invitation, or nobody with the other account.
        Forbidden: the person has had the processing of their data stopped.
    """
    tenant_id, actor = caller.tenant.id, Actor.user(caller.user.id)
    invitation, person = _both(tx, tenant_id, invitation_id, person_id)
    moved = move_entries(tx, tenant_id, invitation.user.id, to=person.user.id, actor_id=caller.user.id, now=now)
    lock_tenant(tx, tenant_id)
    invitation, person = _both(tx, tenant_id, invitation_id, person_id, hold=True)
    if not invitations_store.merge(tx, tenant_id, invitation.user.id, into=person.user.id, now=now):
        raise _claimed()
    if invitation.user.is_active:
        give_seat_back(tx, tenant_id, now=now)
    for subject in (invitation, person):
        audit.record_row(
            tx,
            tenant_id,
            Action.USER_MERGED,
            actor=actor,
            at=now,
            row_id=new_id(),
            subject_user_id=subject.user.id,
            after={"entries": moved},
        )
    return person


def _both(
    tx: sa.Connection, tenant_id: int, invitation_id: uuid.UUID, person_id: uuid.UUID, *, hold: bool = False
) -> tuple[Account, Account]:
    invitation = people_store.find(tx, tenant_id, invitation_id, hold=hold)
    person = people_store.find(tx, tenant_id, person_id, hold=hold)
    if invitation is None:
        raise _not_found()
    if invitation.object_id is not None:
        raise _claimed()
    if person is None:
        raise _not_found()
    if person.object_id is None:
        raise Conflict(
            "Nobody has signed in with the account to merge into. Merge the invitation into the account with which "
            "its person signs in.",
            code="not_joined",
        )
    if person.user.restricted_since is not None:
        raise restricted()
    return invitation, person


def _not_found() -> NotFound:
    return NotFound("There is no such person in your organization. The invitation may be merged already.")


def _claimed() -> Conflict:
    return Conflict(
        "Somebody signs in with this account. Accounts that people have signed in with stay apart: their records "
        "belong to the account that made them.",
        code="invitation_claimed",
    )
