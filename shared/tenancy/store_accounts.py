"""The rows behind an account's end: activation, the seat it gives back, and who is left to run the tenant."""

import datetime as dt
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import tenants, users
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
        email_key=None,  # an invitation that is taken back, or erased, is open no more
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
    _users.entra_object_id.is_not(None),  # an account nobody has taken over yet is nobody
)
_GIVE_SEAT_BACK: Final = (
    tenants.update()
    .where(tenants.c.id == bindparam("tenant"), tenants.c.seats_used > 0)
    .values(seats_used=tenants.c.seats_used - 1, updated_at=bindparam("now"))
)


def set_active(tx: sa.Connection, tenant_id: int, user_id: int, *, active: bool, now: dt.datetime) -> bool:
    """False when it was so already; of two at once, one gets True."""
    values = {"tenant": tenant_id, "user": user_id, "to_active": active, "now": now}
    return tx.execute(_SET_ACTIVE, values).rowcount == 1


def other_super_admins(tx: sa.Connection, tenant_id: int, user_id: int) -> int:
    """How many enabled super admins there are beside a user; the tenant's row must be held for it to stay so."""
    return int(tx.execute(_OTHER_SUPER_ADMINS, {"tenant": tenant_id, "user": user_id}).scalar_one())


def give_seat_back(tx: sa.Connection, tenant_id: int, *, now: dt.datetime) -> None:
    tx.execute(_GIVE_SEAT_BACK, {"tenant": tenant_id, "now": now})
