"""Finds, adds and changes the Azure DevOps organizations of a tenant."""

import datetime as dt
import uuid
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import organizations, projects, running_timers, tenants, work_items
from shared.db.statements import InsertIfAbsent
from shared.tenancy.model import Organization


_rows = organizations.c
_OF_TENANT: Final = _rows.tenant_id == bindparam("tenant", type_=sa.BigInteger)
_ALL: Final[sa.Select[Any]] = (
    sa.select(_rows.id, _rows.public_id, _rows.name, _rows.is_active).where(_OF_TENANT).order_by(_rows.name_key)
)
_BY_NAME: Final = _ALL.where(_rows.name_key == bindparam("name_key", type_=sa.String))
_ADD: Final = InsertIfAbsent(
    organizations,
    key=("tenant_id", "name_key"),
    columns=("tenant_id", "public_id", "name", "name_key", "is_active", "created_at"),
    returning=("id", "public_id", "name", "is_active"),
)
_THIS: Final = (_OF_TENANT, _rows.id == bindparam("organization", type_=sa.BigInteger))
_SET_ACTIVE: Final = organizations.update().where(*_THIS).values(is_active=bindparam("to_active", type_=sa.Boolean))
_new_name, _new_key = bindparam("to_name", type_=sa.String), bindparam("to_key", type_=sa.String)
_RENAME: Final = organizations.update().where(*_THIS).values(name=_new_name, name_key=_new_key)


def _of_organization(table: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
    of_tenant = table.c.tenant_id == bindparam("tenant", type_=sa.BigInteger)
    return (of_tenant, table.c.organization_id == bindparam("organization", type_=sa.BigInteger))


# Copies of the name change with it; rows of time have the id.
_RENAME_PROJECTS: Final = (
    projects.update()
    .where(*_of_organization(projects))
    .values(
        organization=_new_name,
        name_key=bindparam("prefix", type_=sa.Unicode)
        + sa.func.substring(projects.c.name_key, bindparam("after_prefix", type_=sa.Integer), 256, type_=sa.Unicode),
    )
)
_RENAME_RUNNING: Final = running_timers.update().where(*_of_organization(running_timers)).values(organization=_new_name)
_RENAME_ITEMS: Final = work_items.update().where(*_of_organization(work_items)).values(organization_key=_new_key)
_SET_DEFAULT: Final = (
    tenants.update()
    .where(tenants.c.id == bindparam("tenant"))
    .values(organization=_new_name, version=tenants.c.version + 1, updated_at=bindparam("now"))
)


def organization_key(name: str) -> str:
    """For comparing: Azure DevOps ignores case, and allows plain letters, digits and hyphens."""
    return name.lower()


def find_all(tx: sa.Connection, tenant_id: int) -> list[Organization]:
    """All organizations, by name."""
    return [_of(row) for row in tx.execute(_ALL, {"tenant": tenant_id})]


def find(tx: sa.Connection, tenant_id: int, name: str) -> Organization | None:
    row = tx.execute(_BY_NAME, {"tenant": tenant_id, "name_key": organization_key(name)}).first()
    return None if row is None else _of(row)


def add(tx: sa.Connection, tenant_id: int, *, name: str, public_id: uuid.UUID, now: dt.datetime) -> Organization | None:
    """Adds an active organization; None if the tenant has one of this name."""
    values = {"tenant_id": tenant_id, "public_id": public_id, "name": name, "name_key": organization_key(name)}
    row = _ADD.run(tx, {**values, "is_active": True, "created_at": now})
    return None if row is None else _of(row)


def set_active(tx: sa.Connection, tenant_id: int, organization_id: int, *, is_active: bool) -> None:
    tx.execute(_SET_ACTIVE, {"tenant": tenant_id, "organization": organization_id, "to_active": is_active})


def rename(tx: sa.Connection, tenant_id: int, old: Organization, *, name: str) -> None:
    """Renames an organization; the unique key refuses a name of another one."""
    this = {"tenant": tenant_id, "organization": old.id}
    tx.execute(_RENAME, {**this, "to_name": name, "to_key": organization_key(name)})
    prefix = {"prefix": f"{organization_key(name)}/", "after_prefix": len(old.name) + 2}  # SQL counts from one
    tx.execute(_RENAME_PROJECTS, {**this, "to_name": name, **prefix})
    tx.execute(_RENAME_RUNNING, {**this, "to_name": name})
    tx.execute(_RENAME_ITEMS, {**this, "to_key": organization_key(name)})


def set_default(tx: sa.Connection, tenant_id: int, *, name: str, now: dt.datetime) -> None:
    """Sets the tenant's default organization, and raises the version of the settings."""
    tx.execute(_SET_DEFAULT, {"tenant": tenant_id, "to_name": name, "now": now})


def _of(row: sa.Row[Any]) -> Organization:
    return Organization(row.id, row.public_id, row.name, row.is_active)
