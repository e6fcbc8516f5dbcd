"""Closes an organization, and removes its rows in batches."""

import datetime as dt
import uuid
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from privacy.catalog.columns import CATALOG
from privacy.catalog.kinds import RowAction
from shared.db.schema import metadata, tenants
from shared.tenancy.model import TenantStatus


BATCH: Final = 1000
_CLOSE: Final = (
    tenants.update()
    .where(tenants.c.id == bindparam("tenant"), tenants.c.erased_at.is_(None))
    .values(
        status=TenantStatus.CANCELLED.value,
        admin_email=None,
        erased_at=bindparam("now"),
        version=tenants.c.version + 1,
        updated_at=bindparam("now"),
    )
)
_PUBLIC_ID: Final = sa.select(tenants.c.public_id).where(tenants.c.id == bindparam("tenant"))


def _delete_batch(table: sa.Table) -> sa.Delete:
    """Deletes a batch of a table's rows, by their key without the tenant."""
    key = next(table.c[name] for name in ("id", "entry_id", "user_id") if name in table.c)
    of_tenant = table.c.tenant_id == bindparam("tenant")
    batch = sa.select(key).where(of_tenant, *_not_referenced(table)).limit(BATCH).scalar_subquery()
    return table.delete().where(of_tenant, key.in_(batch))


def _not_referenced(table: sa.Table) -> list[sa.ColumnElement[bool]]:
    """In a table that references itself, rows without a reference from another row are deleted first."""
    other = table.alias("other")
    own = [foreign for foreign in table.foreign_key_constraints if foreign.referred_table is table]
    references = [
        sa.and_(*(other.c[pair.parent.name] == table.c[pair.column.name] for pair in foreign.elements))
        for foreign in own
    ]
    return [~sa.exists().where(other.c.tenant_id == bindparam("tenant"), sa.or_(*references))] if references else []


# Referencing rows are deleted before referenced ones.
REMOVALS: Final = {
    table.name: _delete_batch(table)
    for table in reversed(metadata.sorted_tables)
    if CATALOG[table.name].tenant_erased is RowAction.DELETE and table.name != "action_log" and "tenant_id" in table.c
}


def close(tx: sa.Connection, tenant_id: int, *, now: dt.datetime) -> None:
    """Marks the organization as erased: no sign-in and no change is possible from now on."""
    tx.execute(_CLOSE, {"tenant": tenant_id, "now": now})


def remove_batch(tx: sa.Connection, *, name: str, tenant_id: int) -> int:
    """Removes a batch of a table's rows; returns their number."""
    return tx.execute(REMOVALS[name], {"tenant": tenant_id}).rowcount


def read_public_id(tx: sa.Connection, tenant_id: int) -> uuid.UUID:
    found: uuid.UUID = tx.execute(_PUBLIC_ID, {"tenant": tenant_id}).scalar_one()
    return found
