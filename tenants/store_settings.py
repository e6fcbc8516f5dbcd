"""The settings of one tenant: read them whole, change them if nobody else did, and the audit log of it all."""

import datetime as dt
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import audit_log, tenants, users
from shared.tenancy.model import Tenant
from shared.tenancy.store import TENANT_COLUMNS, tenant_of


@dataclass(frozen=True, slots=True)
class TenantSettings:
    """A tenant with all that its admins may see and its super admins may change."""

    tenant: Tenant
    admin_email: str | None
    forgotten_timer_limit_ms: int
    write_back: bool
    rate_per_user: Decimal | None
    currency: str | None
    subscription_id: uuid.UUID | None
    users_at_purchase: int | None
    trial_started_at: dt.datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class AuditRow:
    id: uuid.UUID
    at: dt.datetime
    actor_kind: str
    actor_id: uuid.UUID | None
    action: str
    subject_user_id: uuid.UUID | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


CHANGEABLE: Final = (
    "name",
    "slug",
    "time_zone",
    "organization",
    "admin_email",
    "forgotten_timer_limit_ms",
    "write_back",
)
_MORE: Final = (
    tenants.c.admin_email,
    tenants.c.forgotten_timer_limit_ms,
    tenants.c.write_back,
    tenants.c.rate_per_user,
    tenants.c.currency,
    tenants.c.subscription_id,
    tenants.c.users_at_purchase,
    tenants.c.trial_started_at,
    tenants.c.version,
)
_READ: Final[sa.Select[Any]] = sa.select(*TENANT_COLUMNS, *_MORE).where(tenants.c.id == bindparam("tenant"))
# Every changeable column is written, with the value it had where nothing changes: one statement, made once.
_CHANGE: Final = (
    tenants.update()
    .where(tenants.c.id == bindparam("tenant"), tenants.c.version == bindparam("known_version"))
    .values(
        **{name: bindparam(f"to_{name}", type_=tenants.c[name].type) for name in CHANGEABLE},
        version=tenants.c.version + 1,
        updated_at=bindparam("now"),
    )
)
_actors, _subjects = users.alias("actors"), users.alias("subjects")
_audit_end = audit_log.alias("audit_end")
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
    < sa.select(_audit_end.c.id)
    .where(_audit_end.c.tenant_id == bindparam("tenant"), _audit_end.c.public_id == bindparam("end"))
    .scalar_subquery()
)


def read(tx: sa.Connection, tenant_id: int) -> TenantSettings:
    row = tx.execute(_READ, {"tenant": tenant_id}).one()
    return TenantSettings(
        tenant=tenant_of(row),
        admin_email=row.admin_email,
        forgotten_timer_limit_ms=row.forgotten_timer_limit_ms,
        write_back=row.write_back,
        rate_per_user=row.rate_per_user,
        currency=row.currency,
        subscription_id=row.subscription_id,
        users_at_purchase=row.users_at_purchase,
        trial_started_at=row.trial_started_at,
        version=row.version,
    )


def change(tx: sa.Connection, tenant_id: int, *, version: int, values: dict[str, Any], now: dt.datetime) -> bool:
    """Writes the changeable columns; False when somebody changed the tenant since `version`."""
    parameters = {f"to_{name}": values[name] for name in CHANGEABLE}
    done = tx.execute(_CHANGE, {"tenant": tenant_id, "known_version": version, "now": now, **parameters})
    return done.rowcount == 1


def audit_page(tx: sa.Connection, tenant_id: int, *, end: uuid.UUID | None, most: int) -> list[AuditRow]:
    """At most `most` rows, newest first, older than the one that `end` names."""
    if end is None:
        return [AuditRow(*row) for row in tx.execute(_AUDIT, {"tenant": tenant_id, "most": most})]
    return [AuditRow(*row) for row in tx.execute(_OLDER_AUDIT, {"tenant": tenant_id, "most": most, "end": end})]
