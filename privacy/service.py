"""Retention: removes what has outlived its purpose, by the table in rules_retention."""

import datetime as dt
from collections.abc import Iterable

import sqlalchemy as sa

from privacy import store, store_requests
from privacy.rules_retention import Kept, period
from shared.db.records import records_open


def expired(tx: sa.Connection, tenant_id: int, *, now: dt.datetime) -> dict[Kept, int]:
    """How many rows of each class of a tenant are over; a dry run of `remove_some`."""
    return {kept: store.count(tx, kept, tenant_id, before=now - period(kept)) for kept in _classes(tx, tenant_id)}


def forget_visits(tx: sa.Connection, *, now: dt.datetime) -> int:
    """Removes some of what is kept of people on the landing page once their visit is over; how many, 0 at the end."""
    return store.forget_visits(tx, before=now)


def remove_some(tx: sa.Connection, tenant_id: int, *, now: dt.datetime) -> int:
    """Removes a batch of what is over of a tenant, from each class; how many rows, 0 when nothing is left."""
    with records_open(tx):
        return sum(
            store.remove_some(tx, kept, tenant_id, before=now - period(kept)) for kept in _classes(tx, tenant_id)
        )


def _classes(tx: sa.Connection, tenant_id: int) -> Iterable[Kept]:
    """Under a legal hold only the answers go, which are copies of what is kept elsewhere."""
    return (Kept.ANSWERS,) if store_requests.legal_hold(tx, tenant_id) is not None else tuple(Kept)
