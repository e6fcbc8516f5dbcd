"""The rows of invitations: accounts that a person claims at their first sign-in, until the invitation expires."""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import users
from shared.tenancy.model import AuthProvider, Role


LIFETIME: Final = dt.timedelta(days=14)
_users = users.c
_OF_TENANT: Final = _users.tenant_id == bindparam("tenant", type_=sa.BigInteger)
_UNCLAIMED: Final = (
    _users.entra_object_id.is_(None),
    _users.auth_provider == AuthProvider.MANUAL.value,
    _users.merged_into.is_(None),
    _users.erased_at.is_(None),
)
# The previous version inserted rows without an end during a deployment.
_NO_END_YET: Final = _users.invitation_ends_at.is_(None)
_BEGAN: Final = bindparam("began", type_=_users.created_at.type)
_NOW: Final = bindparam("now", type_=_users.invitation_ends_at.type)
_OPEN: Final = (
    *_UNCLAIMED,
    _users.is_active,
    sa.or_(_users.invitation_ends_at > _NOW, sa.and_(_NO_END_YET, _users.created_at > _BEGAN)),
)
_EXPIRED: Final = (
    *_UNCLAIMED,
    _users.is_active,
    sa.or_(_users.invitation_ends_at <= _NOW, sa.and_(_NO_END_YET, _users.created_at <= _BEGAN)),
)
_CLOSED: Final = {"email_key": None, "invitation_ends_at": None, "invited_object_id": None}
_GUEST: Final = bindparam("guest", type_=sa.Integer)
_CLAIM: Final = (
    users.update()
    .where(_OF_TENANT, *_OPEN)
    .values(
        **_CLOSED,
        entra_object_id=bindparam("oid", type_=sa.Uuid),
        email=bindparam("email", type_=_users.email.type),
        # the address stands in for a name that nobody gave
        display_name=sa.case(
            (_users.display_name == _users.email, bindparam("name", type_=_users.display_name.type)),
            else_=_users.display_name,
        ),
        updated_at=_NOW,
        version=_users.version + 1,
    )
)
_CLAIMED: Final = (_users.id, _users.role, _users.pending_role)
# The previous version gave the role at once.
_IS_ABOVE_USER: Final = sa.or_(_users.pending_role.is_not(None), _users.role != Role.USER.value)
_INVITED_ROLE: Final = sa.case((_users.pending_role.is_not(None), _users.pending_role), else_=_users.role)
_WAITING_ROLE: Final = sa.case((_IS_ABOVE_USER, _INVITED_ROLE), else_=None)
_OF_OBJECT_ID: Final = (_users.invited_object_id == bindparam("oid", type_=sa.Uuid),)
_OF_ADDRESS: Final = (
    _users.invited_object_id.is_(None),
    _users.email_key == bindparam("address", type_=_users.email_key.type),
    sa.or_(_GUEST != 1, ~_IS_ABOVE_USER),
)
_FIND: Final = (
    sa.select(_users.id).where(_OF_TENANT, *_OPEN, sa.or_(sa.and_(*_OF_OBJECT_ID), sa.and_(*_OF_ADDRESS))).limit(1)
)
# An object id identifies the person, so the role applies at once; a guest's waits for a super admin.
_CLAIM_BY_OBJECT_ID: Final = (
    _CLAIM.where(*_OF_OBJECT_ID)
    .values(
        role=sa.case((_GUEST == 1, Role.USER.value), else_=_INVITED_ROLE),
        pending_role=sa.case((_GUEST == 1, _WAITING_ROLE), else_=None),
    )
    .returning(*_CLAIMED)
)
# An address may belong to another person by now: a role above user waits for a super admin, and guests cannot claim it.
_CLAIM_BY_ADDRESS: Final = (
    _CLAIM.where(*_OF_ADDRESS).values(role=Role.USER.value, pending_role=_WAITING_ROLE).returning(*_CLAIMED)
)
_THIS: Final = (_OF_TENANT, _users.id == bindparam("user", type_=sa.BigInteger))
_END: Final = (
    users.update()
    .where(*_THIS, *_UNCLAIMED, _users.is_active)
    .values(**_CLOSED, is_active=False, version=_users.version + 1, updated_at=_NOW)
)
_FIND_EXPIRED: Final = sa.select(_users.id).where(_OF_TENANT, *_EXPIRED).order_by(_users.id)
_TENANTS: Final = sa.select(_users.tenant_id).where(*_EXPIRED).distinct().order_by(_users.tenant_id)
_REOPEN: Final = (
    users.update()
    .where(*_THIS, *_UNCLAIMED)
    .values(
        email_key=bindparam("address", type_=_users.email_key.type),
        invitation_ends_at=bindparam("until", type_=_users.invitation_ends_at.type),
    )
)
_OFFER_ROLE: Final = (
    users.update()
    .where(*_THIS)
    .values(
        role=Role.USER.value,
        pending_role=bindparam("to_role", type_=_users.pending_role.type),
        version=_users.version + 1,
        updated_at=_NOW,
    )
)
_MERGE: Final = (
    users.update()
    .where(*_THIS, *_UNCLAIMED)
    .values(
        **_CLOSED,
        merged_into=bindparam("person", type_=sa.BigInteger),
        pending_role=None,
        role=Role.USER.value,
        is_active=False,
        version=_users.version + 1,
        updated_at=_NOW,
    )
)
_MERGED: Final = (
    sa.select(_users.id)
    .where(
        _OF_TENANT,
        _users.merged_into == bindparam("person", type_=sa.BigInteger),
        _users.merged_into.is_not(None),  # the predicate of the index; a parameter does not imply it
    )
    .order_by(_users.id)
)


