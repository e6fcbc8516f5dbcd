"""The rows that sign-in and the start of a tenant write: tenants, users, and the seat counter between them."""

import datetime as dt
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.row_level_security import set_tenant
from shared.db.schema import tenants, users
from shared.db.statements import InsertIfAbsent
from shared.tenancy.model import Role


_ADD_TENANT = InsertIfAbsent(
    tenants,
    key=("entra_tenant_id",),
    columns=(
        "public_id",
        "entra_tenant_id",
        "slug",
        "name",
        "organization",
        "admin_email",
        "plan_kind",
        "status",
        "time_zone",
        "trial_started_at",
        "trial_ends_at",
        "seats_used",
        "seat_limit",
        "has_numbered_log",
        "version",
        "created_at",
        "updated_at",
    ),
    returning=("id",),
)
_ADD_USER = InsertIfAbsent(
    users,
    key=("tenant_id", "entra_object_id"),
    index_where=users.c.entra_object_id.is_not(None),
    columns=(
        "tenant_id",
        "public_id",
        "entra_object_id",
        "email",
        "display_name",
        "role",
        "auth_provider",
        "is_active",
        "version",
        "created_at",
        "updated_at",
    ),
    returning=("id",),
)
_users = users.c
_OF_TENANT: Final = _users.tenant_id == bindparam("tenant")
_TAKE_SEAT = (
    tenants.update()
    .where(
        tenants.c.id == bindparam("tenant"),
        sa.or_(bindparam("cap", type_=sa.Integer).is_(None), tenants.c.seats_used < bindparam("cap", type_=sa.Integer)),
    )
    .values(seats_used=tenants.c.seats_used + 1, updated_at=bindparam("now"))
)
_RENAME = (
    users.update()
    .where(_OF_TENANT, _users.id == bindparam("user"))
    .values(display_name=bindparam("name"), version=_users.version + 1, updated_at=bindparam("now"))
)
_SET_ROLE = (
    users.update()
    .where(_OF_TENANT, _users.id == bindparam("user"))
    .values(role=bindparam("to_role"), pending_role=None, version=_users.version + 1, updated_at=bindparam("now"))
)
_SHOW_ADDRESS = (
    users.update()
    .where(_OF_TENANT, _users.id == bindparam("user"))
    .values(email=bindparam("address"), version=_users.version + 1, updated_at=bindparam("now"))
)
_SIGNED_IN = (
    users.update()
    .where(_OF_TENANT, _users.id == bindparam("user"))
    .values(
        first_sign_in_at=sa.func.coalesce(_users.first_sign_in_at, bindparam("now")),
        last_sign_in_at=bindparam("now"),
        directory_name=bindparam("directory_name", type_=_users.directory_name.type),
        email_key=None,  # the version before has left one there: it is an open invitation's alone
    )
)


def add_tenant(tx: sa.Connection, values: dict[str, Any]) -> int | None:
    """The new tenant's row number, or None when its directory has a tenant."""
    row = _ADD_TENANT.run(tx, {**values, "has_numbered_log": False})
    if row is None:
        return None
    set_tenant(tx, row.id)
    return int(row.id)


def add_user(tx: sa.Connection, tenant_id: int, values: dict[str, Any]) -> int | None:
    """The new user's row number, or None when the person has an account."""
    row = _ADD_USER.run(tx, {"tenant_id": tenant_id, **values})
    return None if row is None else int(row.id)


def rename(tx: sa.Connection, tenant_id: int, user_id: int, *, name: str, now: dt.datetime) -> None:
    tx.execute(_RENAME, {"tenant": tenant_id, "user": user_id, "name": name, "now": now})


def show_address(tx: sa.Connection, tenant_id: int, user_id: int, *, address: str, now: dt.datetime) -> None:
    """Puts down the address that the directory gives a person now; nobody is found by it."""
    tx.execute(_SHOW_ADDRESS, {"tenant": tenant_id, "user": user_id, "address": address, "now": now})


def take_seat(tx: sa.Connection, tenant_id: int, *, cap: int | None, now: dt.datetime) -> bool:
    """Counts one more enabled account, unless that would go over the cap; one statement decides any race."""
    return tx.execute(_TAKE_SEAT, {"tenant": tenant_id, "cap": cap, "now": now}).rowcount == 1


def set_role(tx: sa.Connection, tenant_id: int, user_id: int, *, role: Role, now: dt.datetime) -> None:
    """Puts a role in force; one that waited does so no more."""
    tx.execute(_SET_ROLE, {"tenant": tenant_id, "user": user_id, "to_role": role.value, "now": now})


def stamp_sign_in(
    tx: sa.Connection, tenant_id: int, user_id: int, *, directory_name: str | None, now: dt.datetime
) -> None:
    values = {"tenant": tenant_id, "user": user_id, "directory_name": directory_name, "now": now}
    tx.execute(_SIGNED_IN, values)
