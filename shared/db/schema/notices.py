"""Notices for the people of a tenant, and their readers; there is no mail."""

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, String, Uuid
from sqlalchemy import ForeignKeyConstraint as ForeignKey
from sqlalchemy import PrimaryKeyConstraint as PrimaryKey
from sqlalchemy import UniqueConstraint as Unique

from shared.db.schema.base import metadata, of_user, tenant_id
from shared.db.types import UtcDateTime, choice, identity


notices = sa.Table(
    "notices",
    metadata,
    identity(),
    tenant_id(),
    Column("public_id", Uuid, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String(48), nullable=False),
    *choice("audience", "super_admins", "everyone"),
    Column("subject_user_id", BigInteger),  # the affected person
    Column("actor_id", BigInteger),  # the acting person; NULL: Microsoft, a job or the vendor
    Column("details", sa.JSON),  # non-personal fields only
    PrimaryKey("id"),
    ForeignKey(["tenant_id"], ["tenants.id"]),
    ForeignKey(["tenant_id", "subject_user_id"], ["users.tenant_id", "users.id"]),
    ForeignKey(["tenant_id", "actor_id"], ["users.tenant_id", "users.id"]),
    Unique("tenant_id", "public_id"),
    Unique("tenant_id", "id"),
)

notice_views = sa.Table(
    "notice_views",
    metadata,
    tenant_id(),
    Column("notice_id", BigInteger, nullable=False),
    Column("user_id", BigInteger, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("dismissed_at", UtcDateTime),
    PrimaryKey("tenant_id", "notice_id", "user_id"),
    ForeignKey(["tenant_id", "notice_id"], ["notices.tenant_id", "notices.id"]),
    of_user(),
)
