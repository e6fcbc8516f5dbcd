"""Reads the write-back of a work item: its progress, its balance, and the time of entries that do not count."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import projects, time_entries, write_back_changes, write_back_items
from shared.tenancy import organization_store
from timers.write_back.item_store import WorkItemRef
from timers.write_back.model import Balance, Change, WriteBack


_items, _changes, _entries = write_back_items.c, write_back_changes.c, time_entries.c
_ITEM: Final[sa.Select[Any]] = sa.select(write_back_items).where(
    _items.tenant_id == bindparam("tenant"),
    _items.organization_id == bindparam("organization"),
    _items.work_item_id == bindparam("number"),
)
_PENDING: Final[sa.Select[Any]] = sa.select(
    sa.func.count().label("changes"),
    sa.func.coalesce(sa.func.sum(_changes.delta_ms, type_=sa.BigInteger), 0).label("ms"),
).where(
    _changes.tenant_id == bindparam("tenant"),
    _changes.organization_id == bindparam("organization"),
    _changes.work_item_id == bindparam("number"),
    _changes.batch.is_(None),
)
_NOT_COUNTED: Final[sa.Select[Any]] = (
    sa.select(
        sa.func.count().label("entries"),
        sa.func.coalesce(sa.func.sum(_entries.elapsed_ms, type_=sa.BigInteger), 0).label("ms"),
    )
    .join(projects, sa.and_(projects.c.tenant_id == _entries.tenant_id, projects.c.id == _entries.project_id))
    .where(
        _entries.tenant_id == bindparam("tenant"),
        _entries.work_item_id == bindparam("number"),
        projects.c.organization_id == bindparam("organization"),
        ~sa.exists().where(_changes.tenant_id == _entries.tenant_id, _changes.entry_id == _entries.public_id),
    )
)


@dataclass(frozen=True, slots=True)
class Summary:
    """The write-back of a work item. `target_ms` includes pending changes; `last_seen` is from the newest write."""

    item: WorkItemRef
    newest: Change | None  # represents the pending changes, else the last ones; None without any change
    target_ms: int
    balance: Balance
    last_seen: Decimal | None
    uncounted_entries: int
    uncounted_ms: int


def find_work_item(tx: sa.Connection, tenant_id: int, organization: str, number: int) -> WorkItemRef | None:
    """A work item by its organization's name; None for an organization that is not the tenant's."""
    known = organization_store.find(tx, tenant_id, organization)
    return None if known is None else WorkItemRef(known.id, known.name, known.is_active, number)


def read(tx: sa.Connection, tenant_id: int, item: WorkItemRef) -> Summary:
    key = {"tenant": tenant_id, "organization": item.organization_id, "number": item.number}
    row, pending = tx.execute(_ITEM, key).first(), tx.execute(_PENDING, key).one()
    uncounted = tx.execute(_NOT_COUNTED, key).one()
    balance = Balance(0, Decimal(0), Decimal(0)) if row is None else Balance(row.target_ms, row.written, row.lowest)
    return Summary(
        item=item,
        newest=_newest(item, row, balance, is_pending=pending.changes > 0),
        target_ms=balance.target_ms + int(pending.ms),
        balance=balance,
        last_seen=None if row is None else row.last_seen,
        uncounted_entries=uncounted.entries,
        uncounted_ms=int(uncounted.ms),
    )


def _newest(item: WorkItemRef, row: Any, balance: Balance, *, is_pending: bool) -> Change | None:  # noqa: ANN401 - a row, or None
    key = (item.organization_id, item.number)
    if row is None:
        return Change(key, -1, None, item.is_active, None, None, None, None, None) if is_pending else None
    return Change(
        item=key,
        delta_ms=-1,  # so that short hours of the item are shown, whichever change they are of
        batch=None if is_pending else row.last_batch,
        is_active=item.is_active,
        state=WriteBack(row.state),
        reason=row.reason,
        settled_batch=row.settled_batch,
        short_batch=row.short_batch,
        balance=balance,
    )
