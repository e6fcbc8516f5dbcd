"""Adds people by hand, each row on its own merits."""

import datetime as dt
import uuid
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from shared import audit
from shared.audit import Action
from shared.errors import ApiError, Conflict
from shared.tenancy.model import AuthProvider, Caller, Role
from shared.tenancy.rules import no_seat, require_tracking, seat_cap
from shared.text import shortened
from shared.work import Actor
from tenants import account_store as store
from tenants import seat_store
from tenants.invitations.service import end_lapsed
from tenants.invitations.store import LIFETIME
from tenants.new_rows import address_key
from tenants.people import store as people_store
from tenants.people.service import only_super_admins_grant
from tenants.people.store import Account


NewId = Callable[[], uuid.UUID]


@dataclass(frozen=True, slots=True)
class NewPerson:
    """`object_id` is the directory's, which says who the person is; without it the address does."""

    email: str
    display_name: str | None
    role: Role
    object_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """What became of one row: an account, or the reason why not."""

    email: str
    account: Account | None = None
    refusal: ApiError | None = None


def add(
    tx: sa.Connection,
    caller: Caller,
    people: Sequence[NewPerson],
    *,
    trial_user_limit: int,
    now: dt.datetime,
    new_id: NewId,
) -> list[Added]:
    """Invites people, each on their own merits: an account that its person claims at their first sign-in in 14 days.

    A role above user waits then until a super admin confirms it, unless the object id says who the person is. The
    tenant must be held.

    Raises:
        PaymentRequired: the plan does not admit anybody now.
    """
    tenant = caller.tenant
    require_tracking(tenant, now)
    cap = seat_cap(tenant, trial_user_limit)
    end_lapsed(tx, tenant.id, now=now, new_id=new_id)
    joined = {address_key(each) for each in people_store.signed_in(tx, tenant.id)} - {None}
    return [_add(tx, caller, person, joined=joined, cap=cap, now=now, new_id=new_id) for person in people]


def _add(
    tx: sa.Connection,
    caller: Caller,
    person: NewPerson,
    *,
    joined: Container[str | None],
    cap: int | None,
    now: dt.datetime,
    new_id: NewId,
) -> Added:
    tenant = caller.tenant
    if person.role is not Role.USER and caller.user.role is not Role.SUPER_ADMIN:
        return Added(person.email, refusal=only_super_admins_grant())
    if person.object_id is not None and people_store.has_object_id(tx, tenant.id, person.object_id):
        return Added(person.email, refusal=_known())
    if person.object_id is None and address_key(person.email) in joined:
        return Added(person.email, refusal=_joined())
    public_id = new_id()
    values = _by_hand(caller, person, public_id=public_id, now=now)
    if not store.take_seat(tx, tenant.id, cap=cap, now=now):
        return Added(person.email, refusal=no_seat(tenant, cap))
    user_id = people_store.add_by_hand(tx, tenant.id, values)
    if user_id is None:
        seat_store.give_seat_back(tx, tenant.id, now=now)
        return Added(person.email, refusal=_taken())
    audit.record_row(
        tx,
        tenant.id,
        Action.USER_ADDED,
        actor=Actor.user(caller.user.id),
        at=now,
        row_id=new_id(),
        subject_user_id=user_id,
        after={"pendingRole": None if person.role is Role.USER else person.role},
    )
    return Added(person.email, people_store.find(tx, tenant.id, public_id))


def _taken() -> Conflict:
    return Conflict("An invitation to this address is open already.", code="email_taken")


def _joined() -> Conflict:
    return Conflict(
        "Somebody signs in with this address already. If that is a leaver, deactivate their account first; or invite "
        "the newcomer with their directory object id.",
        code="email_taken",
    )


def _known() -> Conflict:
    return Conflict(
        "The person with this directory object id has joined or is invited already.", code="object_id_taken"
    )


def _by_hand(caller: Caller, person: NewPerson, *, public_id: uuid.UUID, now: dt.datetime) -> dict[str, Any]:
    return {
        "public_id": public_id,
        "email": person.email,
        "email_key": address_key(person.email),
        "display_name": shortened(person.display_name or person.email, 200),
        "role": Role.USER.value,
        "pending_role": None if person.role is Role.USER else person.role.value,
        "auth_provider": AuthProvider.MANUAL.value,
        "is_active": True,
        "invited_by": caller.user.id,
        "invitation_ends_at": now + LIFETIME,
        "invited_object_id": person.object_id,
        "version": 1,
        "created_at": now,
        "updated_at": now,
    }
