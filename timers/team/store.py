"""Reads running timers with their users, longest first: a page of all, or those on one work item."""

import uuid
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import running_timers, users
from shared.http.paging import TimeCursor
from shared.tenancy.store import visible_to
from timers.model import RunningTimer
from timers.store import RUNNING_COLUMNS, to_running_timer


@dataclass(frozen=True, slots=True)
class TeamTimer:
    """A running timer with its user."""

    timer: RunningTimer
    user: uuid.UUID
    display_name: str
    email: str


_running = running_timers.c
_PAGE: Final[sa.Select[Any]] = (
    sa.select(*RUNNING_COLUMNS, users.c.public_id.label("user_public_id"), users.c.display_name, users.c.email)
    .join(users, sa.and_(users.c.tenant_id == _running.tenant_id, users.c.id == _running.user_id))
    .where(_running.tenant_id == bindparam("tenant"), visible_to(users, bindparam("viewer")))
    .order_by(_running.started_at, _running.public_id)
    .limit(bindparam("most"))
)
_end_at = bindparam("end_at", type_=_running.started_at.type)
_NEXT_PAGE: Final = _PAGE.where(
    _running.started_at >= _end_at,
    sa.or_(_running.started_at > _end_at, _running.public_id > bindparam("end_public", type_=_running.public_id.type)),
)
_ON_WORK_ITEM: Final = _PAGE.where(
    _running.organization_id == bindparam("organization"), _running.work_item_id == bindparam("item")
)
_OWN_ON_WORK_ITEM: Final = _ON_WORK_ITEM.where(_running.user_id == bindparam("viewer"))


def read_page(
    tx: sa.Connection, tenant_id: int, *, viewer: int, after: TimeCursor | None, limit: int
) -> list[TeamTimer]:
    """At most `limit` running timers after the cursor."""
    parameters: dict[str, Any] = {"tenant": tenant_id, "most": limit, "viewer": viewer}
    if after is None:
        rows = tx.execute(_PAGE, parameters)
    else:
        rows = tx.execute(_NEXT_PAGE, {**parameters, "end_at": after.at, "end_public": after.id})
    return [_team_timer(row) for row in rows]


def read_on_work_item(
    tx: sa.Connection, tenant_id: int, organization_id: int, number: int, *, viewer: int, everyone: bool, limit: int
) -> list[TeamTimer]:
    """At most `limit` running timers on a work item; without `everyone` only the viewer's."""
    this = {"tenant": tenant_id, "organization": organization_id, "item": number, "viewer": viewer, "most": limit}
    rows = tx.execute(_ON_WORK_ITEM if everyone else _OWN_ON_WORK_ITEM, this)
    return [_team_timer(row) for row in rows]


def _team_timer(row: sa.Row[Any]) -> TeamTimer:
    return TeamTimer(to_running_timer(row), row.user_public_id, row.display_name, row.email)
