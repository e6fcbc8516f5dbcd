"""Responses stored by their Idempotency-Key."""

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Index, Integer, String
from sqlalchemy import PrimaryKeyConstraint as PrimaryKey
from sqlalchemy import UniqueConstraint as Unique

from shared.db.schema.base import metadata, of_user, tenant_id
from shared.db.types import UtcDateTime, identity


idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    identity(),
    tenant_id(),
    Column("user_id", BigInteger, nullable=False),
    Column("operation", String(64), nullable=False),
    Column("idempotency_key", String(255), nullable=False),
    Column("fingerprint", String(64), nullable=False),  # SHA-256 of the request
    Column("status", Integer, nullable=False),
    Column("headers", sa.JSON, nullable=False),
    Column("body", sa.UnicodeText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    PrimaryKey("id"),
    of_user(),
    Unique("tenant_id", "user_id", "operation", "idempotency_key", name="uq_idempotency_keys_request"),
)
Index("ix_idempotency_keys_age", idempotency_keys.c.tenant_id, idempotency_keys.c.created_at)
