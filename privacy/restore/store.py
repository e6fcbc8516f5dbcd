"""Finds the tenants and people of the restore store in a restored database, by their public ids."""

import uuid
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import tenants, users
from shared.tenancy.model import Caller
from shared.tenancy.store import find_caller


_TENANT: Final = sa.select(tenants.c.id).where(tenants.c.public_id == bindparam("tenant"))
_PERSON: Final = (
    sa.select(tenants.c.entra_tenant_id, users.c.entra_object_id)
    .join(users, users.c.tenant_id == tenants.c.id)
    .where(tenants.c.public_id == bindparam("tenant"), users.c.public_id == bindparam("subject"))
)


def find_tenant(tx: sa.Connection, tenant: uuid.UUID) -> int | None:
    """The row number of a tenant; None if it is not in the backup."""
    found: int | None = tx.execute(_TENANT, {"tenant": tenant}).scalar()
    return found


def lock_person(tx: sa.Connection, tenant: uuid.UUID, subject: uuid.UUID) -> Caller | None:
    """A person who has signed in, locked; None if they are erased or not in the backup."""
    row = tx.execute(_PERSON, {"tenant": tenant, "subject": subject}).first()
    if row is None or row.entra_object_id is None:
        return None
    return find_caller(tx, tid=str(row.entra_tenant_id), oid=str(row.entra_object_id), lock=True)
