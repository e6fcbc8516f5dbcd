"""Reads the timer log, newest first, a page at a time."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import projects, timer_log, users


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


_log = timer_log.c
_actors = users.alias("actors")
_EVERYONE: Final[sa.Select[Any]] = (
    sa.select(
        _log.timer_id,
        _log.event,
        users.c.public_id.label("user_id"),
        _actors.c.public_id.label("actor_id"),
        projects.c.organization,
        projects.c.name.label("project"),
        _log.work_item_id,
        _log.happened_at,
        _log.received_at,
        _log.elapsed_ms,
    )
    .join(users, sa.and_(users.c.tenant_id == _log.tenant_id, users.c.id == _log.user_id))
    .join(projects, sa.and_(projects.c.tenant_id == _log.tenant_id, projects.c.id == _log.project_id))
    .outerjoin(_actors, sa.and_(_actors.c.tenant_id == _log.tenant_id, _actors.c.id == _log.actor_id))
    .where(_log.tenant_id == bindparam("tenant"))
    .order_by(_log.id.desc())
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
    )
    .scalar_subquery()
)
_OF_ONE = _log.user_id == bindparam("user")
_STATEMENTS: Final = {
    (False, False): _EVERYONE,
    (True, False): _EVERYONE.where(_OF_ONE),
    (False, True): _EVERYONE.where(_OLDER),
    (True, True): _EVERYONE.where(_OF_ONE, _OLDER),
}
_USER = sa.select(users.c.id).where(users.c.tenant_id == bindparam("tenant"), users.c.public_id == bindparam("public"))


def find_user(tx: sa.Connection, tenant_id: int, public_id: uuid.UUID) -> int | None:
    return tx.execute(_USER, {"tenant": tenant_id, "public": public_id}).scalar()


def page(
    tx: sa.Connection, tenant_id: int, *, user_id: int | None, end: tuple[uuid.UUID, str] | None, most: int
) -> list[LogRow]:
    """At most `most` rows of one user, or of everyone, older than the row that `end` names."""
    parameters: dict[str, object] = {"tenant": tenant_id, "most": most}
    if user_id is not None:
        parameters["user"] = user_id
    if end is not None:
        parameters |= {"end_timer": end[0], "end_event": end[1]}
    rows = tx.execute(_STATEMENTS[user_id is not None, end is not None], parameters)
    return [LogRow(*row) for row in rows]
