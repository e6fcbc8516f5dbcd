"""Which entries have hours that are not written back: a condition for lists, in the states that entries tell."""

from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import organizations, write_back_changes, write_back_items
from timers.write_back.store import IS_OPEN, MAY_LAND, OF_ITEM


_ZERO: Final = Decimal(0)
_changes, _items = write_back_changes.c, write_back_items.c
_in_organization = sa.and_(
    organizations.c.tenant_id == _changes.tenant_id, organizations.c.id == _changes.organization_id
)
_MINE: Final = _changes.tenant_id == bindparam("tenant")
_wanted = bindparam("unwritten", type_=sa.String)
# In the text and no parameter: a filtered index serves a statement that names its predicate
_NOT_DONE: Final = _items.state != sa.literal_column("'done'", sa.String)


def _text(value: str) -> sa.ColumnElement[str]:
    return sa.literal(value, sa.String)


# Two ranges of small indexes: what is in no batch yet, and what is on items that are not done.
_open = write_back_changes.alias("open_changes")
_on_items = sa.and_(
    _open.c.tenant_id == _items.tenant_id,
    _open.c.organization_id == _items.organization_id,
    _open.c.work_item_id == _items.work_item_id,
)
_CANDIDATES: Final = sa.union_all(
    sa.select(_open.c.entry_id).where(_open.c.tenant_id == bindparam("tenant"), _open.c.batch.is_(None)),
    sa.select(_open.c.entry_id)
    .join(write_back_items, _on_items)
    .where(
        _items.tenant_id == bindparam("tenant"),
        _open.c.tenant_id == bindparam("tenant"),
        _NOT_DONE,
        _open.c.batch > _items.settled_batch,
    ),
)
_was_tried = sa.func.max(sa.case((_changes.batch.is_not(None), 1), else_=0)) == 1
# As timers.write_back.model has it for the changes of an entry on one item
_state = sa.case(
    (organizations.c.is_active == sa.false(), _text("failed")),
    (bindparam("is_on", type_=sa.Integer) == 0, _text("pending")),
    (_items.state == "noField", _text("noField")),
    (sa.and_(_was_tried, _items.state == "failed"), _text("failed")),
    else_=_text("pending"),
)
_waiting: sa.Select[Any] = (
    sa.select(_changes.entry_id)
    .join(organizations, _in_organization)
    .outerjoin(write_back_items, OF_ITEM)
    .where(
        _MINE,
        _changes.entry_id.in_(_CANDIDATES),
        IS_OPEN,
    )
    .group_by(
        _changes.entry_id,
        organizations.c.id,
        organizations.c.is_active,
        _changes.work_item_id,
        _items.tenant_id,
        _items.id,
        _items.state,
    )
    .having(sa.or_(sa.func.sum(_changes.delta_ms) != 0, MAY_LAND), _state == _wanted)
)
_short: sa.Select[Any] = (
    sa.select(_changes.entry_id)
    .join(write_back_items, OF_ITEM)
    .where(
        _MINE,
        _wanted == "short",
        _NOT_DONE,
        _items.short > _ZERO,
        _changes.delta_ms < 0,
        _changes.batch >= _items.short_batch,
        _changes.batch <= _items.settled_batch,
    )
)
ENTRIES: Final = sa.union_all(_waiting, _short)
