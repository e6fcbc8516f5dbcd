"""Gives the entries of an account to another one: the rows that say whose they are, a batch at a time."""

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import time_entries, time_entry_days, users
from shared.db.statements import for_update
from timers.entries.store import ENTRIES, with_days
from timers.model import TimeEntry


BATCH: Final = 500
_e, _d = time_entries.c, time_entry_days.c
_OWNER: Final = bindparam("owner", type_=sa.BigInteger)
_NEW_OWNER: Final = bindparam("new_owner", type_=sa.BigInteger)
_HELD: Final = for_update(ENTRIES.where(_e.user_id == _OWNER).order_by(_e.id).limit(BATCH), time_entries)
_THESE: Final = (
    _e.tenant_id == bindparam("tenant", type_=sa.BigInteger),
    _e.public_id.in_(bindparam("entries", type_=sa.Uuid, expanding=True)),
)
_GIVE: Final = (
    time_entries.update()
    .where(*_THESE)
    .values(user_id=_NEW_OWNER, version=_e.version + 1, updated_at=bindparam("now", type_=_e.updated_at.type))
)
_GIVE_DAYS: Final = (
    time_entry_days.update()
    .where(
        _d.tenant_id == bindparam("tenant", type_=sa.BigInteger),
        _d.entry_id.in_(sa.select(_e.id).where(*_THESE).scalar_subquery()),
    )
    .values(user_id=_NEW_OWNER)
)
_IS_BEHIND: Final = (
    users.c.merged_into.is_not(None),
    sa.exists().where(_e.tenant_id == users.c.tenant_id, _e.user_id == users.c.id),
)
_BEHIND: Final[sa.Select[Any]] = (
    sa.select(users.c.id, users.c.merged_into)
    .where(users.c.tenant_id == bindparam("tenant", type_=sa.BigInteger), *_IS_BEHIND)
    .order_by(users.c.id)
)
_TENANTS: Final = sa.select(users.c.tenant_id).where(*_IS_BEHIND).distinct().order_by(users.c.tenant_id)


def hold_some(tx: sa.Connection, tenant_id: int, user_id: int) -> list[TimeEntry]:
    """A batch of an account's entries, as they stay until the transaction ends."""
    return with_days(tx, tenant_id, tx.execute(_HELD, {"tenant": tenant_id, "owner": user_id}).all())


def give(tx: sa.Connection, tenant_id: int, entries: Sequence[TimeEntry], *, to: int, now: dt.datetime) -> None:
    """Makes entries that are held another account's, as their next version."""
    these = {"tenant": tenant_id, "entries": [entry.id for entry in entries], "new_owner": to}
    tx.execute(_GIVE_DAYS, these)
    tx.execute(_GIVE, {**these, "now": now})


def left_behind(tx: sa.Connection, tenant_id: int) -> list[tuple[int, int]]:
    """Accounts that have entries though they were merged, each with the person's account."""
    return [(row.id, row.merged_into) for row in tx.execute(_BEHIND, {"tenant": tenant_id})]


def tenants_with_left_behind(tx: sa.Connection) -> Sequence[int]:
    return tx.scalars(_TENANTS).all()
