"""Deletes expired data, by the retention table."""

import datetime as dt

import sqlalchemy as sa

from privacy.requests import store as requests_store
from privacy.retention import store
from privacy.retention.rules import RetentionClass, lifetime_of
from shared.db.records import open_records


def count_expired(tx: sa.Connection, tenant_id: int, data_class: RetentionClass, *, now: dt.datetime) -> int:
    """The number of a tenant's expired rows of a class, for a dry run of `remove_batch`."""
    if _is_on_hold(tx, tenant_id, data_class):
        return 0
    return store.count(tx, data_class, tenant_id, before=now - lifetime_of(data_class))


def remove_batch(tx: sa.Connection, tenant_id: int, data_class: RetentionClass, *, now: dt.datetime) -> int:
    """Removes a batch of a tenant's expired rows of a class; returns their number, 0 at the end."""
    if _is_on_hold(tx, tenant_id, data_class):
        return 0
    with open_records(tx):
        return store.remove_batch(tx, data_class, tenant_id, before=now - lifetime_of(data_class))


def remove_visits(tx: sa.Connection, *, now: dt.datetime) -> int:
    """Removes a batch of expired visits to the landing page; returns their number, 0 at the end."""
    return store.remove_visits(tx, before=now)


def _is_on_hold(tx: sa.Connection, tenant_id: int, data_class: RetentionClass) -> bool:
    """A legal hold stops all classes except stored responses, which are copies."""
    return data_class is not RetentionClass.ANSWERS and requests_store.read_legal_hold(tx, tenant_id) is not None
