"""Records an accepted restore in each tenant's audit log, and notifies its users, once."""

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared import audit, notices
from shared.audit import Action
from shared.db.schema import audit_log, tenants
from shared.notices import Audience, NoticeKind
from shared.restore.model import Installation
from shared.work import OPERATOR


_TENANTS: Final = sa.select(tenants.c.id).where(tenants.c.erased_at.is_(None)).order_by(tenants.c.id)
_PUBLIC_ID: Final = sa.select(tenants.c.public_id).where(tenants.c.id == bindparam("tenant"))
_IS_RECORDED: Final[sa.Select[Any]] = sa.select(audit_log.c.id).where(
    audit_log.c.tenant_id == bindparam("tenant"), audit_log.c.public_id == bindparam("public")
)


def tenant_ids(tx: sa.Connection) -> list[int]:
    """All tenants that are not erased."""
    return list(tx.execute(_TENANTS).scalars())


def record_restore(
    tx: sa.Connection,
    tenant_id: int,
    found: Installation,
    lost_until: dt.datetime,
    *,
    now: dt.datetime,
    new_id: Callable[[], uuid.UUID],
) -> int:
    """Records and announces the period of possibly lost changes; 0 if that is done already."""
    lost = {"from": found.moved_at, "to": lost_until}
    public_id: uuid.UUID = tx.execute(_PUBLIC_ID, {"tenant": tenant_id}).scalar_one()
    row_id = uuid.uuid5(public_id, f"restored/{found.held_since}")
    if tx.execute(_IS_RECORDED, {"tenant": tenant_id, "public": row_id}).first() is not None:
        return 0
    action, actor = Action.DATABASE_RESTORED, OPERATOR
    audit.record_row(tx, tenant_id, action, actor=actor, at=now, row_id=row_id, after=lost)
    kind, audience = NoticeKind.DATABASE_RESTORED, Audience.EVERYONE
    notices.record_row(tx, tenant_id, kind, now, row_id=new_id(), details=lost, audience=audience)
    return 1
