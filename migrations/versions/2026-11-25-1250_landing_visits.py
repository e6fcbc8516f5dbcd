"""landing visits."""

import sqlalchemy as sa
from alembic import op

from shared.db import types


revision = "ffec60c1d459"
down_revision = "5c1d7e20b9a4"


def upgrade() -> None:
    op.create_table(
        "landing_visits",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("browser_hash", sa.String(length=64), nullable=False),
        sa.Column("state_hash", sa.String(length=64), nullable=False),
        sa.Column("purchase_token", sa.String(length=4000), nullable=True),
        sa.Column("verifier", sa.String(length=128), nullable=True),
        sa.Column("nonce", sa.String(length=64), nullable=True),
        sa.Column("taken_at", types.UtcDateTime(), nullable=True),
        sa.Column("marketplace_id", sa.Uuid(), nullable=True),
        sa.Column("entra_tenant_id", sa.Uuid(), nullable=True),
        sa.Column("entra_object_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.Unicode(length=256), nullable=True),
        sa.Column("username", sa.Unicode(length=256), nullable=True),
        sa.Column("email", sa.Unicode(length=256), nullable=True),
        sa.Column("is_guest", sa.Boolean(), nullable=True),
        sa.Column("activated_at", types.UtcDateTime(), nullable=True),
        sa.Column("expires_at", types.UtcDateTime(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "marketplace_id IS NULL OR (entra_tenant_id IS NOT NULL AND entra_object_id IS NOT NULL"
            " AND purchase_token IS NULL AND verifier IS NULL AND nonce IS NULL)",
            name=op.f("ck_landing_visits_signed_in"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_landing_visits")),
        sa.UniqueConstraint("public_id", name=op.f("uq_landing_visits_public_id")),
        sa.UniqueConstraint("state_hash", name=op.f("uq_landing_visits_state_hash")),
    )
    with op.batch_alter_table("landing_visits", schema=None) as batch_op:
        batch_op.create_index("ix_landing_visits_expires_at", ["expires_at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("landing_visits", schema=None) as batch_op:
        batch_op.drop_index("ix_landing_visits_expires_at")

    op.drop_table("landing_visits")
