"""Finds and removes rows whose time is over."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import idempotency_keys, landing_visits, tenants


_TENANT_IDS = sa.select(tenants.c.id).order_by(tenants.c.id)
_FORGET_KEYS = idempotency_keys.delete().where(
    idempotency_keys.c.tenant_id == bindparam("tenant"), idempotency_keys.c.created_at < bindparam("before")
)
_FORGET_VISITS = landing_visits.delete().where(landing_visits.c.expires_at < bindparam("before"))


def tenant_ids(tx: sa.Connection) -> list[int]:
    return list(tx.scalars(_TENANT_IDS))


def forget_keys(tx: sa.Connection, tenant_id: int, *, before: dt.datetime) -> int:
    """Removes stored answers given before an instant; how many."""
    return tx.execute(_FORGET_KEYS, {"tenant": tenant_id, "before": before}).rowcount


def forget_visits(tx: sa.Connection, *, before: dt.datetime) -> int:
    """Removes visits to the landing page that ended before an instant, and who made them; how many."""
    return tx.execute(_FORGET_VISITS, {"before": before}).rowcount
