"""Reads the audit log of a tenant, newest row first, a page at a time."""

import datetime as dt
import uuid
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.audit import Action
from shared.db.schema import audit_log, users
from shared.http.log_query import UNBOUNDED, Period, upper_bound
from shared.http.paging import TimeCursor
from shared.tenancy.store import shown_name


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Names are None while the processing of the person's data is stopped."""

    id: uuid.UUID
    at: dt.datetime
    actor_kind: str
    actor_id: uuid.UUID | None
    actor_name: str | None
    action: str
    subject_user_id: uuid.UUID | None
    subject_name: str | None
    before: object  # JSON as stored
    after: object


@dataclass(frozen=True, slots=True)
class AuditFilters:
    """The conditions of a list; None does not filter. `user_id`: rows by or about this person."""

    user_id: int | None = None
    action: Action | None = None
    period: Period = UNBOUNDED


_audit = audit_log.c
_actors, _subjects = users.alias("actors"), users.alias("subjects")
_end = audit_log.alias("page_end")
_by_person, _about_person = audit_log.alias("by_person"), audit_log.alias("about_person")
_PAGE: Final[sa.Select[Any]] = (
    sa.select(
        _audit.public_id,
        _audit.at,
        _audit.actor_kind,
        _actors.c.public_id.label("actor_id"),
        shown_name(_actors, bindparam("viewer")).label("actor_name"),
        _audit.action,
        _subjects.c.public_id.label("subject_user_id"),
        shown_name(_subjects, bindparam("viewer")).label("subject_name"),
        _audit.before_change,
        _audit.after_change,
    )
    .outerjoin(_actors, sa.and_(_actors.c.tenant_id == _audit.tenant_id, _actors.c.id == _audit.actor_id))
    .outerjoin(_subjects, sa.and_(_subjects.c.tenant_id == _audit.tenant_id, _subjects.c.id == _audit.subject_user_id))
    .where(_audit.tenant_id == bindparam("tenant"))
    .order_by(_audit.at.desc(), _audit.id.desc())
    .limit(bindparam("most"))
)


_end_at = bindparam("end_at", type_=_audit.at.type)
_END_ID: Final = (
    sa.select(_end.c.id)
    .where(_end.c.tenant_id == bindparam("tenant"), _end.c.public_id == bindparam("end_id"))
    .scalar_subquery()
)
_CONDITIONS: Final[dict[str, sa.ColumnElement[bool]]] = {
    # Two ranges of indexes; with OR the whole log would be read.
    "user": _audit.id.in_(
        sa.union_all(
            sa.select(_by_person.c.id).where(
                _by_person.c.tenant_id == bindparam("tenant"), _by_person.c.actor_id == bindparam("user")
            ),
            sa.select(_about_person.c.id).where(
                _about_person.c.tenant_id == bindparam("tenant"), _about_person.c.subject_user_id == bindparam("user")
            ),
        )
    ),
    "action": _audit.action == bindparam("action", type_=sa.String),
    "since": _audit.at >= bindparam("since", type_=_audit.at.type),
    "until": _audit.at < bindparam("until", type_=_audit.at.type),
    "after": sa.and_(_audit.at <= _end_at, sa.or_(_audit.at < _end_at, _audit.id < _END_ID)),
}


@cache
def statement(conditions: tuple[str, ...]) -> sa.Select[Any]:
    """The SELECT with some of the conditions; built when it is first needed."""
    return _PAGE.where(*(_CONDITIONS[name] for name in conditions))


def page(
    tx: sa.Connection, tenant_id: int, filters: AuditFilters, *, viewer: int, after: TimeCursor | None, limit: int
) -> list[AuditRow]:
    """At most `limit` rows after the cursor."""
    conditions = {
        "user": filters.user_id,
        "action": None if filters.action is None else filters.action.value,
        "since": filters.period.since,
        "until": upper_bound(filters.period, None if after is None else after.at),
    }
    given: dict[str, Any] = {name: value for name, value in conditions.items() if value is not None}
    parameters = {"tenant": tenant_id, "viewer": viewer, "most": limit, **given}
    if after is not None:
        given["after"], parameters = after, {**parameters, "end_id": after.id, "end_at": after.at}
    return [AuditRow(*row) for row in tx.execute(statement(tuple(given)), parameters)]
