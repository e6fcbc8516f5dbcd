"""Inserts tenants and users, counts seats, and updates users."""

import datetime as dt
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.row_level_security import set_tenant
from shared.db.schema import tenants, users
from shared.db.statements import InsertIfAbsent
from shared.tenancy.model import AuthProvider, Role, TenantStatus
from tenants.new_rows import TenantRow, UserRow


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
_SET_ADDRESS = (
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
        email_key=None,  # only open invitations have a key; the previous version left it there
    )
)


def add_tenant(tx: sa.Connection, tenant: TenantRow) -> int | None:
    """The new tenant's row id; None when its directory has a tenant already."""
    row = _ADD_TENANT.run(
        tx,
        {
            "public_id": tenant.public_id,
            "entra_tenant_id": tenant.entra_tenant_id,
            "slug": tenant.slug,
            "name": tenant.name,
            "organization": tenant.organization,
            "admin_email": tenant.admin_email,
            "plan_kind": tenant.plan.value,
            "status": TenantStatus.ACTIVE.value,
            "time_zone": tenant.time_zone,
            "trial_started_at": None if tenant.trial_ends_at is None else tenant.created_at,
            "trial_ends_at": tenant.trial_ends_at,
            "seats_used": 1,
            "seat_limit": None,
            "has_numbered_log": False,
            "version": 1,
            "created_at": tenant.created_at,
            "updated_at": tenant.created_at,
        },
    )
    if row is None:
        return None
    set_tenant(tx, row.id)
    return int(row.id)


def add_user(tx: sa.Connection, tenant_id: int, user: UserRow) -> int | None:
    """The new user's row id; None when the person has an account already."""
    row = _ADD_USER.run(
        tx,
        {
            "tenant_id": tenant_id,
            "public_id": user.public_id,
            "entra_object_id": user.entra_object_id,
            "email": user.email,
            "display_name": user.display_name,
            "role": user.role.value,
            "auth_provider": AuthProvider.MICROSOFT.value,
            "is_active": True,
            "version": 1,
            "created_at": user.created_at,
            "updated_at": user.created_at,
        },
    )
    return None if row is None else int(row.id)


def rename(tx: sa.Connection, tenant_id: int, user_id: int, *, name: str, now: dt.datetime) -> None:
    tx.execute(_RENAME, {"tenant": tenant_id, "user": user_id, "name": name, "now": now})


def set_address(tx: sa.Connection, tenant_id: int, user_id: int, *, address: str, now: dt.datetime) -> None:
    """Stores the person's current address from the directory, to show it; nobody is looked up by it."""
    tx.execute(_SET_ADDRESS, {"tenant": tenant_id, "user": user_id, "address": address, "now": now})


def take_seat(tx: sa.Connection, tenant_id: int, *, cap: int | None, now: dt.datetime) -> bool:
    """Counts one more active account, unless that would exceed the cap; one statement, so that races are safe."""
    return tx.execute(_TAKE_SEAT, {"tenant": tenant_id, "cap": cap, "now": now}).rowcount == 1


def set_role(tx: sa.Connection, tenant_id: int, user_id: int, *, role: Role, now: dt.datetime) -> None:
    """Gives a role and clears the pending one."""
    tx.execute(_SET_ROLE, {"tenant": tenant_id, "user": user_id, "to_role": role.value, "now": now})


def update_sign_in(
    tx: sa.Connection, tenant_id: int, user_id: int, *, directory_name: str | None, now: dt.datetime
) -> None:
    values = {"tenant": tenant_id, "user": user_id, "directory_name": directory_name, "now": now}
    tx.execute(_SIGNED_IN, values)
