"""Reads a person's notices, and stores which of them they have seen and dismissed."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import notice_views, notices, users
from shared.db.statements import InsertIfAbsent
from shared.notices import Audience, NoticeKind
from shared.tenancy.model import Role
from shared.tenancy.store import restricted_since


@dataclass(frozen=True, slots=True)
class PersonName:
    """A person in a notice; without a name where processing of their data is stopped."""

    id: uuid.UUID
    name: str | None


@dataclass(frozen=True, slots=True)
class NoticeRow:
    number: int
    id: uuid.UUID
    at: dt.datetime
    kind: str
    about: PersonName | None
    by: PersonName | None
    details: dict[str, Any]
    seen_at: dt.datetime | None
    dismissed_at: dt.datetime | None


_n, _v = notices.c, notice_views.c
_TENANT: Final = bindparam("tenant", type_=sa.BigInteger)
_VIEWER: Final = bindparam("viewer", type_=sa.BigInteger)
# Kinds of a newer version are left out, since this one has no text for them.
_FOR_VIEWER: Final = sa.and_(
    _n.audience.in_(bindparam("audiences", expanding=True)), _n.kind.in_([kind.value for kind in NoticeKind])
)
_subjects, _actors = users.alias("subjects"), users.alias("actors")
_OWN_VIEW: Final = sa.and_(_v.tenant_id == _n.tenant_id, _v.notice_id == _n.id, _v.user_id == _VIEWER)


def _named(person: sa.FromClause, label: str) -> tuple[sa.Label[Any], ...]:
    return (
        person.c.public_id.label(f"{label}_id"),
        person.c.display_name.label(f"{label}_name"),
        restricted_since(person).label(f"{label}_stopped"),
    )


_VISIBLE: Final[sa.Select[Any]] = (
    sa.select(
        _n.id.label("number"),
        _n.public_id,
        _n.at,
        _n.kind,
        _n.details,
        *_named(_subjects, "about"),
        *_named(_actors, "by"),
        _v.seen_at,
        _v.dismissed_at,
    )
    .select_from(notices)
    .outerjoin(_subjects, sa.and_(_subjects.c.tenant_id == _n.tenant_id, _subjects.c.id == _n.subject_user_id))
    .outerjoin(_actors, sa.and_(_actors.c.tenant_id == _n.tenant_id, _actors.c.id == _n.actor_id))
    .outerjoin(notice_views, _OWN_VIEW)
    .where(_n.tenant_id == _TENANT, _FOR_VIEWER)
)
_NEWEST: Final = _VISIBLE.order_by(_n.id.desc()).limit(bindparam("most"))
_NOT_DISMISSED: Final = _NEWEST.where(_v.dismissed_at.is_(None))
_cursor = notices.alias("cursor_notice")
_OLDER: Final = _n.id < (
    sa.select(_cursor.c.id)
    .where(_cursor.c.tenant_id == _TENANT, _cursor.c.public_id == bindparam("after"))
    .scalar_subquery()
)
_PAGES: Final = {
    (False, False): _NOT_DISMISSED,
    (False, True): _NOT_DISMISSED.where(_OLDER),
    (True, False): _NEWEST,
    (True, True): _NEWEST.where(_OLDER),
}
_FIND: Final = _VISIBLE.where(_n.public_id == bindparam("public"))
_UNSEEN: Final = (
    sa.select(sa.func.count())
    .select_from(notices)
    .outerjoin(notice_views, _OWN_VIEW)
    .where(_n.tenant_id == _TENANT, _FOR_VIEWER, _v.seen_at.is_(None))
)
_ADD_VIEW: Final = InsertIfAbsent(
    notice_views,
    key=("tenant_id", "notice_id", "user_id"),
    columns=("tenant_id", "notice_id", "user_id", "seen_at", "dismissed_at"),
)
_DISMISS: Final = (
    notice_views.update()
    .where(_v.tenant_id == _TENANT, _v.notice_id == bindparam("notice"), _v.user_id == _VIEWER)
    .values(dismissed_at=sa.func.coalesce(_v.dismissed_at, bindparam("now", type_=_v.dismissed_at.type)))
)
_AUDIENCES: Final = {
    Role.USER: [Audience.EVERYONE.value],
    Role.ADMIN: [Audience.EVERYONE.value],
    Role.SUPER_ADMIN: [Audience.EVERYONE.value, Audience.SUPER_ADMINS.value],
}


@dataclass(frozen=True, slots=True)
class Viewer:
    tenant_id: int
    user_id: int
    role: Role

    @property
    def parameters(self) -> dict[str, Any]:
        return {"tenant": self.tenant_id, "viewer": self.user_id, "audiences": _AUDIENCES[self.role]}


def page(
    tx: sa.Connection, viewer: Viewer, *, with_dismissed: bool, after: uuid.UUID | None, limit: int
) -> list[NoticeRow]:
    """At most `limit` notices, newest first, older than the notice `after`."""
    values = {**viewer.parameters, "most": limit}
    if after is not None:
        values["after"] = after
    return [_notice(row) for row in tx.execute(_PAGES[with_dismissed, after is not None], values)]


def count_unseen(tx: sa.Connection, viewer: Viewer) -> int:
    count: int = tx.execute(_UNSEEN, viewer.parameters).scalar_one()
    return count


def find(tx: sa.Connection, viewer: Viewer, public_id: uuid.UUID) -> NoticeRow | None:
    """The notice, if the viewer may see it."""
    row = tx.execute(_FIND, {**viewer.parameters, "public": public_id}).first()
    return None if row is None else _notice(row)


def mark_seen(tx: sa.Connection, viewer: Viewer, notice: NoticeRow, *, now: dt.datetime) -> None:
    """Stores the first time that the viewer saw the notice."""
    key = {"tenant_id": viewer.tenant_id, "notice_id": notice.number, "user_id": viewer.user_id}
    _ADD_VIEW.run(tx, {**key, "seen_at": now, "dismissed_at": None})


def dismiss(tx: sa.Connection, viewer: Viewer, notice: NoticeRow, *, now: dt.datetime) -> None:
    """Hides the notice from this viewer, and marks it as seen."""
    mark_seen(tx, viewer, notice, now=now)
    tx.execute(_DISMISS, {"tenant": viewer.tenant_id, "viewer": viewer.user_id, "notice": notice.number, "now": now})


def _notice(row: sa.Row[Any]) -> NoticeRow:
    about = None if row.about_id is None else PersonName(row.about_id, None if row.about_stopped else row.about_name)
    by = None if row.by_id is None else PersonName(row.by_id, None if row.by_stopped else row.by_name)
    return NoticeRow(
        number=row.number,
        id=row.public_id,
        at=row.at,
        kind=row.kind,
        about=about,
        by=by,
        details=row.details or {},
        seen_at=row.seen_at,
        dismissed_at=row.dismissed_at,
    )
