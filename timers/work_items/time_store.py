"""Sums the time entries of one work item: the viewer's own, and everyone's."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import projects, time_entries, users
from shared.tenancy.store import visible_to


@dataclass(frozen=True, slots=True)
class TimeTotal:
    """The sum of some entries; `last_stopped_at` is the latest end, None without entries."""

    elapsed_ms: int
    entries: int
    last_stopped_at: dt.datetime | None


_entries = time_entries.c
_VIEWER: Final = bindparam("viewer", type_=sa.BigInteger)
_is_own = _entries.user_id == _VIEWER
_TOTALS: Final[Any] = (
    sa.select(
        sa.func.sum(_entries.elapsed_ms).label("all_ms"),
        sa.func.count().label("all_entries"),
        sa.func.max(_entries.stopped_at).label("all_last"),
        sa.func.sum(sa.case((_is_own, _entries.elapsed_ms))).label("own_ms"),
        sa.func.count(sa.case((_is_own, _entries.id))).label("own_entries"),
        sa.func.max(sa.case((_is_own, _entries.stopped_at))).label("own_last"),
    )
    .select_from(time_entries)
    .join(projects, sa.and_(projects.c.tenant_id == _entries.tenant_id, projects.c.id == _entries.project_id))
    .join(users, sa.and_(users.c.tenant_id == _entries.tenant_id, users.c.id == _entries.user_id))
    .where(
        _entries.tenant_id == bindparam("tenant"),
        _entries.work_item_id == bindparam("item"),
        projects.c.organization_id == bindparam("organization"),
        visible_to(users, _VIEWER),
    )
)


def read_totals(
    tx: sa.Connection, tenant_id: int, organization_id: int, number: int, *, viewer: int
) -> tuple[TimeTotal, TimeTotal]:
    """The viewer's total, and that of all people whose time the viewer may see as an admin."""
    this = {"tenant": tenant_id, "organization": organization_id, "item": number, "viewer": viewer}
    row = tx.execute(_TOTALS, this).one()
    own = TimeTotal(int(row.own_ms or 0), row.own_entries, row.own_last)
    return own, TimeTotal(int(row.all_ms or 0), row.all_entries, row.all_last)
