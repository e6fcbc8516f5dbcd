"""Reads the timer log, newest first, a page at a time."""

import datetime as dt
import itertools
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
    before: object  # JSON, as it is on record
    after: object


@dataclass(frozen=True, slots=True)
class LogEnd:
    """The row at which a page ended, by its unique key."""

    timer_id: uuid.UUID
    event: str
    entry_version: int


_log = timer_log.c
_actors = users.alias("actors")
_persons = users.alias("persons")  # of invitations that were merged
_EVERYONE: Final[sa.Select[Any]] = (
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
# Keyset paging: the page before ended at a row that its unique key names, since row numbers stay inside.
_end = timer_log.alias("page_end")
_OLDER = _log.id < (
    sa.select(_end.c.id)
    .where(
        _end.c.tenant_id == bindparam("tenant"),
        _end.c.timer_id == bindparam("end_timer"),
        _end.c.event == bindparam("end_event"),
        _end.c.entry_version == bindparam("end_version"),
    )
    .scalar_subquery()
)
_PARTS: Final = {
    "user": _log.user_id == bindparam("user"),
    "timer": _log.timer_id == bindparam("timer"),
    "end": _OLDER,
}
# Of one timer there are few rows, so they are sorted: else SQLite would go through the whole log in its order.
_STATEMENTS: Final = {
    frozenset(asked): _EVERYONE.where(*(_PARTS[name] for name in asked)).order_by(
        (_log.id + 0).desc() if "timer" in asked else _log.id.desc()
    )
    for size in range(len(_PARTS) + 1)
    for asked in itertools.combinations(_PARTS, size)
}


def page(
    tx: sa.Connection,
    tenant_id: int,
    *,
    viewer: int,
    user_id: int | None,
    timer_id: uuid.UUID | None,
    end: LogEnd | None,
    most: int,
) -> list[LogRow]:
    """At most `most` rows of one user, or of everyone, of one timer, or of all, older than the row of `end`."""
    asked = {
        "user": None if user_id is None else {"user": user_id},
        "timer": None if timer_id is None else {"timer": timer_id},
        "end": None
        if end is None
        else {"end_timer": end.timer_id, "end_event": end.event, "end_version": end.entry_version},
    }
    given = {name: values for name, values in asked.items() if values is not None}
    parameters = {name: value for values in given.values() for name, value in values.items()}
    rows = tx.execute(
        _STATEMENTS[frozenset(given)], {"tenant": tenant_id, "most": most, "viewer": viewer, **parameters}
    )
    return [LogRow(*row) for row in rows]
