"""The audit log and the action log, both append-only."""

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Index, String, Uuid
from sqlalchemy import ForeignKeyConstraint as ForeignKey
from sqlalchemy import PrimaryKeyConstraint as PrimaryKey
from sqlalchemy import UniqueConstraint as Unique

from shared.db.schema.base import metadata, of_user, tenant_id
from shared.db.types import UtcDateTime, choice, identity


audit_log = sa.Table(
    "audit_log",
    metadata,
    identity(),
    tenant_id(),
    Column("public_id", Uuid, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    *choice("actor_kind", "user", "operator", "service", "stranger"),
    Column("actor_id", BigInteger),  # the acting user; NULL without an account
    Column("action", String(48), nullable=False),
    Column("subject_user_id", BigInteger),  # the affected user
    Column("before_change", sa.JSON),  # non-personal fields only
    Column("after_change", sa.JSON),
    Column("operator_id", String(64)),  # the acting operator; visible to operators only
    PrimaryKey("id"),
    ForeignKey(["tenant_id"], ["tenants.id"]),
    ForeignKey(["tenant_id", "actor_id"], ["users.tenant_id", "users.id"]),
    ForeignKey(["tenant_id", "subject_user_id"], ["users.tenant_id", "users.id"]),
    Unique("tenant_id", "public_id"),
)
Index("ix_audit_log_tenant", audit_log.c.tenant_id, audit_log.c.id)
# Lists are ordered by time and id.
_LISTED = (audit_log.c.at, audit_log.c.id)
Index("ix_audit_log_at", audit_log.c.tenant_id, *_LISTED)
Index("ix_audit_log_action", audit_log.c.tenant_id, audit_log.c.action, *_LISTED)
Index("ix_audit_log_actor", audit_log.c.tenant_id, audit_log.c.actor_id, *_LISTED)
Index("ix_audit_log_subject", audit_log.c.tenant_id, audit_log.c.subject_user_id, *_LISTED)

action_log = sa.Table(
    "action_log",
    metadata,
    identity(),
    tenant_id(),
    Column("row_key", String(64), nullable=False),  # starts with the inverted time, so the newest comes first
    Column("user_id", BigInteger, nullable=False),
    Column("action_type", String(64), nullable=False),
    Column("page", String(200), nullable=False),
    Column("happened_at", UtcDateTime, nullable=False),
    PrimaryKey("id"),
    of_user(),
    Unique("tenant_id", "row_key"),
)
Index("ix_action_log_user", action_log.c.tenant_id, action_log.c.user_id, action_log.c.row_key)
Index("ix_action_log_type", action_log.c.tenant_id, action_log.c.action_type, action_log.c.row_key)
