"""Retention: removes what has outlived its purpose."""

import datetime as dt

import sqlalchemy as sa

from privacy import store
from shared.http.idempotency import KEPT


def forget_visits(tx: sa.Connection, *, now: dt.datetime) -> int:
    """Removes what is kept of people on the landing page as soon as their visit is over; how many."""
    return store.forget_visits(tx, before=now)


def remove_expired(tx: sa.Connection, tenant_id: int, *, now: dt.datetime) -> int:
    """Removes a tenant's stored answers older than the 48 hours for which they are promised; how many."""
    return store.forget_keys(tx, tenant_id, before=now - KEPT)
