"""The current and former slugs of tenants; a slug never passes to another tenant."""

import datetime as dt
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import slugs


_ADD: Final = slugs.insert().inline()
_OWN: Final = sa.select(slugs.c.slug).where(slugs.c.tenant_id == bindparam("tenant"))


def add(tx: sa.Connection, tenant_id: int, slug: str, *, now: dt.datetime) -> None:
    """Reserves a slug for the tenant forever.

    Raises:
        sqlalchemy.exc.IntegrityError: another tenant has or had it.
    """
    tx.execute(_ADD, {"tenant_id": tenant_id, "slug": slug, "created_at": now})


def find_own(tx: sa.Connection, tenant_id: int) -> set[str]:
    """The current and former slugs of the tenant."""
    return set(tx.scalars(_OWN, {"tenant": tenant_id}))
