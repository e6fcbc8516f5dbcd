"""Reads the bills of every tenant page by page, and finds one by its id."""

import uuid
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.calendar import Month
from shared.db.schema import adopted_usage, billing_records, tenants, usage_events


_r, _e, _a = billing_records.c, usage_events.c, adopted_usage.c
_TENANT: Final = bindparam("tenant", type_=sa.BigInteger)
_MONTH: Final = bindparam("month", type_=sa.Integer)
_ADOPTED: Final = (
    sa.select(sa.func.sum(_a.quantity))
    .where(_a.tenant_id == _r.tenant_id, _a.marketplace_id == _r.marketplace_id, _a.month_key == _r.month_key)
    .scalar_subquery()
    .label("adopted")
)
_BILLS: Final[sa.Select[Any]] = (
    sa.select(billing_records, tenants.c.slug, _e.state.label("usage"), _ADOPTED)
    .join(tenants, tenants.c.id == _r.tenant_id)
    .outerjoin(usage_events, sa.and_(_e.tenant_id == _r.tenant_id, _e.record_id == _r.id))
)
_PAGE: Final = (
    _BILLS.where(
        _r.id > bindparam("after", type_=sa.BigInteger),
        sa.or_(_TENANT.is_(None), _r.tenant_id == _TENANT),
        sa.or_(_MONTH.is_(None), _r.month_key == _MONTH),
    )
    .order_by(_r.id)
    .limit(bindparam("size", type_=sa.Integer))
)
_FIND: Final = _BILLS.where(_r.public_id == bindparam("public", type_=sa.Uuid))


def page_of_bills(
    tx: sa.Connection, *, after: int, size: int, tenant_id: int | None, month: Month | None
) -> Sequence[sa.Row[Any]]:
    """The next bills by date of closing, of a tenant, of a month."""
    month_key = None if month is None else month.key
    return tx.execute(_PAGE, {"after": after, "size": size, "tenant": tenant_id, "month": month_key}).all()


def find_bill(tx: sa.Connection, public_id: uuid.UUID) -> sa.Row[Any] | None:
    return tx.execute(_FIND, {"public": public_id}).first()
