"""Reads a work item's side of the write-back: its organization, where it stands, and time that does not count."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import projects, time_entries, write_back_changes, write_back_items
from shared.tenancy import organization_store
from timers.write_back.item_store import Place
from timers.write_back.model import Balance, Change, WriteBack


_items, _changes, _entries = write_back_items.c, write_back_changes.c, time_entries.c
_ITEM: Final[sa.Select[Any]] = sa.select(write_back_items).where(
    _items.tenant_id == bindparam("tenant"),
    _items.organization_id == bindparam("organization"),
    _items.work_item_id == bindparam("number"),
)
_WAITING: Final[sa.Select[Any]] = sa.select(
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
class Page:
    """A work item in the write-back. `target_ms` has what waits too; `last_seen` is from the newest write."""

    place: Place
    newest: Change | None  # stands for all that wait, else for the last ones; None where nothing was to be written
    target_ms: int
    balance: Balance
    last_seen: Decimal | None
    uncounted_entries: int
    uncounted_ms: int


def find_place(tx: sa.Connection, tenant_id: int, organization: str, number: int) -> Place | None:
    """A work item by the name of its organization; None for one that is not the tenant's."""
    found = organization_store.find(tx, tenant_id, organization)
    return None if found is None else Place(found.id, found.name, found.is_active, number)


def read(tx: sa.Connection, tenant_id: int, place: Place) -> Page:
    where = {"tenant": tenant_id, "organization": place.organization_id, "number": place.number}
    row, waiting = tx.execute(_ITEM, where).first(), tx.execute(_WAITING, where).one()
    uncounted = tx.execute(_NOT_COUNTED, where).one()
    balance = Balance(0, Decimal(0), Decimal(0)) if row is None else Balance(row.target_ms, row.written, row.lowest)
    return Page(
        place=place,
        newest=_newest(place, row, balance, waits=waiting.changes > 0),
        target_ms=balance.target_ms + int(waiting.ms),
        balance=balance,
        last_seen=None if row is None else row.last_seen,
        uncounted_entries=uncounted.entries,
        uncounted_ms=int(uncounted.ms),
    )


def _newest(place: Place, row: Any, balance: Balance, *, waits: bool) -> Change | None:  # noqa: ANN401 - a row, or None
    item = (place.organization_id, place.number)
    if row is None:
        return Change(item, -1, None, place.is_active, None, None, None, None, None) if waits else None
    return Change(
        item=item,
        delta_ms=-1,  # what is missing is told of the item, whichever change met it
        batch=None if waits else row.last_batch,
        is_active=place.is_active,
        state=WriteBack(row.state),
        reason=row.reason,
        settled_batch=row.settled_batch,
        short_batch=row.short_batch,
        balance=balance,
    )
