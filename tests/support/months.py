"""Marks a month of a tenant as closed."""

import uuid

import sqlalchemy as sa

from shared.db.schema import closed_months, tenants
from tests.support.world import START, Person


def close_month(engine: sa.Engine, admin: Person, month_key: int) -> None:
    tenant = sa.select(tenants.c.id).where(tenants.c.entra_tenant_id == uuid.UUID(admin.tid))
    with engine.begin() as tx:
        row = {"tenant_id": tx.scalar(tenant), "month_key": month_key, "closed_at": START}
        tx.execute(closed_months.insert(), row)
