"""Activates and deactivates accounts, frees seats, and finds members and super admins."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import tenants, users
from shared.db.statements import for_update
from shared.tenancy.model import Role


_users = users.c
_OF_TENANT: Final = _users.tenant_id == bindparam("tenant")
_SET_ACTIVE: Final = (
    users.update()
    .where(
        _OF_TENANT,
        _users.id == bindparam("user"),
        _users.is_active != bindparam("to_active", type_=sa.Boolean),
    )
    .values(
        is_active=bindparam("to_active", type_=sa.Boolean),
        email_key=None,  # a withdrawn or erased invitation is closed
        invitation_ends_at=None,
        invited_object_id=None,
        version=_users.version + 1,
        updated_at=bindparam("now"),
    )
)
_OTHER_SUPER_ADMINS: Final = sa.select(sa.func.count()).where(
    _OF_TENANT,
    _users.id != bindparam("user"),
    _users.is_active,
    _users.role == Role.SUPER_ADMIN.value,
    _users.entra_object_id.is_not(None),  # not an unclaimed invitation
)
_GIVE_SEAT_BACK: Final = (
    tenants.update()
    .where(tenants.c.id == bindparam("tenant"), tenants.c.seats_used > 0)
    .values(seats_used=tenants.c.seats_used - 1, updated_at=bindparam("now"))
)
_MEMBERS: Final[sa.Select[Any]] = sa.select(
    _users.id, _users.public_id, _users.role, _users.pending_role, _users.last_sign_in_at
).where(_OF_TENANT, _users.is_active, _users.entra_object_id.is_not(None))
_MEMBER: Final = _MEMBERS.where(_users.id == bindparam("user"))
_MEMBER_FOR_UPDATE: Final = for_update(_MEMBER, users)
_SUPER_ADMINS: Final = _MEMBERS.where(_users.role == Role.SUPER_ADMIN.value).order_by(_users.id)


@dataclass(frozen=True, slots=True)
class Member:
    """A person who has signed in and whose account is active."""

    id: int
    public_id: uuid.UUID
    role: Role
    pending_role: Role | None
    last_sign_in_at: dt.datetime | None


def find_member(tx: sa.Connection, tenant_id: int, user_id: int, *, lock: bool = False) -> Member | None:
    """The person, with `lock` locked until the transaction ends; None for a closed account or an invitation."""
    row = tx.execute(_MEMBER_FOR_UPDATE if lock else _MEMBER, {"tenant": tenant_id, "user": user_id}).first()
    return None if row is None else _member(row)


def find_super_admins(tx: sa.Connection, tenant_id: int) -> list[Member]:
    return [_member(row) for row in tx.execute(_SUPER_ADMINS, {"tenant": tenant_id})]


def set_active(tx: sa.Connection, tenant_id: int, user_id: int, *, active: bool, now: dt.datetime) -> bool:
    """False when nothing changed; of two concurrent calls one gets True."""
    values = {"tenant": tenant_id, "user": user_id, "to_active": active, "now": now}
    return tx.execute(_SET_ACTIVE, values).rowcount == 1


def count_other_super_admins(tx: sa.Connection, tenant_id: int, user_id: int) -> int:
    """The number of active super admins besides a user; lock the tenant to keep it stable."""
    return int(tx.execute(_OTHER_SUPER_ADMINS, {"tenant": tenant_id, "user": user_id}).scalar_one())


def give_seat_back(tx: sa.Connection, tenant_id: int, *, now: dt.datetime) -> None:
    tx.execute(_GIVE_SEAT_BACK, {"tenant": tenant_id, "now": now})


def _member(row: sa.Row[Any]) -> Member:
    pending = None if row.pending_role is None else Role(row.pending_role)
    return Member(row.id, row.public_id, Role(row.role), pending, row.last_sign_in_at)
