"""Reads the work items on which a person worked last, from their running timer and their entries."""

import datetime as dt
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import projects, running_timers, time_entries
from timers.picker.item_store import JOINED_NAME, TENANT, VIEWER, listed_columns, to_item, with_cache, with_project
from timers.picker.model import RecentItem
from timers.work_items import read_since


_MAX_ENTRIES: Final = 500  # the newest, so that a list takes the same time after ten years
_entries, _running = time_entries.c, running_timers.c
_newest = (
    sa.select(_entries.project_id, _entries.work_item_id, _entries.started_at)
    .where(_entries.tenant_id == TENANT, _entries.user_id == VIEWER)
    .order_by(_entries.started_at.desc(), _entries.public_id.desc())
    .limit(_MAX_ENTRIES)
    .subquery("newest")
)
_own_timer = sa.select(_running.project_id, _running.work_item_id, _running.started_at).where(
    _running.tenant_id == TENANT, _running.user_id == VIEWER
)
_work = sa.union_all(sa.select(_newest), _own_timer).subquery("work")
_row_number = sa.func.row_number().over(
    partition_by=(projects.c.organization_id, _work.c.work_item_id), order_by=_work.c.started_at.desc()
)
_numbered = (
    sa.select(
        projects.c.organization_id,
        _work.c.work_item_id,
        _work.c.started_at,
        JOINED_NAME.label("own_project"),
        _row_number.label("row_number"),
    )
    .select_from(with_project(_work, _work.c.project_id))
    .subquery("numbered")
)
_item = (_numbered.c.organization_id, _numbered.c.work_item_id)
_RECENT: Final[Any] = (
    sa.select(*listed_columns(_numbered.c.work_item_id, _numbered.c.own_project), _numbered.c.started_at)
    .select_from(with_cache(_numbered, *_item))
    .where(_numbered.c.row_number == 1)
    .order_by(_numbered.c.started_at.desc(), *_item)
    .limit(bindparam("limit", type_=sa.Integer))
)


def read(tx: sa.Connection, tenant_id: int, viewer: int, *, limit: int, now: dt.datetime) -> list[RecentItem]:
    """The work items of the person's running timer and newest 500 entries, the latest start first."""
    values = {"tenant": tenant_id, "viewer": viewer, "read_since": read_since(now), "limit": limit}
    return [RecentItem(to_item(row), row.started_at) for row in tx.execute(_RECENT, values)]
