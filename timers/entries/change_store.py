"""Replaces and deletes time entries; finds closed months and overlapping entries."""

import datetime as dt
import uuid
from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.calendar import Month
from shared.db.schema import closed_months, time_entries, time_entry_days
from timers.model import TimeEntry
from timers.store import add_days


MAX_OVERLAPS: Final = 20
_entries, _days = time_entries.c, time_entry_days.c
_VERSION = (
    _entries.tenant_id == bindparam("tenant"),
    _entries.public_id == bindparam("public"),
    _entries.version == bindparam("old_version"),
)
_CHANGED: Final = (
    "project_id",
    "work_item_id",
    "started_at",
    "stopped_at",
    "elapsed_ms",
    "note",
    "source",
    "needs_review",
    "end_inferred",
    "version",
    "updated_at",
)
_REPLACE: Final = time_entries.update().where(*_VERSION).values({name: bindparam(f"new_{name}") for name in _CHANGED})
_ROW = sa.select(_entries.id).where(
    _entries.tenant_id == bindparam("tenant"), _entries.public_id == bindparam("public")
)
_REMOVE_DAYS = time_entry_days.delete().where(
    _days.tenant_id == bindparam("tenant"), _days.entry_id == bindparam("entry")
)
_REMOVE = time_entries.delete().where(*_VERSION)
_CLOSED = (
    sa.select(closed_months.c.month_key)
    .where(
        closed_months.c.tenant_id == bindparam("tenant"),
        closed_months.c.month_key.in_(bindparam("months", expanding=True)),
    )
    .limit(1)
)
_OVERLAPS: Final = (
    sa.select(_entries.public_id)
    .where(
        _entries.tenant_id == bindparam("tenant"),
        _entries.user_id == bindparam("user"),
        _entries.stopped_at > bindparam("started_at", type_=_entries.started_at.type),
        _entries.started_at < bindparam("stopped_at", type_=_entries.stopped_at.type),
        _entries.public_id != bindparam("public"),
    )
    .order_by(
        _entries.stopped_at, _entries.id
    )  # the order of the index on stopped_at, which has few rows of recent time
    .limit(MAX_OVERLAPS)
)


def replace(tx: sa.Connection, tenant_id: int, old: TimeEntry, new: TimeEntry, *, now: dt.datetime) -> bool:
    """Replaces a version of an entry and its days by the next one; False when `old` is no longer the current one."""
    values: dict[str, Any] = {
        "project_id": new.work_item.project_id,
        "work_item_id": new.work_item.work_item_id,
        "started_at": new.started_at,
        "stopped_at": new.stopped_at,
        "elapsed_ms": new.elapsed_ms,
        "note": new.note,
        "source": new.source.value,
        "needs_review": new.needs_review,
        "end_inferred": new.end_inferred,
        "version": new.version,
        "updated_at": now,
    }
    named = {f"new_{name}": value for name, value in values.items()}
    if tx.execute(_REPLACE, {**_key(tenant_id, old), **named}).rowcount == 0:
        return False
    row = _row(tx, tenant_id, old.id)
    tx.execute(_REMOVE_DAYS, {"tenant": tenant_id, "entry": row})
    add_days(tx, tenant_id, row, new)
    return True


def remove(tx: sa.Connection, tenant_id: int, entry: TimeEntry) -> bool:
    """Deletes an entry and its days; False when this is no longer the current version."""
    row = tx.execute(_ROW, {"tenant": tenant_id, "public": entry.id}).scalar()
    if row is None:
        return False
    tx.execute(_REMOVE_DAYS, {"tenant": tenant_id, "entry": row})
    return tx.execute(_REMOVE, _key(tenant_id, entry)).rowcount == 1


def any_closed(tx: sa.Connection, tenant_id: int, months: Iterable[Month]) -> bool:
    """Whether one of the months is closed."""
    return tx.execute(_CLOSED, {"tenant": tenant_id, "months": [month.key for month in months]}).first() is not None


def find_overlaps(tx: sa.Connection, tenant_id: int, entry: TimeEntry) -> tuple[uuid.UUID, ...]:
    """The ids of the person's other entries that overlap this one, at most 20."""
    between = {"started_at": entry.started_at, "stopped_at": entry.stopped_at}
    ids = tx.scalars(_OVERLAPS, {"tenant": tenant_id, "user": entry.user_id, "public": entry.id, **between})
    return tuple(ids)


def _key(tenant_id: int, entry: TimeEntry) -> dict[str, Any]:
    return {"tenant": tenant_id, "public": entry.id, "old_version": entry.version}


def _row(tx: sa.Connection, tenant_id: int, public_id: uuid.UUID) -> int:
    row: int = tx.execute(_ROW, {"tenant": tenant_id, "public": public_id}).scalar_one()
    return row