@dataclass(frozen=True, slots=True)
class Invitee:
    """A person without an account; `address` is an `address_key`."""

    oid: uuid.UUID
    address: str | None
    is_guest: bool


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claimed invitation; `pending_role` waits for a super admin."""

    user_id: int
    role: Role
    pending_role: Role | None


def has_open(tx: sa.Connection, tenant_id: int, invitee: Invitee, *, now: dt.datetime) -> bool:
    """Whether there is an open invitation that `claim` would claim."""
    return tx.execute(_FIND, {"tenant": tenant_id, **_parameters(invitee), **_at(now)}).first() is not None


def claim(
    tx: sa.Connection, tenant_id: int, invitee: Invitee, *, email: str, name: str, now: dt.datetime
) -> Claimed | None:
    """Claims the open invitation for an object id, or else for an address; None when there is none.

    Of two concurrent claims one succeeds.
    """
    values = {"tenant": tenant_id, **_parameters(invitee), "email": email, "name": name, **_at(now)}
    row = tx.execute(_CLAIM_BY_OBJECT_ID, values).first()
    if row is None and invitee.address is not None:
        row = tx.execute(_CLAIM_BY_ADDRESS, values).first()
    if row is None:
        return None
    return Claimed(row.id, Role(row.role), None if row.pending_role is None else Role(row.pending_role))


def end(tx: sa.Connection, tenant_id: int, user_id: int, *, now: dt.datetime) -> bool:
    """Closes an open invitation; False when it is claimed or closed already."""
    return tx.execute(_END, {"tenant": tenant_id, "user": user_id, "now": now}).rowcount == 1


def find_expired(tx: sa.Connection, tenant_id: int, *, now: dt.datetime) -> Sequence[int]:
    """The row ids of a tenant's expired invitations."""
    return tx.scalars(_FIND_EXPIRED, {"tenant": tenant_id, **_at(now)}).all()


def tenants_with_expired(tx: sa.Connection, *, now: dt.datetime) -> Sequence[int]:
    return tx.scalars(_TENANTS, _at(now)).all()


def reopen(tx: sa.Connection, tenant_id: int, user_id: int, *, address: str, now: dt.datetime) -> None:
    """Opens an unclaimed invitation again; the unique key refuses two open invitations to one address."""
    values = {"tenant": tenant_id, "user": user_id, "address": address, "until": now + LIFETIME}
    tx.execute(_REOPEN, values)


def offer_role(tx: sa.Connection, tenant_id: int, user_id: int, *, role: Role, now: dt.datetime) -> None:
    """Changes the role of an open invitation; it applies after the claim."""
    to_role = None if role is Role.USER else role.value
    tx.execute(_OFFER_ROLE, {"tenant": tenant_id, "user": user_id, "to_role": to_role, "now": now})


def merge(tx: sa.Connection, tenant_id: int, user_id: int, *, into: int, now: dt.datetime) -> bool:
    """Merges an unclaimed invitation into a person's account; False when it is claimed."""
    return tx.execute(_MERGE, {"tenant": tenant_id, "user": user_id, "person": into, "now": now}).rowcount == 1


def merged_into(tx: sa.Connection, tenant_id: int, user_id: int) -> Sequence[int]:
    """The row ids of the invitations that were merged into a person."""
    return tx.scalars(_MERGED, {"tenant": tenant_id, "person": user_id}).all()


def _parameters(invitee: Invitee) -> dict[str, Any]:
    return {"oid": invitee.oid, "address": invitee.address, "guest": int(invitee.is_guest)}


def _at(now: dt.datetime) -> dict[str, Any]:
    return {"now": now, "began": now - LIFETIME}
