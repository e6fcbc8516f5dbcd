"""The rows of changes to be written back: one for each change of an entry's time on a work item, and how far it is."""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import organizations, timer_log, write_back_attempts, write_back_changes, write_back_items
from timers.model import TimeEntry
from timers.write_back.model import Balance, Change, Standing, WriteBack, standing_of


Item = tuple[int, int]  # organization and work item
_COUNTED_AS_NOTHING: Final = 0  # the batch of a change by nothing, which has nothing to wait for
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
        timer_log.c.event == "deleted",
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
MAY_LAND: Final = sa.exists().where(
    write_back_attempts.c.tenant_id == _items.tenant_id,
    write_back_attempts.c.item_id == _items.id,
    write_back_attempts.c.state == "open",
)
_STANDINGS: Final[sa.Select[Any]] = (
    sa.select(
        _rows.entry_id,
        _rows.organization_id,
        _rows.work_item_id,
        sa.case((MAY_LAND, 1), else_=0).label("may_land"),
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


def add(
    tx: sa.Connection,
    tenant_id: int,
    entry: TimeEntry,
    *,
    version: int,
    on: Item,
    delta_ms: int,
    now: dt.datetime,
) -> None:
    """Writes down what a version of an entry changes on a work item. No version changes one item twice."""
    organization_id, work_item_id = on
    values = {
        "tenant_id": tenant_id,
        "public_id": uuid.uuid5(entry.id, f"{version}/{organization_id}/{work_item_id}"),
        "entry_id": entry.id,
        "organization_id": organization_id,
        "work_item_id": work_item_id,
        "delta_ms": delta_ms,
        "created_at": now,
    }
    tx.execute(_ADD, values if delta_ms else {**values, "batch": _COUNTED_AS_NOTHING})


def add_entry(tx: sa.Connection, tenant_id: int, entry: TimeEntry, *, now: dt.datetime) -> None:
    """Has an entry count from now on, with its whole time."""
    add(tx, tenant_id, entry, version=entry.version, on=item_of(entry), delta_ms=entry.elapsed_ms, now=now)


def sums(tx: sa.Connection, tenant_id: int, entry_id: uuid.UUID) -> dict[Item, int]:
    """Milliseconds that an entry counts with, by work item; empty for one that does not count."""
    rows = tx.execute(_SUMS, {"tenant": tenant_id, "entry": entry_id})
    return {(row.organization_id, row.work_item_id): int(row.ms) for row in rows}


def owner_of_deleted(tx: sa.Connection, tenant_id: int, entry_id: uuid.UUID) -> int | None:
    """Whose entry it was that counted until it was deleted; None for one that never did."""
    user_id: int | None = tx.execute(_OWNER, {"tenant": tenant_id, "entry": entry_id}).scalar_one_or_none()
    return user_id


def standings(
    tx: sa.Connection, tenant_id: int, entry_ids: Iterable[uuid.UUID], *, is_on: bool
) -> dict[uuid.UUID, Standing]:
    """How far the hours of each entry are; entries that do not count are left out."""
    found: dict[uuid.UUID, list[Change]] = defaultdict(list)
    for row in tx.execute(_STANDINGS, {"tenant": tenant_id, "entries": list(entry_ids)}):
        found[row.entry_id].append(_change(row))
    return {entry_id: standing_of(changes, is_on=is_on) for entry_id, changes in found.items()}


def item_of(entry: TimeEntry) -> Item:
    return entry.work_item.organization_id, entry.work_item.work_item_id


def _change(row: Any) -> Change:  # noqa: ANN401 - a row
    known = row.state is not None
    return Change(
        item=(row.organization_id, row.work_item_id),
        may_land=bool(row.may_land),
        delta_ms=row.delta_ms,
        batch=row.batch,
        is_active=row.is_active,
        state=WriteBack(row.state) if known else None,
        reason=row.reason,
        settled_batch=row.settled_batch,
        short_batch=row.short_batch,
        balance=Balance(row.target_ms, row.written, row.lowest) if known else None,
    )
