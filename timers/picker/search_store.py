"""Reads the work items for a search: those that the viewer has read, and those of a number with time."""

import datetime as dt
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import projects, time_entries, users, work_item_readers
from shared.tenancy.store import visible_to
from timers.picker.item_store import JOINED_NAME, TENANT, VIEWER, listed_columns, to_item, with_cache, with_project
from timers.picker.model import ListedItem
from timers.work_items import IS_SHOWN, read_since


_MAX_READ: Final = 5_000  # the last read, so that a search takes the same time for everybody
_MAX_TRACKED: Final = 20  # of one number, in as many organizations
_readers, _entries = work_item_readers.c, time_entries.c
_own = (_readers.tenant_id == TENANT, _readers.user_id == VIEWER)
_own_readings = (
    sa.select(_readers.organization_id, _readers.work_item_id, _readers.read_on)
    .where(*_own, _readers.read_on >= bindparam("read_since", type_=_readers.read_on.type))
    .order_by(_readers.read_on.desc(), _readers.organization_id, _readers.work_item_id.desc())
    .limit(_MAX_READ)
    .subquery("own_readings")
)
_read = (_own_readings.c.organization_id, _own_readings.c.work_item_id)
_READ: Final[Any] = (
    sa.select(*listed_columns(_own_readings.c.work_item_id, sa.null()))
    .select_from(with_cache(_own_readings, *_read))
    .where(IS_SHOWN)
    .order_by(_own_readings.c.read_on.desc(), _read[0], _read[1].desc())
)


def _tracked(*conditions: sa.ColumnElement[bool]) -> sa.Subquery:
    """The organizations with time on a number, with the project of the newest."""
    person = sa.and_(users.c.tenant_id == _entries.tenant_id, users.c.id == _entries.user_id)
    row_number = sa.func.row_number().over(partition_by=projects.c.organization_id, order_by=_entries.started_at.desc())
    return (
        sa.select(projects.c.organization_id, JOINED_NAME.label("own_project"), row_number.label("row_number"))
        .select_from(with_project(time_entries, _entries.project_id).join(users, person))
        .where(
            _entries.tenant_id == TENANT,
            _entries.work_item_id == bindparam("number", type_=sa.BigInteger),
            *conditions,
        )
        .subquery("tracked")
    )


def _with_time(tracked: sa.Subquery) -> Any:  # noqa: ANN401 - a SELECT of many columns
    number = bindparam("number", type_=sa.BigInteger)
    return (
        sa.select(*listed_columns(number.label("work_item_id"), tracked.c.own_project))
        .select_from(with_cache(tracked, tracked.c.organization_id, number))
        .where(tracked.c.row_number == 1)
        .order_by(tracked.c.organization_id)
        .limit(_MAX_TRACKED)
    )


_TRACKED: Final = _with_time(_tracked(visible_to(users, VIEWER)))
_TRACKED_BY_VIEWER: Final = _with_time(_tracked(_entries.user_id == VIEWER))


def read_items(tx: sa.Connection, tenant_id: int, viewer: int, *, now: dt.datetime) -> list[ListedItem]:
    """The 5,000 work items that the viewer read last in Azure DevOps, with their titles."""
    values = {"tenant": tenant_id, "viewer": viewer, "read_since": read_since(now)}
    return [to_item(row) for row in tx.execute(_READ, values)]


def read_by_number(
    tx: sa.Connection, tenant_id: int, number: int, *, viewer: int, everyone: bool, now: dt.datetime
) -> list[ListedItem]:
    """The work items of this number in all organizations, with time that the viewer may see."""
    values = {"tenant": tenant_id, "viewer": viewer, "number": number, "read_since": read_since(now)}
    return [to_item(row) for row in tx.execute(_TRACKED if everyone else _TRACKED_BY_VIEWER, values)]
