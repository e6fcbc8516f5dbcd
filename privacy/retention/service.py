"""Retention: removes what has outlived its purpose, by the table of what is kept how long."""

import datetime as dt

import sqlalchemy as sa

from privacy.requests import store as requests_store
from privacy.retention import store
from privacy.retention.rules import Kept, period
from shared.db.records import open_records


def expired(tx: sa.Connection, tenant_id: int, kept: Kept, *, now: dt.datetime) -> int:
    """How many rows of a class of a tenant are over; a dry run of `remove_some`."""
    return 0 if _stays(tx, tenant_id, kept) else store.count(tx, kept, tenant_id, before=now - period(kept))


def forget_visits(tx: sa.Connection, *, now: dt.datetime) -> int:
    """Removes some of what is kept of people on the landing page once their visit is over; how many, 0 at the end."""
    return store.forget_visits(tx, before=now)


def remove_some(tx: sa.Connection, tenant_id: int, kept: Kept, *, now: dt.datetime) -> int:
    """Removes a batch of what is over of a class of a tenant; how many rows, 0 when nothing is left."""
    if _stays(tx, tenant_id, kept):
        return 0
    with open_records(tx):
        return store.remove_some(tx, kept, tenant_id, before=now - period(kept))


def _stays(tx: sa.Connection, tenant_id: int, kept: Kept) -> bool:
    """Under a legal hold only the answers go, which are copies of what is kept elsewhere."""
    return kept is not Kept.ANSWERS and requests_store.legal_hold(tx, tenant_id) is not None
