"""Reads the timer log, newest event first, a page at a time."""

import datetime as dt
import uuid
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import projects, timer_log, users
from shared.tenancy.store import visible_to


@dataclass(frozen=True, slots=True)
class LogRow:
    timer_id: uuid.UUID
    event: str
    user_id: uuid.UUID
    actor_id: uuid.UUID | None
    organization: str
    project: str
    work_item_id: int
    happened_at: dt.datetime
    received_at: dt.datetime
    elapsed_ms: int | None
    entry_version: int
    reported_late: bool
    reason: str | None
    is_adjustment: bool
    before: object  # JSON, as stored
    after: object


@dataclass(frozen=True, slots=True)
class LogCursor:
    """A position in the log: the unique key of the last event of a page."""

    timer_id: uuid.UUID
    event: str
    entry_version: int


_log = timer_log.c
_actors = users.alias("actors")
_persons = users.alias("persons")  # of merged invitations
_PAGE: Final[sa.Select[Any]] = (
    sa.select(
        _log.timer_id,
        _log.event,
        sa.func.coalesce(_persons.c.public_id, users.c.public_id).label("user_id"),
        _actors.c.public_id.label("actor_id"),
        projects.c.organization,
        projects.c.name.label("project"),
        _log.work_item_id,
        _log.happened_at,
        _log.received_at,
        _log.elapsed_ms,
        _log.entry_version,
        _log.reported_late,
        _log.reason,
        _log.is_adjustment,
        _log.before_change,
        _log.after_change,
    )
    .join(users, sa.and_(users.c.tenant_id == _log.tenant_id, users.c.id == _log.user_id))
    .join(projects, sa.and_(projects.c.tenant_id == _log.tenant_id, projects.c.id == _log.project_id))
    .outerjoin(_persons, sa.and_(_persons.c.tenant_id == users.c.tenant_id, _persons.c.id == users.c.merged_into))
    .outerjoin(_actors, sa.and_(_actors.c.tenant_id == _log.tenant_id, _actors.c.id == _log.actor_id))
    .where(_log.tenant_id == bindparam("tenant"), visible_to(users, bindparam("viewer")))
    .limit(bindparam("most"))
)
_end = timer_log.alias("page_end")
_CONDITIONS: Final[dict[str, sa.ColumnElement[bool]]] = {
    "user": _log.user_id == bindparam("user"),
    "timer": _log.timer_id == bindparam("timer"),
    "after": _log.id
    < sa.select(_end.c.id)
    .where(
        _end.c.tenant_id == bindparam("tenant"),
        _end.c.timer_id == bindparam("end_timer"),
        _end.c.event == bindparam("end_event"),
        _end.c.entry_version == bindparam("end_version"),
    )
    .scalar_subquery(),
}


@cache
def statement(conditions: tuple[str, ...]) -> sa.Select[Any]:
    """The SELECT with some of the conditions; built when it is first needed."""
    # One timer has few events, which are sorted: by the index on ids SQLite would read the whole log.
    order = _log.id + 0 if "timer" in conditions else _log.id
    return _PAGE.where(*(_CONDITIONS[name] for name in conditions)).order_by(order.desc())


def read_page(
    tx: sa.Connection,
    tenant_id: int,
    *,
    viewer: int,
    user_id: int | None,
    timer_id: uuid.UUID | None,
    after: LogCursor | None,
    limit: int,
) -> list[LogRow]:
    """At most `limit` events after the cursor, of one user and one timer if they are given."""
    given: dict[str, dict[str, Any]] = {}
    if user_id is not None:
        given["user"] = {"user": user_id}
    if timer_id is not None:
        given["timer"] = {"timer": timer_id}
    if after is not None:
        key = {"end_timer": after.timer_id, "end_event": after.event, "end_version": after.entry_version}
        given["after"] = key
    parameters: dict[str, Any] = {"tenant": tenant_id, "most": limit, "viewer": viewer}
    for values in given.values():
        parameters |= values
    return [LogRow(*row) for row in tx.execute(statement(tuple(given)), parameters)]
