"""Reads and replaces the favorites of a person, in their order."""

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from shared.db.schema import favorites, projects, time_entries
from timers.picker.item_store import JOINED_NAME, TENANT, VIEWER, listed_columns, to_item, with_cache, with_project
from timers.picker.model import ItemKey, ListedItem
from timers.work_items import read_since


_rows, _entries = favorites.c, time_entries.c
_OF_VIEWER: Final = (_rows.tenant_id == TENANT, _rows.user_id == VIEWER)
_KEYS: Final[Any] = sa.select(_rows.organization_id, _rows.work_item_id).where(*_OF_VIEWER).order_by(_rows.position)
_own_project = (
    sa.select(JOINED_NAME)
    .select_from(with_project(time_entries, _entries.project_id))
    .where(
        _entries.tenant_id == TENANT,
        _entries.user_id == VIEWER,
        _entries.work_item_id == _rows.work_item_id,
        projects.c.organization_id == _rows.organization_id,
    )
    .order_by(_entries.started_at.desc(), _entries.public_id.desc())
    .limit(1)
    .correlate(favorites)
    .scalar_subquery()
)
_LIST: Final[Any] = (
    sa.select(*listed_columns(_rows.work_item_id, _own_project))
    .select_from(with_cache(favorites, _rows.organization_id, _rows.work_item_id))
    .where(*_OF_VIEWER)
    .order_by(_rows.position)
)
_REMOVE_ALL: Final = favorites.delete().where(*_OF_VIEWER)
_ADD: Final = favorites.insert().inline()


def read_keys(tx: sa.Connection, tenant_id: int, user_id: int) -> list[ItemKey]:
    return [ItemKey(*row) for row in tx.execute(_KEYS, {"tenant": tenant_id, "viewer": user_id})]


def read_items(tx: sa.Connection, tenant_id: int, user_id: int, *, now: dt.datetime) -> list[ListedItem]:
    values = {"tenant": tenant_id, "viewer": user_id, "read_since": read_since(now)}
    return [to_item(row) for row in tx.execute(_LIST, values)]


def replace(tx: sa.Connection, tenant_id: int, user_id: int, items: Sequence[ItemKey]) -> None:
    """Replaces the favorites. The person's row must be locked; the keys refuse a duplicate and a 51st."""
    tx.execute(_REMOVE_ALL, {"tenant": tenant_id, "viewer": user_id})
    rows = [
        {
            "tenant_id": tenant_id,
            "user_id": user_id,
            "organization_id": item.organization_id,
            "work_item_id": item.work_item_id,
            "position": position,
        }
        for position, item in enumerate(items, 1)
    ]
    if rows:
        tx.execute(_ADD, rows)
