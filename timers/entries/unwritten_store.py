"""The entries whose write-back is not done, by status: a condition for lists."""

from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import organizations, write_back_changes, write_back_items
from timers.write_back.model import WriteBack
from timers.write_back.store import HAS_OPEN_ATTEMPT, IS_OPEN, OF_ITEM


_ZERO: Final = Decimal(0)
_changes, _items = write_back_changes.c, write_back_items.c
_in_organization = sa.and_(
    organizations.c.tenant_id == _changes.tenant_id, organizations.c.id == _changes.organization_id
)
_OF_TENANT: Final = _changes.tenant_id == bindparam("tenant")
_status = bindparam("unwritten", type_=sa.String)
# Literally, not as a parameter: the database uses a filtered index only for its own predicate
_NOT_DONE: Final = _items.state != sa.literal_column("'done'", sa.String)


def _literal(status: WriteBack) -> sa.ColumnElement[str]:
    return sa.literal(status.value, sa.String)


# Two ranges of small indexes: changes without a batch, and changes on items that are not done.
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
# As `progress` of timers.write_back.model computes it for the changes of an entry on one item
_state = sa.case(
    (organizations.c.is_active == sa.false(), _literal(WriteBack.FAILED)),
    (bindparam("is_on", type_=sa.Integer) == 0, _literal(WriteBack.PENDING)),
    (_items.state == WriteBack.NO_FIELD.value, _literal(WriteBack.NO_FIELD)),
    (sa.and_(_was_tried, _items.state == WriteBack.FAILED.value), _literal(WriteBack.FAILED)),
    else_=_literal(WriteBack.PENDING),
)
_pending: sa.Select[Any] = (
    sa.select(_changes.entry_id)
    .join(organizations, _in_organization)
    .outerjoin(write_back_items, OF_ITEM)
    .where(
        _OF_TENANT,
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
    .having(sa.or_(sa.func.sum(_changes.delta_ms) != 0, HAS_OPEN_ATTEMPT), _state == _status)
)
_short: sa.Select[Any] = (
    sa.select(_changes.entry_id)
    .join(write_back_items, OF_ITEM)
    .where(
        _OF_TENANT,
        _status == WriteBack.SHORT.value,
        _NOT_DONE,
        _items.short > _ZERO,
        _changes.delta_ms < 0,
        _changes.batch >= _items.short_batch,
        _changes.batch <= _items.settled_batch,
    )
)
ENTRIES: Final = sa.union_all(_pending, _short)
