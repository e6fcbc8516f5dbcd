"""Reads the timer log, newest event first, a page at a time."""

import datetime as dt
import uuid
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import projects, timer_log, users
from shared.http.log_query import UNBOUNDED, Period, upper_bound
from shared.tenancy.store import shown_name, visible_to
from timers.model import EventKind


@dataclass(frozen=True, slots=True)
class LogRow:
    """Names are None while the processing of the person's data is stopped."""

    timer_id: uuid.UUID
    event: str
    user_id: uuid.UUID
    user_name: str | None
    actor_id: uuid.UUID | None
    actor_name: str | None
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
    """A position in the log: the unique key of the last event of a page, and its `received_at`."""

    timer_id: uuid.UUID
    event: str
    entry_version: int
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class LogFilters:
    """The conditions of a list; None does not filter. The period is one of `received_at`."""

    user_id: int | None = None
    timer_id: uuid.UUID | None = None
    event: EventKind | None = None
    period: Period = UNBOUNDED


_log = timer_log.c
_actors = users.alias("actors")
_persons = users.alias("persons")  # of merged invitations
_PAGE: Final[sa.Select[Any]] = (
    sa.select(
        _log.timer_id,
        _log.event,
        sa.func.coalesce(_persons.c.public_id, users.c.public_id).label("user_id"),
        sa.func.coalesce(_persons.c.display_name, users.c.display_name).label("user_name"),
        _actors.c.public_id.label("actor_id"),
        shown_name(_actors, bindparam("viewer")).label("actor_name"),
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
_END_ID: Final = (
    sa.select(_end.c.id)
    .where(
        _end.c.tenant_id == bindparam("tenant"),
        _end.c.timer_id == bindparam("end_timer"),
        _end.c.event == bindparam("end_event"),
        _end.c.entry_version == bindparam("end_version"),
    )
    .scalar_subquery()
)
_is_event = _log.event == bindparam("event", type_=sa.String)


_time_of_timer = sa.case((_log.id > 0, _log.received_at))
_end_at = bindparam("end_at", type_=_log.received_at.type)
_CONDITIONS: Final[dict[str, sa.ColumnElement[bool]]] = {
    "user": _log.user_id == bindparam("user"),
    "timer": _log.timer_id == bindparam("timer"),
    "event": _is_event,
    "rare_event": sa.and_(  # literally the predicate of the filtered index
        _log.event != sa.literal_column("'started'", sa.String),
        _log.event != sa.literal_column("'stopped'", sa.String),
        _is_event,
    ),
    "since": _log.received_at >= bindparam("since", type_=_log.received_at.type),
    "until": _log.received_at < bindparam("until", type_=_log.received_at.type),
    "after": sa.and_(_log.received_at <= _end_at, sa.or_(_log.received_at < _end_at, _log.id < _END_ID)),
    # Of one timer: by the index on ids or on times SQLite would read the whole log
    "since_of_timer": _time_of_timer >= bindparam("since", type_=_log.received_at.type),
    "until_of_timer": _time_of_timer < bindparam("until", type_=_log.received_at.type),
    "after_of_timer": _log.id + 0 < _END_ID,
}


@cache
def statement(conditions: tuple[str, ...]) -> sa.Select[Any]:
    """The SELECT with some of the conditions; built when it is first needed.

    One timer's events are in the order in which they were stored, independent of the servers' clocks.
    """
    found = _PAGE.where(*(_CONDITIONS[name] for name in conditions))
    if "timer" in conditions:  # `+ 0` keeps SQLite from reading the whole log by its index on ids
        return found.order_by((_log.id + 0).desc())
    return found.order_by(_log.received_at.desc(), _log.id.desc())


def read_page(
    tx: sa.Connection, tenant_id: int, filters: LogFilters, *, viewer: int, after: LogCursor | None, limit: int
) -> list[LogRow]:
    """At most `limit` events after the cursor."""
    given = _parameters(filters, after)
    parameters: dict[str, Any] = {"tenant": tenant_id, "most": limit, "viewer": viewer}
    for values in given.values():
        parameters |= values
    return [LogRow(*row) for row in tx.execute(statement(tuple(given)), parameters)]


def _parameters(filters: LogFilters, after: LogCursor | None) -> dict[str, dict[str, Any]]:
    """The parameters of each condition that is needed."""
    is_rare = filters.event not in {EventKind.STARTED, EventKind.STOPPED}
    of_timer = filters.timer_id is not None
    values = {
        "user": filters.user_id,
        "timer": filters.timer_id,
        "since": filters.period.since,
        "until": upper_bound(filters.period, None if after is None or of_timer else after.at),
    }
    suffixes = dict.fromkeys(("since", "until"), "_of_timer") if of_timer else {}
    given: dict[str, dict[str, Any]] = {
        name + suffixes.get(name, ""): {name: value} for name, value in values.items() if value is not None
    }
    if filters.event is not None:
        given["rare_event" if is_rare else "event"] = {"event": filters.event.value}
    if after is not None:
        key = {"end_timer": after.timer_id, "end_event": after.event, "end_version": after.entry_version}
        given |= {"after_of_timer": key} if of_timer else {"after": {**key, "end_at": after.at}}
    return given
