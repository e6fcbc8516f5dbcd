"""Reads the timer log, newest event first, a page at a time."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import projects, timer_log, users
from shared.tenancy.store import shown_to


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
    .where(_log.tenant_id == bindparam("tenant"), shown_to(users, bindparam("viewer")))
    .limit(bindparam("most"))
)
_end = timer_log.alias("page_end")
_AFTER: Final = _log.id < (
    sa.select(_end.c.id)
    .where(
        _end.c.tenant_id == bindparam("tenant"),
        _end.c.timer_id == bindparam("end_timer"),
        _end.c.event == bindparam("end_event"),
        _end.c.entry_version == bindparam("end_version"),
    )
    .scalar_subquery()
)
_OF_USER: Final = _log.user_id == bindparam("user")
_OF_TIMER: Final = _log.timer_id == bindparam("timer")


def statement(
    user_id: int | None, timer_id: uuid.UUID | None, after: LogCursor | None
) -> tuple[sa.Select[Any], dict[str, Any]]:
    """The SELECT for these filters and its parameters; SQLAlchemy compiles each combination once."""
    select, parameters = _PAGE, dict[str, Any]()
    if user_id is not None:
        select, parameters = select.where(_OF_USER), {"user": user_id}
    if timer_id is None:
        select = select.order_by(_log.id.desc())
    else:
        # Sorted, as one timer has few rows: by the index on ids SQLite would read the whole log.
        select = select.where(_OF_TIMER).order_by((_log.id + 0).desc())
        parameters |= {"timer": timer_id}
    if after is not None:
        select = select.where(_AFTER)
        parameters |= {"end_timer": after.timer_id, "end_event": after.event, "end_version": after.entry_version}
    return select, parameters


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
    select, parameters = statement(user_id, timer_id, after)
    rows = tx.execute(select, {"tenant": tenant_id, "most": limit, "viewer": viewer, **parameters})
    return [LogRow(*row) for row in rows]
