"""The write-back's outbox: a row for each change of an entry's time on a work item, and the progress of entries."""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import organizations, timer_log, write_back_attempts, write_back_changes, write_back_items
from timers.model import EventKind, TimeEntry
from timers.write_back.model import AttemptState, Balance, Change, WriteBack, WriteBackProgress, progress_of_entry


Item = tuple[int, int]  # organization and work item
_SETTLED_BATCH: Final = 0  # of a change by 0 ms, which needs no write
_rows, _items = write_back_changes.c, write_back_items.c
_ADD: Final = write_back_changes.insert().inline()
_OF_ENTRY: Final = (_rows.tenant_id == bindparam("tenant"), _rows.entry_id == bindparam("entry"))
_SUMS: Final[sa.Select[Any]] = (
    sa.select(_rows.organization_id, _rows.work_item_id, sa.func.sum(_rows.delta_ms, type_=sa.BigInteger).label("ms"))
    .where(*_OF_ENTRY)
    .group_by(_rows.organization_id, _rows.work_item_id)
)
_OWNER: Final = (
    sa.select(timer_log.c.user_id)
    .where(
        timer_log.c.tenant_id == bindparam("tenant"),
        timer_log.c.timer_id == bindparam("entry"),
        timer_log.c.event == EventKind.DELETED.value,
        sa.exists().where(*_OF_ENTRY),
    )
    .limit(1)
)
OF_ITEM: Final = sa.and_(
    _items.tenant_id == _rows.tenant_id,
    _items.organization_id == _rows.organization_id,
    _items.work_item_id == _rows.work_item_id,
)
IS_OPEN: Final = sa.or_(_rows.batch.is_(None), _rows.batch > sa.func.coalesce(_items.settled_batch, 0))
HAS_OPEN_ATTEMPT: Final = sa.exists().where(
    write_back_attempts.c.tenant_id == _items.tenant_id,
    write_back_attempts.c.item_id == _items.id,
    write_back_attempts.c.state == AttemptState.OPEN.value,
)
_CHANGES: Final[sa.Select[Any]] = (
    sa.select(
        _rows.entry_id,
        _rows.organization_id,
        _rows.work_item_id,
        sa.case((HAS_OPEN_ATTEMPT, 1), else_=0).label("has_open_attempt"),
        _rows.delta_ms,
        _rows.batch,
        organizations.c.is_active,
        _items.state,
        _items.reason,
        _items.settled_batch,
        _items.short_batch,
        _items.target_ms,
        _items.written,
        _items.lowest,
    )
    .join(
        organizations,
        sa.and_(organizations.c.tenant_id == _rows.tenant_id, organizations.c.id == _rows.organization_id),
    )
    .outerjoin(write_back_items, OF_ITEM)
    .where(_rows.tenant_id == bindparam("tenant"), _rows.entry_id.in_(bindparam("entries", expanding=True)))
)


def add_change(
    tx: sa.Connection,
    tenant_id: int,
    entry: TimeEntry,
    *,
    version: int,
    item: Item,
    delta_ms: int,
    now: dt.datetime,
) -> None:
    """Adds the change that a version of an entry makes on a work item; a version changes an item at most once."""
    organization_id, work_item_id = item
    values = {
        "tenant_id": tenant_id,
        "public_id": uuid.uuid5(entry.id, f"{version}/{organization_id}/{work_item_id}"),
        "entry_id": entry.id,
        "organization_id": organization_id,
        "work_item_id": work_item_id,
        "delta_ms": delta_ms,
        "created_at": now,
    }
    tx.execute(_ADD, values if delta_ms else {**values, "batch": _SETTLED_BATCH})


def add_entry(tx: sa.Connection, tenant_id: int, entry: TimeEntry, *, now: dt.datetime) -> None:
    """Adds the first change of an entry, its whole time: from now on it counts."""
    item = item_of(entry)
    add_change(tx, tenant_id, entry, version=entry.version, item=item, delta_ms=entry.elapsed_ms, now=now)


def sum_changes(tx: sa.Connection, tenant_id: int, entry_id: uuid.UUID) -> dict[Item, int]:
    """The sums of an entry's changes in milliseconds, by work item; empty for an entry that does not count."""
    rows = tx.execute(_SUMS, {"tenant": tenant_id, "entry": entry_id})
    return {(row.organization_id, row.work_item_id): int(row.ms) for row in rows}


def find_owner_of_deleted(tx: sa.Connection, tenant_id: int, entry_id: uuid.UUID) -> int | None:
    """The owner of a deleted entry that counted; None for any other id."""
    user_id: int | None = tx.execute(_OWNER, {"tenant": tenant_id, "entry": entry_id}).scalar_one_or_none()
    return user_id


def load_progress(
    tx: sa.Connection, tenant_id: int, entry_ids: Iterable[uuid.UUID], *, is_on: bool
) -> dict[uuid.UUID, WriteBackProgress]:
    """The progress of each entry that counts; `is_on` is the tenant's setting."""
    changes: dict[uuid.UUID, list[Change]] = defaultdict(list)
    for row in tx.execute(_CHANGES, {"tenant": tenant_id, "entries": list(entry_ids)}):
        changes[row.entry_id].append(_change(row))
    return {entry_id: progress_of_entry(of_entry, is_on=is_on) for entry_id, of_entry in changes.items()}


def item_of(entry: TimeEntry) -> Item:
    return entry.work_item.organization_id, entry.work_item.work_item_id


def _change(row: Any) -> Change:  # noqa: ANN401 - a row
    has_item = row.state is not None
    return Change(
        item=(row.organization_id, row.work_item_id),
        has_open_attempt=bool(row.has_open_attempt),
        delta_ms=row.delta_ms,
        batch=row.batch,
        is_active=row.is_active,
        state=WriteBack(row.state) if has_item else None,
        reason=row.reason,
        settled_batch=row.settled_batch,
        short_batch=row.short_batch,
        balance=Balance(row.target_ms, row.written, row.lowest) if has_item else None,
    )
