"""Records an accepted restore in each tenant's audit log, and notifies its users, once."""

import datetime as dt
import uuid
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared import audit, notices
from shared.audit import Action
from shared.db.schema import audit_log, tenants
from shared.notices import Audience, NoticeKind
from shared.restore.model import Installation
from shared.work import Work


_TENANTS: Final = sa.select(tenants.c.id).where(tenants.c.erased_at.is_(None)).order_by(tenants.c.id)
_IS_RECORDED: Final[sa.Select[Any]] = sa.select(audit_log.c.id).where(
    audit_log.c.tenant_id == bindparam("tenant"), audit_log.c.public_id == bindparam("public")
)


def tenant_ids(tx: sa.Connection) -> list[int]:
    """All tenants that are not erased."""
    return list(tx.execute(_TENANTS).scalars())


def record_restore(work: Work, found: Installation, lost_until: dt.datetime) -> int:
    """Records and announces the period of possibly lost changes; 0 if that is done already."""
    row_id = uuid.uuid5(work.tenant.public_id, f"restored/{found.held_since}")
    if work.tx.execute(_IS_RECORDED, {"tenant": work.tenant.id, "public": row_id}).first() is not None:
        return 0
    lost = {"from": found.moved_at, "to": lost_until}
    audit.record(work, Action.DATABASE_RESTORED, after=lost, row_id=row_id)
    notices.record(work, NoticeKind.DATABASE_RESTORED, details=lost, audience=Audience.EVERYONE)
    return 1
