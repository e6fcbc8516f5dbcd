"""Merges an unclaimed invitation into a person's account: the person gets its entries, and its seat is free."""

import uuid

from shared import audit
from shared.audit import Action
from shared.errors import Conflict, NotFound
from shared.tenancy.rules import processing_restricted
from shared.tenancy.store import lock_tenant
from shared.work import Work
from tenants.invitations import store as invitations_store
from tenants.people import store as people_store
from tenants.people.store import Account
from tenants.seat_store import give_seat_back
from timers.entries import move_entries


def merge(work: Work, invitation_id: uuid.UUID, person_id: uuid.UUID) -> Account:
    """Moves the invitation's entries to the person and returns the person's account. It cannot be undone.

    Entries are locked before the tenant, in the same order as by their corrections.

    Raises:
        NotFound: one of the two accounts is not in the tenant.
        Conflict: the invitation is claimed, or nobody has signed in with the other account.
        Forbidden: the person's data may not be processed.
    """
    tx, tenant_id = work.tx, work.tenant.id
    invitation, person = _find_both(work, invitation_id, person_id)
    moved = move_entries(work, invitation.user.id, to=person.user.id)
    lock_tenant(tx, tenant_id)
    invitation, person = _find_both(work, invitation_id, person_id, lock=True)
    if not invitations_store.merge(tx, tenant_id, invitation.user.id, into=person.user.id, now=work.now):
        raise _invitation_claimed()
    if invitation.user.is_active:
        give_seat_back(tx, tenant_id, now=work.now)
    for account in (invitation, person):
        audit.record(work, Action.USER_MERGED, subject=account.user.id, after={"entries": moved})
    return person


def _find_both(
    work: Work, invitation_id: uuid.UUID, person_id: uuid.UUID, *, lock: bool = False
) -> tuple[Account, Account]:
    invitation = people_store.find(work.tx, work.tenant.id, invitation_id, lock=lock)
    person = people_store.find(work.tx, work.tenant.id, person_id, lock=lock)
    if invitation is None:
        raise _not_found()
    if invitation.object_id is not None:
        raise _invitation_claimed()
    if person is None:
        raise _not_found()
    if person.object_id is None:
        raise Conflict(
            "Nobody has signed in with the account to merge into. Merge the invitation into the account with which "
            "its person signs in.",
            code="not_joined",
        )
    if person.user.restricted_since is not None:
        raise processing_restricted()
    return invitation, person


def _not_found() -> NotFound:
    return NotFound("There is no such person in your organization. The invitation may be merged already.")


def _invitation_claimed() -> Conflict:
    return Conflict(
        "Somebody signs in with this account. Accounts that people have signed in with cannot be merged: their records "
        "belong to the account that made them.",
        code="invitation_claimed",
    )
