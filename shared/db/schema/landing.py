"""Visits to the landing page: from the Marketplace's link over the sign-in to the confirmed purchase."""

import sqlalchemy as sa
from sqlalchemy import Boolean, CheckConstraint, Column, Index, String, Unicode, Uuid
from sqlalchemy import PrimaryKeyConstraint as PrimaryKey
from sqlalchemy import UniqueConstraint as Unique

from shared.db.schema.base import metadata
from shared.db.types import UtcDateTime, identity


# Not a tenant's table: the visitor is known only after the sign-in, and may have no tenant. Rows live for minutes.
landing_visits = sa.Table(
    "landing_visits",
    metadata,
    identity(),
    Column("public_id", Uuid, nullable=False),
    Column("browser_hash", String(64), nullable=False),  # SHA-256 of the browser's cookie
    Column("state_hash", String(64), nullable=False),  # SHA-256 of the state of the sign-in
    Column("purchase_token", String(5400)),  # encrypted with the browser's secret; these three until the sign-in
    Column("verifier", String(128)),
    Column("nonce", String(64)),
    Column("taken_at", UtcDateTime),  # the return of the browser, possible once
    Column("marketplace_id", Uuid),  # Microsoft's subscription; this and the next columns only for its owner
    Column("entra_tenant_id", Uuid),
    Column("entra_object_id", Uuid),
    Column("name", Unicode(256)),
    Column("username", Unicode(256)),
    Column("email", Unicode(256)),
    Column("is_guest", Boolean),
    Column("activated_at", UtcDateTime),  # the activation at Microsoft
    Column("expires_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    PrimaryKey("id"),
    Unique("public_id"),
    Unique("state_hash"),
    CheckConstraint(
        "marketplace_id IS NULL OR (entra_tenant_id IS NOT NULL AND entra_object_id IS NOT NULL"
        " AND purchase_token IS NULL AND verifier IS NULL AND nonce IS NULL)",
        name="signed_in",
    ),
)
Index("ix_landing_visits_expires_at", landing_visits.c.expires_at)
