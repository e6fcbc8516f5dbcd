"""Finds the people whose time is asked for: by the id on the wire, and back."""

import uuid
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import users


_OF_TENANT: Final = users.c.tenant_id == bindparam("tenant")
_USER: Final = sa.select(users.c.id).where(_OF_TENANT, users.c.public_id == bindparam("public"))
_PUBLIC_ID: Final = sa.select(users.c.public_id).where(_OF_TENANT, users.c.id == bindparam("user"))


def find_user(tx: sa.Connection, tenant_id: int, public_id: uuid.UUID) -> int | None:
    return tx.execute(_USER, {"tenant": tenant_id, "public": public_id}).scalar()


def public_id_of(tx: sa.Connection, tenant_id: int, user_id: int) -> uuid.UUID:
    found: uuid.UUID = tx.execute(_PUBLIC_ID, {"tenant": tenant_id, "user": user_id}).scalar_one()
    return found
