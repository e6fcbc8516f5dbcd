"""Retention: removes what has outlived its purpose, by the table in rules_retention."""

import datetime as dt
from collections.abc import Iterable

import sqlalchemy as sa

from privacy import store, store_requests
from privacy.rules_retention import Kept, period
from shared.db.records import records_open


def expired(tx: sa.Connection, tenant_id: int, *, now: dt.datetime) -> dict[Kept, int]:
    """How many rows of each class of a tenant are over; a dry run of `remove_expired`."""
    return {kept: store.count(tx, kept, tenant_id, before=now - period(kept)) for kept in _classes(tx, tenant_id)}


def forget_visits(tx: sa.Connection, *, now: dt.datetime) -> int:
    """Removes what is kept of people on the landing page as soon as their visit is over; how many."""
    return store.forget_visits(tx, before=now)


def remove_expired(tx: sa.Connection, tenant_id: int, *, now: dt.datetime) -> int:
    """Removes what is over of a tenant; how many rows."""
    with records_open(tx):
        return sum(store.remove(tx, kept, tenant_id, before=now - period(kept)) for kept in _classes(tx, tenant_id))


def _classes(tx: sa.Connection, tenant_id: int) -> Iterable[Kept]:
    """Under a legal hold only the answers go, which are copies of what is kept elsewhere."""
    return (Kept.ANSWERS,) if store_requests.legal_hold(tx, tenant_id) is not None else tuple(Kept)
