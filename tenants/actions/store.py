"""People as the action log needs them: from the ids that strangers see to row numbers, and back."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import users
from shared.tenancy.store import stopped_since


_IN_TENANT: Final = users.c.tenant_id == bindparam("tenant")
_ROW = sa.select(users.c.id, stopped_since(users).label("restricted_since")).where(
    _IN_TENANT, users.c.public_id == bindparam("public")
)
_PUBLIC = sa.select(users.c.id, users.c.public_id, stopped_since(users).label("restricted_since")).where(
    _IN_TENANT, users.c.id.in_(bindparam("ids", expanding=True))
)


@dataclass(frozen=True, slots=True)
class Who:
    """`is_restricted`: they have had the processing of their data stopped."""

    id: int
    public_id: uuid.UUID
    is_restricted: bool


def find(tx: sa.Connection, tenant_id: int, public_id: uuid.UUID) -> Who | None:
    row = tx.execute(_ROW, {"tenant": tenant_id, "public": public_id}).first()
    return None if row is None else Who(row.id, public_id, row.restricted_since is not None)


def people(tx: sa.Connection, tenant_id: int, row_numbers: Iterable[int]) -> dict[int, Who]:
    """By their row numbers; who is not there any more is left out."""
    rows = tx.execute(_PUBLIC, {"tenant": tenant_id, "ids": sorted(set(row_numbers))})
    return {row.id: Who(row.id, row.public_id, row.restricted_since is not None) for row in rows}
