"""Finds the users that a cursor or rows of the action log name."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import users
from shared.tenancy.store import restricted_since


_OF_TENANT: Final = users.c.tenant_id == bindparam("tenant")
_USER_ID: Final = sa.select(users.c.id).where(_OF_TENANT, users.c.public_id == bindparam("public"))
_AUTHORS: Final = sa.select(
    users.c.id, users.c.public_id, users.c.display_name, restricted_since(users).label("restricted_since")
).where(_OF_TENANT, users.c.id.in_(bindparam("ids", expanding=True)))


@dataclass(frozen=True, slots=True)
class ActionAuthor:
    """`is_restricted`: processing of their data is stopped."""

    id: int
    public_id: uuid.UUID
    display_name: str
    is_restricted: bool


def find_user_id(tx: sa.Connection, tenant_id: int, public_id: uuid.UUID) -> int | None:
    user_id: int | None = tx.execute(_USER_ID, {"tenant": tenant_id, "public": public_id}).scalar()
    return user_id


def find_authors(tx: sa.Connection, tenant_id: int, user_ids: Iterable[int]) -> dict[int, ActionAuthor]:
    """The authors by row id, without those that no longer exist."""
    rows = tx.execute(_AUTHORS, {"tenant": tenant_id, "ids": sorted(set(user_ids))})
    return {
        row.id: ActionAuthor(row.id, row.public_id, row.display_name, row.restricted_since is not None) for row in rows
    }
