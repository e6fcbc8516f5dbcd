"""Counts the pending work of all tenants while a database is held."""

import datetime as dt
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from billing.closing.service import due_tenants
from privacy.requests.store import list_due
from shared.db.schema import restore_changes, subscriptions, usage_events, write_back_items


_e = usage_events.c
_USAGE: Final = sa.select(sa.func.count().label("events"), sa.func.min(_e.slot).label("oldest")).where(
    _e.state.in_(["pending", "held"])
)
_ITEMS: Final = (
    sa.select(sa.func.count())
    .select_from(write_back_items)
    .where(write_back_items.c.checked_epoch < bindparam("epoch", type_=sa.Integer))
)
_CHANGES: Final = sa.select(sa.func.count()).select_from(restore_changes)
_BOUGHT: Final = (
    sa.select(sa.func.count()).select_from(subscriptions).where(subscriptions.c.marketplace_id.is_not(None))
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """`oldest_slot` is the oldest hour of pending usage."""

    due_tenants: int
    usage: int
    oldest_slot: dt.datetime | None
    erasures: int
    work_items: int
    changes: int


def waiting(tx: sa.Connection, epoch: int, *, now: dt.datetime) -> Waiting:
    """Pending work by kind; work items count once a restore is accepted."""
    usage = tx.execute(_USAGE).one()
    return Waiting(
        due_tenants=len(due_tenants(tx, now)),
        usage=usage.events,
        oldest_slot=usage.oldest,
        erasures=len(list_due(tx, now)),
        work_items=tx.execute(_ITEMS, {"epoch": epoch}).scalar_one(),
        changes=tx.execute(_CHANGES).scalar_one(),
    )


def has_purchases(tx: sa.Connection) -> bool:
    """Whether there was ever a purchase in the Marketplace."""
    return bool(tx.execute(_BOUGHT).scalar_one())
