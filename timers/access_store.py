"""Finds the people whose time is asked for: by the id on the wire, and back."""

import datetime as dt
import uuid
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import users
from shared.tenancy.store import stopped_since


_OF_TENANT: Final = users.c.tenant_id == bindparam("tenant")
_USER: Final = sa.select(users.c.id, stopped_since(users).label("restricted_since")).where(
    _OF_TENANT, users.c.public_id == bindparam("public"), users.c.merged_into.is_(None)
)
_STOPPED: Final = sa.select(stopped_since(users)).where(_OF_TENANT, users.c.id == bindparam("user"))
_PUBLIC_ID: Final = sa.select(users.c.public_id).where(_OF_TENANT, users.c.id == bindparam("user"))


def find_user(tx: sa.Connection, tenant_id: int, public_id: uuid.UUID) -> tuple[int, dt.datetime | None] | None:
    """The row number, and since when the person has had the processing of their data stopped."""
    row = tx.execute(_USER, {"tenant": tenant_id, "public": public_id}).first()
    return None if row is None else (row.id, row.restricted_since)


def is_restricted(tx: sa.Connection, tenant_id: int, user_id: int) -> bool:
    return tx.execute(_STOPPED, {"tenant": tenant_id, "user": user_id}).scalar() is not None


def public_id_of(tx: sa.Connection, tenant_id: int, user_id: int) -> uuid.UUID:
    found: uuid.UUID = tx.execute(_PUBLIC_ID, {"tenant": tenant_id, "user": user_id}).scalar_one()
    return found
