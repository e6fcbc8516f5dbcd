"""Reads the audit log of a tenant."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import audit_log, users


@dataclass(frozen=True, slots=True)
class AuditRow:
    id: uuid.UUID
    at: dt.datetime
    actor_kind: str
    actor_id: uuid.UUID | None
    action: str
    subject_user_id: uuid.UUID | None
    before: object  # JSON as stored
    after: object


_actors, _subjects = users.alias("actors"), users.alias("subjects")
_cursor = audit_log.alias("audit_cursor")
_AUDIT: Final[sa.Select[Any]] = (
    sa.select(
        audit_log.c.public_id,
        audit_log.c.at,
        audit_log.c.actor_kind,
        _actors.c.public_id.label("actor_id"),
        audit_log.c.action,
        _subjects.c.public_id.label("subject_user_id"),
        audit_log.c.before_change,
        audit_log.c.after_change,
    )
    .outerjoin(_actors, sa.and_(_actors.c.tenant_id == audit_log.c.tenant_id, _actors.c.id == audit_log.c.actor_id))
    .outerjoin(
        _subjects,
        sa.and_(_subjects.c.tenant_id == audit_log.c.tenant_id, _subjects.c.id == audit_log.c.subject_user_id),
    )
    .where(audit_log.c.tenant_id == bindparam("tenant"))
    .order_by(audit_log.c.id.desc())
    .limit(bindparam("most"))
)
_OLDER_AUDIT: Final = _AUDIT.where(
    audit_log.c.id
    < sa.select(_cursor.c.id)
    .where(_cursor.c.tenant_id == bindparam("tenant"), _cursor.c.public_id == bindparam("after"))
    .scalar_subquery()
)


def page(tx: sa.Connection, tenant_id: int, *, after: uuid.UUID | None, limit: int) -> list[AuditRow]:
    """At most `limit` rows, newest first, older than the row `after`."""
    parameters = {"tenant": tenant_id, "most": limit}
    if after is None:
        return [AuditRow(*row) for row in tx.execute(_AUDIT, parameters)]
    return [AuditRow(*row) for row in tx.execute(_OLDER_AUDIT, {**parameters, "after": after})]
