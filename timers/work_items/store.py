"""The cache of work items, as Azure DevOps last showed them; for reports."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import work_item_readers, work_items
from shared.db.statements import InsertIfAbsent
from shared.tenancy.model import Organization
from shared.tenancy.organization_store import organization_key
from timers.work_items.reader_store import IS_SHOWN, SHOWN, SHOWN_PROJECT, of_viewer, read_since


@dataclass(frozen=True, slots=True)
class CachedWorkItem:
    id: int
    type: str
    title: str
    assignee_name: str | None
    state: str
    project: str | None  # None for an item that was read before projects were stored
    fetched_at: dt.datetime


_items = work_items.c
_ORGANIZATION = (
    _items.tenant_id == bindparam("tenant", type_=sa.BigInteger),
    _items.organization_id == bindparam("organization", type_=sa.BigInteger),
)
_KNOWN: Final[sa.Select[Any]] = sa.select(_items.work_item_id).where(
    *_ORGANIZATION, _items.work_item_id.in_(bindparam("ids", expanding=True))
)
_FIND_SHOWN: Final[sa.Select[Any]] = (
    sa.select(_items.work_item_id, _items.type, *SHOWN, SHOWN_PROJECT, _items.fetched_at, work_item_readers.c.read_on)
    .join(work_item_readers, of_viewer(_items.organization_id, _items.work_item_id))
    .where(*_ORGANIZATION, _items.work_item_id == bindparam("item"), IS_SHOWN)
)
_REFRESH: Final = (
    work_items.update()
    .where(
        *_ORGANIZATION,
        _items.work_item_id == bindparam("item"),
        _items.fetched_at <= bindparam("new_fetched_at", type_=_items.fetched_at.type),  # the newest read stays
    )
    .values(
        type=bindparam("new_type"),
        title=bindparam("new_title"),
        assignee_name=bindparam("new_assignee_name"),
        state=bindparam("new_state"),
        project=bindparam("new_project"),
        fetched_at=bindparam("new_fetched_at", type_=_items.fetched_at.type),
    )
)
_ADD = InsertIfAbsent(
    work_items,
    key=("tenant_id", "organization_id", "work_item_id"),
    columns=(
        "tenant_id",
        "organization_id",
        "organization_key",
        "work_item_id",
        "type",
        "title",
        "assignee_name",
        "state",
        "project",
        "fetched_at",
    ),
)


def find_shown(
    tx: sa.Connection, tenant_id: int, user_id: int, organization_id: int, number: int, *, now: dt.datetime
) -> tuple[CachedWorkItem, dt.date] | None:
    """The cached work item and the day on which the person read it; None if it is not shown to them."""
    this = {"tenant": tenant_id, "viewer": user_id, "organization": organization_id, "item": number}
    row = tx.execute(_FIND_SHOWN, {**this, "read_since": read_since(now)}).first()
    return None if row is None else (CachedWorkItem(*row[:-1]), row.read_on)


def save(tx: sa.Connection, tenant_id: int, organization: Organization, items: Iterable[CachedWorkItem]) -> None:
    """Stores work items; where a newer version is stored already, that stays."""
    items = sorted(items, key=lambda each: each.id)  # in one order, so that two transactions do not deadlock
    these = {"tenant": tenant_id, "organization": organization.id, "ids": [item.id for item in items]}
    known = set(tx.scalars(_KNOWN, these))
    of = {
        "tenant_id": tenant_id,
        "organization_id": organization.id,
        "organization_key": organization_key(organization.name),
    }
    _ADD.run_all(tx, [{**of, **_values(item, "work_item_id", "")} for item in items if item.id not in known])
    again = [item for item in items if item.id in known]
    if again:
        names = {"tenant": tenant_id, "organization": organization.id}
        tx.execute(_REFRESH, [{**names, **_values(item, "item", "new_")} for item in again])


def _values(item: CachedWorkItem, id_name: str, prefix: str) -> dict[str, Any]:
    return {
        id_name: item.id,
        f"{prefix}type": item.type,
        f"{prefix}title": item.title,
        f"{prefix}assignee_name": item.assignee_name,
        f"{prefix}state": item.state,
        f"{prefix}project": item.project,
        f"{prefix}fetched_at": item.fetched_at,
    }
