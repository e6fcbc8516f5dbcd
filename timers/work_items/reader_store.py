"""The readers of work items: the people to whom Azure DevOps showed an item, and the day.

Title, assignee and state are selected as `SHOWN`, and the project as `SHOWN_PROJECT`, which are NULL for everybody
else, whatever their role.
"""

import datetime as dt
from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import users, work_item_readers, work_items
from shared.db.statements import InsertIfAbsent
from shared.db.types import Day
from shared.tenancy.store import not_restricted


SHOWN_FOR: Final = dt.timedelta(days=30)
_readers, _items = work_item_readers.c, work_items.c
_TENANT: Final = bindparam("tenant", type_=sa.BigInteger)
VIEWER: Final = bindparam("viewer", type_=sa.BigInteger)
READ_SINCE: Final = bindparam("read_since", type_=Day)
# A blanked item has no title; it is shown again after the next read.
IS_SHOWN: Final = sa.and_(_readers.read_on.is_not(None), _items.title != sa.literal("", sa.Unicode))
HIDDEN_FROM_OTHERS: Final = (_items.title, _items.assignee_name, _items.state, _items.project)
_USER: Final = bindparam("user", type_=sa.BigInteger)
_ORGANIZATION: Final = bindparam("organization", type_=sa.BigInteger)
_NUMBERS: Final = bindparam("items", expanding=True, type_=sa.BigInteger)
_TODAY: Final = bindparam("today", type_=Day)
_THESE: Final = (
    _readers.tenant_id == _TENANT,
    _readers.user_id == _USER,
    _readers.organization_id == _ORGANIZATION,
    _readers.work_item_id.in_(_NUMBERS),
)
_KNOWN: Final[sa.Select[Any]] = sa.select(_readers.work_item_id, _readers.read_on).where(*_THESE)
# In the statement, so that a restriction at the same moment takes effect: no reading of that person is stored.
_MAY_BE_STORED: Final = (
    users.c.tenant_id == _TENANT,
    users.c.id == _USER,
    users.c.is_active == sa.true(),
    not_restricted(users),
)
_ADD: Final = InsertIfAbsent(
    work_item_readers,
    key=("tenant_id", "user_id", "organization_id", "work_item_id"),
    columns=("tenant_id", "user_id", "organization_id", "work_item_id", "read_on"),
    source=sa.select(
        users.c.tenant_id,
        users.c.id.label("user_id"),
        _items.organization_id,
        _items.work_item_id,
        _TODAY.label("read_on"),
    )
    .select_from(work_items)
    .join(users, users.c.tenant_id == _items.tenant_id)
    .where(
        *_MAY_BE_STORED,
        _items.tenant_id == _TENANT,
        _items.organization_id == _ORGANIZATION,
        _items.work_item_id.in_(_NUMBERS),
    ),
    finds_many=True,
)
_UPDATE_DAY: Final = (
    work_item_readers.update()
    .where(
        *_THESE,
        _readers.read_on < _TODAY,
        sa.exists().where(*_MAY_BE_STORED),
    )
    .values(read_on=_TODAY)
)
_REMOVE: Final = work_item_readers.delete().where(*_THESE)


def shown(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """A column of a work item for the viewer; the statement joins the readers with `of_viewer`."""
    return sa.case((IS_SHOWN, column))


SHOWN: Final = tuple(shown(column).label(column.name) for column in HIDDEN_FROM_OTHERS if column.name != "project")
SHOWN_PROJECT: Final = shown(_items.project).label("project")  # apart, since time has a project of its own


def read_since(now: dt.datetime) -> dt.date:
    """The first day, in UTC, of a valid reading."""
    return (now - SHOWN_FOR).date()


def of_viewer(organization_id: sa.ColumnElement[Any], work_item_id: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Joins a work item with the viewer's valid reading of it."""
    return sa.and_(
        _readers.tenant_id == _TENANT,
        _readers.user_id == VIEWER,
        _readers.organization_id == organization_id,
        _readers.work_item_id == work_item_id,
        _readers.read_on >= READ_SINCE,
    )


def add(
    tx: sa.Connection, tenant_id: int, user_id: int, organization_id: int, items: Iterable[int], *, today: dt.date
) -> None:
    """Records that a person has read these items today, with at most one write for each item and day.

    Nothing is recorded of a person whose data processing is restricted.
    """
    numbers = set(items)
    these = {"tenant": tenant_id, "user": user_id, "organization": organization_id, "today": today}
    known = {row.work_item_id: row.read_on for row in tx.execute(_KNOWN, {**these, "items": sorted(numbers)})}
    if new := sorted(numbers - known.keys()):
        _ADD.run_many(tx, {**these, "items": new})
    if again := sorted(item for item, day in known.items() if day < today):
        tx.execute(_UPDATE_DAY, {**these, "items": again})


def remove(tx: sa.Connection, tenant_id: int, user_id: int, organization_id: int, items: Iterable[int]) -> None:
    """Removes a person's readings, since Azure DevOps does not show them these items."""
    these = {"tenant": tenant_id, "user": user_id, "organization": organization_id}
    tx.execute(_REMOVE, {**these, "items": list(items)})
