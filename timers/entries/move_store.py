"""Changes the owner of entries, in batches."""

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import time_entries, time_entry_days, users
from shared.db.statements import for_update
from timers.entries.store import ENTRIES, with_days
from timers.model import TimeEntry


_BATCH: Final = 500
_e, _d = time_entries.c, time_entry_days.c
_OWNER: Final = bindparam("owner", type_=sa.BigInteger)
_NEW_OWNER: Final = bindparam("new_owner", type_=sa.BigInteger)
_BATCH_FOR_UPDATE: Final = for_update(ENTRIES.where(_e.user_id == _OWNER).order_by(_e.id).limit(_BATCH), time_entries)
_THESE: Final = (
    _e.tenant_id == bindparam("tenant", type_=sa.BigInteger),
    _e.public_id.in_(bindparam("entries", type_=sa.Uuid, expanding=True)),
)
_SET_OWNER: Final = (
    time_entries.update()
    .where(*_THESE)
    .values(user_id=_NEW_OWNER, version=_e.version + 1, updated_at=bindparam("now", type_=_e.updated_at.type))
)
_SET_OWNER_OF_DAYS: Final = (
    time_entry_days.update()
    .where(
        _d.tenant_id == bindparam("tenant", type_=sa.BigInteger),
        _d.entry_id.in_(sa.select(_e.id).where(*_THESE).scalar_subquery()),
    )
    .values(user_id=_NEW_OWNER)
)
_IS_LEFT_BEHIND: Final = (
    users.c.merged_into.is_not(None),
    sa.exists().where(_e.tenant_id == users.c.tenant_id, _e.user_id == users.c.id),
)
_LEFT_BEHIND: Final[sa.Select[Any]] = (
    sa.select(users.c.id, users.c.merged_into)
    .where(users.c.tenant_id == bindparam("tenant", type_=sa.BigInteger), *_IS_LEFT_BEHIND)
    .order_by(users.c.id)
)
_TENANTS: Final = sa.select(users.c.tenant_id).where(*_IS_LEFT_BEHIND).distinct().order_by(users.c.tenant_id)


def lock_batch(tx: sa.Connection, tenant_id: int, user_id: int) -> list[TimeEntry]:
    """Locks and returns a batch of a user's entries."""
    return with_days(tx, tenant_id, tx.execute(_BATCH_FOR_UPDATE, {"tenant": tenant_id, "owner": user_id}).all())


def set_owner(tx: sa.Connection, tenant_id: int, entries: Sequence[TimeEntry], *, to: int, now: dt.datetime) -> None:
    """Gives locked entries to another user, as their next version."""
    these = {"tenant": tenant_id, "entries": [entry.id for entry in entries], "new_owner": to}
    tx.execute(_SET_OWNER_OF_DAYS, these)
    tx.execute(_SET_OWNER, {**these, "now": now})


def find_left_behind(tx: sa.Connection, tenant_id: int) -> list[tuple[int, int]]:
    """Merged invitations that still have entries, each with the person that they were merged into."""
    return [(row.id, row.merged_into) for row in tx.execute(_LEFT_BEHIND, {"tenant": tenant_id})]


def tenants_with_left_behind(tx: sa.Connection) -> Sequence[int]:
    return tx.scalars(_TENANTS).all()
