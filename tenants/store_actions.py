"""People as the action log needs them: from the ids that strangers see to row numbers, and back."""

import uuid
from collections.abc import Iterable
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import users


_IN_TENANT: Final = users.c.tenant_id == bindparam("tenant")
_ROW = sa.select(users.c.id).where(_IN_TENANT, users.c.public_id == bindparam("public"))
_PUBLIC = sa.select(users.c.id, users.c.public_id).where(_IN_TENANT, users.c.id.in_(bindparam("ids", expanding=True)))


def row_number(tx: sa.Connection, tenant_id: int, public_id: uuid.UUID) -> int | None:
    return tx.execute(_ROW, {"tenant": tenant_id, "public": public_id}).scalar()


def public_ids(tx: sa.Connection, tenant_id: int, row_numbers: Iterable[int]) -> dict[int, uuid.UUID]:
    rows = tx.execute(_PUBLIC, {"tenant": tenant_id, "ids": sorted(set(row_numbers))})
    return {row.id: row.public_id for row in rows}
