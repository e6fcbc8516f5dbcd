"""Finds what has outlived its purpose, counts it, and removes it."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from privacy.retention.rules import Kept
from privacy.rules import address
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


NOBODY: Final = "removed"  # on the lines of bills whose time is over
BATCH: Final = 1000  # rows of a DELETE: from 5,000 locks on SQL Server locks the table, and whoever writes to it waits


@dataclass(frozen=True, slots=True)
class Expired:
    """How many rows of a class are over, and the statement that does what is to be done with some of them."""

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
_NOTHING: Final = sa.literal("", sa.Unicode)
_TENANT_SLUGS = sa.select(tenants.c.id, tenants.c.slug).order_by(tenants.c.id)
_old_answer = (_keys.tenant_id == _TENANT, _keys.created_at < _BEFORE)
_old_records = sa.select(_records.id).where(_records.tenant_id == _TENANT, _records.closed_at < _BEFORE)
# A bill whose lines were gone would not add up, and one that was gone would be owed again: names go, sums stay.
_old_line = (_lines.tenant_id == _TENANT, _lines.email != address(NOBODY), _lines.record_id.in_(_old_records))
_old_request = (_requests.tenant_id == _TENANT, _requests.ended_at < _BEFORE)
_old_reading = (_readers.tenant_id == _TENANT, _readers.read_on < bindparam("before_day", type_=Day))
_IS_BLANK: Final = sa.and_(_items.title == _NOTHING, _items.state == _NOTHING, _items.assignee_name.is_(None))
_old_title = (_items.tenant_id == _TENANT, _items.fetched_at < _BEFORE, ~_IS_BLANK)


def _some(table: sa.Table, *which: sa.ColumnElement[bool]) -> sa.Delete:
    """Removes a batch of rows, by their row numbers."""
    numbers = sa.select(table.c.id).where(*which).limit(BATCH).scalar_subquery()
    tenant = which[:1] if "tenant_id" in table.c else ()
    return table.delete().where(*tenant, table.c.id.in_(numbers))


def _some_readers() -> sa.Delete:
    """A batch of the readings that are over; they have no row numbers, so each is found by its whole key."""
    some = sa.select(*work_item_readers.primary_key).where(*_old_reading).limit(BATCH).subquery("some")
    this = sa.and_(*(some.c[column.name] == column for column in work_item_readers.primary_key))
    found = sa.select(sa.literal_column("1")).select_from(some).where(this).correlate(work_item_readers).exists()
    return work_item_readers.delete().where(_readers.tenant_id == _TENANT, found)


# A line has no number of its own: a batch is of one bill, and of so many of its people.
_FIRST_RECORD: Final = sa.select(sa.func.min(_lines.record_id)).where(*_old_line).scalar_subquery()
_SOME_OF_FIRST_RECORD: Final = (
    sa.select(_lines.user_id).where(*_old_line, _lines.record_id == _FIRST_RECORD).limit(BATCH).scalar_subquery()
)
_FORGET_VISITS = _some(landing_visits, landing_visits.c.expires_at < bindparam("before"))
EXPIRED: Final = {
    Kept.ANSWERS: Expired(
        sa.select(sa.func.count()).select_from(idempotency_keys).where(*_old_answer),
        _some(idempotency_keys, *_old_answer),
    ),
    Kept.BILLS: Expired(
        sa.select(sa.func.count()).select_from(billing_lines).where(*_old_line),
        billing_lines.update()
        .where(
            _lines.tenant_id == _TENANT, _lines.record_id == _FIRST_RECORD, _lines.user_id.in_(_SOME_OF_FIRST_RECORD)
        )
        .values(email=address(NOBODY), display_name=NOBODY),
    ),
    Kept.REQUESTS: Expired(
        sa.select(sa.func.count()).select_from(privacy_requests).where(*_old_request),
        _some(privacy_requests, *_old_request),
    ),
    Kept.TITLES: Expired(
        sa.select(sa.func.count()).select_from(work_items).where(*_old_title),
        work_items.update()
        .where(
            _items.tenant_id == _TENANT,
            _items.id.in_(sa.select(_items.id).where(*_old_title).limit(BATCH).scalar_subquery()),
        )
        .values(title=_NOTHING, assignee_name=None, state=_NOTHING),
    ),
    Kept.READERS: Expired(
        sa.select(sa.func.count()).select_from(work_item_readers).where(*_old_reading),
        _some_readers(),
    ),
}


def tenant_slugs(tx: sa.Connection) -> dict[int, str]:
    """The slug of every tenant by its row number."""
    return {row.id: row.slug for row in tx.execute(_TENANT_SLUGS)}


def count(tx: sa.Connection, kept: Kept, tenant_id: int, *, before: dt.datetime) -> int:
    """How many rows of a class are older than an instant."""
    return int(tx.execute(EXPIRED[kept].count, _values(tenant_id, before)).scalar_one())


def remove_some(tx: sa.Connection, kept: Kept, tenant_id: int, *, before: dt.datetime) -> int:
    """Does with a batch of them what the class says; how many, 0 when nothing is left."""
    return tx.execute(EXPIRED[kept].remove, _values(tenant_id, before)).rowcount


def _values(tenant_id: int, before: dt.datetime) -> dict[str, Any]:
    return {"tenant": tenant_id, "before": before, "before_day": before.date()}


def forget_visits(tx: sa.Connection, *, before: dt.datetime) -> int:
    """Removes a batch of visits to the landing page that ended before an instant, and who made them; how many."""
    return tx.execute(_FORGET_VISITS, {"before": before}).rowcount
