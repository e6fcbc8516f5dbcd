"""Counts and removes expired rows."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from privacy.retention.rules import RetentionClass
from privacy.rules import pseudonym_address
from shared.db.schema import (
    billing_lines,
    billing_records,
    idempotency_keys,
    landing_visits,
    privacy_requests,
    tenants,
    work_item_readers,
    work_items,
)
from shared.db.types import Day


REMOVED: Final = "removed"  # in place of names in the lines of expired bills
BATCH: Final = 1000  # rows of a DELETE: from 5,000 row locks on SQL Server locks the table for all writers


@dataclass(frozen=True, slots=True)
class ClassStatements:
    """Counts the expired rows of a class, and removes or blanks a batch of them."""

    count: sa.Select[Any]
    remove: sa.Update | sa.Delete


_keys, _lines, _records, _requests, _readers, _items = (
    idempotency_keys.c,
    billing_lines.c,
    billing_records.c,
    privacy_requests.c,
    work_item_readers.c,
    work_items.c,
)
_TENANT: Final = bindparam("tenant", type_=sa.BigInteger)
_BEFORE: Final = bindparam("before", type_=_records.closed_at.type)
_EMPTY: Final = sa.literal("", sa.Unicode)
_TENANT_SLUGS = sa.select(tenants.c.id, tenants.c.slug).order_by(tenants.c.id)
_expired_response = (_keys.tenant_id == _TENANT, _keys.created_at < _BEFORE)
_expired_records = sa.select(_records.id).where(_records.tenant_id == _TENANT, _records.closed_at < _BEFORE)
# Bills and lines stay: without its lines a bill would not add up, and a missing bill would be created again.
_expired_line = (
    _lines.tenant_id == _TENANT,
    _lines.email != pseudonym_address(REMOVED),
    _lines.record_id.in_(_expired_records),
)
_expired_request = (_requests.tenant_id == _TENANT, _requests.ended_at < _BEFORE)
_expired_reading = (_readers.tenant_id == _TENANT, _readers.read_on < bindparam("before_day", type_=Day))
_IS_BLANK: Final = sa.and_(
    _items.title == _EMPTY, _items.state == _EMPTY, _items.assignee_name.is_(None), _items.project.is_(None)
)
_expired_title = (_items.tenant_id == _TENANT, _items.fetched_at < _BEFORE, ~_IS_BLANK)


def _delete_batch(table: sa.Table, *where: sa.ColumnElement[bool]) -> sa.Delete:
    """Deletes a batch of rows, by their row numbers."""
    numbers = sa.select(table.c.id).where(*where).limit(BATCH).scalar_subquery()
    tenant = where[:1] if "tenant_id" in table.c else ()
    return table.delete().where(*tenant, table.c.id.in_(numbers))


def _delete_reader_batch() -> sa.Delete:
    """Deletes a batch of expired readings, by their primary key, since they have no row numbers."""
    batch = sa.select(*work_item_readers.primary_key).where(*_expired_reading).limit(BATCH).subquery("batch")
    same = sa.and_(*(batch.c[column.name] == column for column in work_item_readers.primary_key))
    in_batch = sa.select(sa.literal_column("1")).select_from(batch).where(same).correlate(work_item_readers).exists()
    return work_item_readers.delete().where(_readers.tenant_id == _TENANT, in_batch)


# A line has no row number, so a batch is some of the people of one bill.
_FIRST_RECORD: Final = sa.select(sa.func.min(_lines.record_id)).where(*_expired_line).scalar_subquery()
_BATCH_OF_FIRST_RECORD: Final = (
    sa.select(_lines.user_id).where(*_expired_line, _lines.record_id == _FIRST_RECORD).limit(BATCH).scalar_subquery()
)
_REMOVE_VISITS = _delete_batch(landing_visits, landing_visits.c.expires_at < bindparam("before"))
STATEMENTS: Final = {
    RetentionClass.ANSWERS: ClassStatements(
        sa.select(sa.func.count()).select_from(idempotency_keys).where(*_expired_response),
        _delete_batch(idempotency_keys, *_expired_response),
    ),
    RetentionClass.BILLS: ClassStatements(
        sa.select(sa.func.count()).select_from(billing_lines).where(*_expired_line),
        billing_lines.update()
        .where(
            _lines.tenant_id == _TENANT, _lines.record_id == _FIRST_RECORD, _lines.user_id.in_(_BATCH_OF_FIRST_RECORD)
        )
        .values(email=pseudonym_address(REMOVED), display_name=REMOVED),
    ),
    RetentionClass.REQUESTS: ClassStatements(
        sa.select(sa.func.count()).select_from(privacy_requests).where(*_expired_request),
        _delete_batch(privacy_requests, *_expired_request),
    ),
    RetentionClass.TITLES: ClassStatements(
        sa.select(sa.func.count()).select_from(work_items).where(*_expired_title),
        work_items.update()
        .where(
            _items.tenant_id == _TENANT,
            _items.id.in_(sa.select(_items.id).where(*_expired_title).limit(BATCH).scalar_subquery()),
        )
        .values(title=_EMPTY, assignee_name=None, state=_EMPTY, project=None),
    ),
    RetentionClass.READERS: ClassStatements(
        sa.select(sa.func.count()).select_from(work_item_readers).where(*_expired_reading),
        _delete_reader_batch(),
    ),
}


def tenant_slugs(tx: sa.Connection) -> dict[int, str]:
    """The slug of every tenant by its row number."""
    return {row.id: row.slug for row in tx.execute(_TENANT_SLUGS)}


def count(tx: sa.Connection, data_class: RetentionClass, tenant_id: int, *, before: dt.datetime) -> int:
    """The number of a class's rows from before an instant."""
    return int(tx.execute(STATEMENTS[data_class].count, _values(tenant_id, before)).scalar_one())


def remove_batch(tx: sa.Connection, data_class: RetentionClass, tenant_id: int, *, before: dt.datetime) -> int:
    """Removes or blanks a batch of them; returns their number, 0 at the end."""
    return tx.execute(STATEMENTS[data_class].remove, _values(tenant_id, before)).rowcount


def _values(tenant_id: int, before: dt.datetime) -> dict[str, Any]:
    return {"tenant": tenant_id, "before": before, "before_day": before.date()}


def remove_visits(tx: sa.Connection, *, before: dt.datetime) -> int:
    """Removes a batch of visits to the landing page that expired before an instant; returns their number."""
    return tx.execute(_REMOVE_VISITS, {"before": before}).rowcount
