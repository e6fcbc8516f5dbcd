"""Which entries have hours that are not written back: a condition for lists, in the states that entries tell."""

from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import organizations, write_back_changes, write_back_items


_ZERO: Final = Decimal(0)
_changes, _items = write_back_changes.c, write_back_items.c
_of_item = sa.and_(
    _items.tenant_id == _changes.tenant_id,
    _items.organization_id == _changes.organization_id,
    _items.work_item_id == _changes.work_item_id,
)
_in_organization = sa.and_(
    organizations.c.tenant_id == _changes.tenant_id, organizations.c.id == _changes.organization_id
)
# As shared.tracking.write_backs has it for one change
_state = sa.case(
    (
        _changes.batch <= sa.func.coalesce(_items.settled_batch, 0),
        sa.case(
            (
                sa.and_(_items.short > _ZERO, _changes.delta_ms < 0, _changes.batch >= _items.short_batch),
                sa.literal("short", sa.String),
            ),
            else_=sa.literal("done", sa.String),
        ),
    ),
    (organizations.c.is_active == sa.false(), sa.literal("failed", sa.String)),
    (bindparam("is_on", type_=sa.Integer) == 0, sa.literal("pending", sa.String)),
    (_items.state == "noField", sa.literal("noField", sa.String)),
    (sa.and_(_changes.batch.is_not(None), _items.state == "failed"), sa.literal("failed", sa.String)),
    else_=sa.literal("pending", sa.String),
)
_IS_WANTED: Final = (
    _changes.tenant_id == bindparam("tenant"),
    _state == bindparam("unwritten", type_=sa.String),
)
_some: sa.Select[Any] = (
    sa.select(_changes.entry_id)
    .join(organizations, _in_organization)
    .outerjoin(write_back_items, _of_item)
    .where(*_IS_WANTED)
)
# Two ranges of small indexes: what is in no batch yet, and what is on items that are not done.
ENTRIES: Final = sa.union_all(
    _some.where(_changes.batch.is_(None)), _some.where(_changes.batch.is_not(None), _items.state != "done")
)
