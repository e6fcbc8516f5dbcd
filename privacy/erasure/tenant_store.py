"""The rows of a whole organisation: whether it may be erased, what goes, and what of the organisation itself stays."""

import datetime as dt
import uuid
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from privacy.catalogue.columns import CATALOGUE
from privacy.catalogue.kinds import Rows
from shared.db.schema import billing_records, metadata, subscriptions, tenants
from shared.tenancy.model import TenantStatus


BATCH: Final = 1000
_subscriptions, _records = subscriptions.c, billing_records.c
_LIVE: Final[sa.Select[Any]] = (
    sa.select(_subscriptions.id)
    .where(
        _subscriptions.tenant_id == bindparam("tenant"),
        _subscriptions.status.in_(("pending", "subscribed", "suspended")),
    )
    .limit(1)
)
_UNBILLED: Final[sa.Select[Any]] = (
    sa.select(_subscriptions.id)
    .where(
        _subscriptions.tenant_id == bindparam("tenant"),
        _subscriptions.paid_from.is_not(None),
        ~sa.exists().where(
            _records.tenant_id == bindparam("tenant"),
            _records.subscription_id == _subscriptions.id,
            _records.kind == "final",
            _records.state == "closed",
        ),
    )
    .limit(1)
)
_CLOSE: Final = (
    tenants.update()
    .where(tenants.c.id == bindparam("tenant"), tenants.c.erased_at.is_(None))
    .values(
        status=TenantStatus.CANCELLED.value,
        admin_email=None,
        erased_at=bindparam("now"),
        version=tenants.c.version + 1,
        updated_at=bindparam("now"),
    )
)
_PUBLIC_ID: Final = sa.select(tenants.c.public_id).where(tenants.c.id == bindparam("tenant"))


def _remove(table: sa.Table) -> sa.Delete:
    """A batch of a table's rows, by the key that is not the tenant's."""
    key = next(table.c[name] for name in ("id", "entry_id", "user_id") if name in table.c)
    of_tenant = table.c.tenant_id == bindparam("tenant")
    some = sa.select(key).where(of_tenant, *_not_pointed_at(table)).limit(BATCH).scalar_subquery()
    return table.delete().where(of_tenant, key.in_(some))


def _not_pointed_at(table: sa.Table) -> list[sa.ColumnElement[bool]]:
    """Of a table whose rows point at each other: those that no other one points at, which go first."""
    other = table.alias("other")
    own = [foreign for foreign in table.foreign_key_constraints if foreign.referred_table is table]
    pointing = [
        sa.and_(*(other.c[pair.parent.name] == table.c[pair.column.name] for pair in foreign.elements))
        for foreign in own
    ]
    return [~sa.exists().where(other.c.tenant_id == bindparam("tenant"), sa.or_(*pointing))] if pointing else []


# What points at other rows goes before them.
GOING: Final = {
    table.name: _remove(table)
    for table in reversed(metadata.sorted_tables)
    if CATALOGUE[table.name].tenant_erased is Rows.GO and table.name != "action_log" and "tenant_id" in table.c
}


def is_live(tx: sa.Connection, tenant_id: int) -> bool:
    """Whether the organisation has a subscription that has not ended."""
    return tx.execute(_LIVE, {"tenant": tenant_id}).first() is not None


def is_unbilled(tx: sa.Connection, tenant_id: int) -> bool:
    """Whether a subscription that was paid for has no final bill yet."""
    return tx.execute(_UNBILLED, {"tenant": tenant_id}).first() is not None


def close(tx: sa.Connection, tenant_id: int, *, now: dt.datetime) -> None:
    """From now on the organisation is erased: nobody comes in, nothing begins, its rows go."""
    tx.execute(_CLOSE, {"tenant": tenant_id, "now": now})


def remove_some(tx: sa.Connection, *, name: str, tenant_id: int) -> int:
    """Removes a batch of a table's rows; how many."""
    return tx.execute(GOING[name], {"tenant": tenant_id}).rowcount


def public_id(tx: sa.Connection, tenant_id: int) -> uuid.UUID:
    found: uuid.UUID = tx.execute(_PUBLIC_ID, {"tenant": tenant_id}).scalar_one()
    return found
