"""Invites people; each row has its own result."""

import uuid
from collections.abc import Container, Sequence
from dataclasses import dataclass

from shared import audit
from shared.audit import Action
from shared.errors import ApiError, Conflict
from shared.tenancy.model import Role, User
from shared.tenancy.rules import require_tracking, seat_cap, seat_limit_error
from shared.text import shortened
from shared.work import Work
from tenants import account_store as store
from tenants import seat_store
from tenants.invitations.service import end_expired
from tenants.invitations.store import LIFETIME
from tenants.new_rows import address_key
from tenants.people import store as people_store
from tenants.people.service import role_grant_forbidden
from tenants.people.store import Account, InvitationRow


@dataclass(frozen=True, slots=True)
class NewPerson:
    """`object_id` is the person's in the directory; without it the address identifies them."""

    email: str
    display_name: str | None
    role: Role
    object_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class AddResult:
    """The result of one row: an account, or the refusal."""

    email: str
    account: Account | None = None
    refusal: ApiError | None = None


def add(work: Work, user: User, people: Sequence[NewPerson], *, trial_user_limit: int) -> list[AddResult]:
    """Invites people; each claims the account at their first sign-in within 14 days. Lock the tenant first.

    A role above user then waits for a super admin, unless the object id identifies the person.

    Raises:
        PaymentRequired: the plan allows no new people now.
    """
    require_tracking(work.tenant, work.now)
    cap = seat_cap(work.tenant, trial_user_limit)
    end_expired(work)
    members = {address_key(each) for each in people_store.member_addresses(work.tx, work.tenant.id)} - {None}
    return [_add(work, user, person, members=members, cap=cap) for person in people]


def _add(work: Work, user: User, person: NewPerson, *, members: Container[str | None], cap: int | None) -> AddResult:
    tx, tenant_id = work.tx, work.tenant.id
    if person.role is not Role.USER and user.role is not Role.SUPER_ADMIN:
        return AddResult(person.email, refusal=role_grant_forbidden())
    if person.object_id is not None and people_store.has_object_id(tx, tenant_id, person.object_id):
        return AddResult(person.email, refusal=_object_id_taken())
    if person.object_id is None and address_key(person.email) in members:
        return AddResult(person.email, refusal=_address_of_member())
    invitation = _build_invitation(work, user, person)
    if not store.take_seat(tx, tenant_id, cap=cap, now=work.now):
        return AddResult(person.email, refusal=seat_limit_error(work.tenant, cap))
    user_id = people_store.add_invitation(tx, tenant_id, invitation)
    if user_id is None:
        seat_store.give_seat_back(tx, tenant_id, now=work.now)
        return AddResult(person.email, refusal=_address_invited())
    audit.record(work, Action.USER_ADDED, subject=user_id, after={"pendingRole": invitation.pending_role})
    return AddResult(person.email, people_store.find(tx, tenant_id, invitation.public_id))


def _address_invited() -> Conflict:
    return Conflict("An invitation to this address is open already.", code="email_taken")


def _address_of_member() -> Conflict:
    return Conflict(
        "A member signs in with this address already. If the address belonged to a former member, deactivate their "
        "account first, or invite the new person with their directory object id.",
        code="email_taken",
    )


def _object_id_taken() -> Conflict:
    return Conflict(
        "The person with this directory object id is a member or is invited already.", code="object_id_taken"
    )


def _build_invitation(work: Work, user: User, person: NewPerson) -> InvitationRow:
    return InvitationRow(
        public_id=work.new_id(),
        email=person.email,
        email_key=address_key(person.email),
        display_name=shortened(person.display_name or person.email, 200),
        pending_role=None if person.role is Role.USER else person.role,
        invited_by=user.id,
        invitation_ends_at=work.now + LIFETIME,
        invited_object_id=person.object_id,
        created_at=work.now,
    )
