"""Finds timers that exceed their tenant's limit, and locks their users."""

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import running_timers, tenants, users
from shared.db.statements import for_update
from timers.days import elapsed_ms


@dataclass(frozen=True, slots=True)
class OverdueTimer:
    user_id: int
    timer_id: uuid.UUID


_running = running_timers.c
_TENANTS: Final[sa.Select[Any]] = (
    sa.select(tenants.c.id, tenants.c.forgotten_timer_limit_ms, sa.func.min(_running.started_at).label("oldest"))
    .join(running_timers, _running.tenant_id == tenants.c.id)
    .group_by(tenants.c.id, tenants.c.forgotten_timer_limit_ms)
    .order_by(tenants.c.id)
)
_OVERDUE: Final[sa.Select[Any]] = (
    sa.select(_running.user_id, _running.public_id)
    .where(_running.tenant_id == bindparam("tenant"), _running.started_at < bindparam("before"))
    .order_by(_running.user_id)
    .limit(bindparam("most"))
)
# The version is in no index: with ids alone SQL Server would lock an index key and not the row, which requests lock.
_USERS_FOR_UPDATE: Final = for_update(
    sa.select(users.c.id, users.c.version)
    .where(users.c.tenant_id == bindparam("tenant"), users.c.id.in_(bindparam("users", expanding=True)))
    .order_by(users.c.id),
    users,
)


def tenants_with_overdue(tx: sa.Connection, now: dt.datetime) -> list[int]:
    """The tenants whose oldest timer exceeds the limit; computed here, since SQL dialects add times differently."""
    rows = tx.execute(_TENANTS)
    return [row.id for row in rows if elapsed_ms(row.oldest, now) > row.forgotten_timer_limit_ms]


def find_overdue(tx: sa.Connection, tenant_id: int, *, before: dt.datetime, limit: int) -> list[OverdueTimer]:
    """At most `limit` running timers that started before an instant, by user."""
    rows = tx.execute(_OVERDUE, {"tenant": tenant_id, "before": before, "most": limit})
    return [OverdueTimer(row.user_id, row.public_id) for row in rows]


def lock_users(tx: sa.Connection, tenant_id: int, user_ids: Iterable[int]) -> None:
    """Locks these users, as their own writing requests do."""
    tx.execute(_USERS_FOR_UPDATE, {"tenant": tenant_id, "users": list(user_ids)}).all()
