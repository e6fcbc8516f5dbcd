"""Notices to a tenant's people, and who has seen and dismissed them."""

import sqlalchemy as sa
from alembic import op

from shared.db.types import UtcDateTime, choice, identity


revision = "2f6d8c1b7a90"
down_revision = "7b1e4c92d0a5"


def upgrade() -> None:
    op.create_table(
        "notices",
        identity(),
        sa.Column("tenant_id", sa.BigInteger, nullable=False),
        sa.Column("public_id", sa.Uuid, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("kind", sa.String(48), nullable=False),
        *choice("audience", "super_admins", "everyone"),
        sa.Column("subject_user_id", sa.BigInteger),
        sa.Column("actor_id", sa.BigInteger),
        sa.Column("details", sa.JSON),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.ForeignKeyConstraint(["tenant_id", "subject_user_id"], ["users.tenant_id", "users.id"]),
        sa.ForeignKeyConstraint(["tenant_id", "actor_id"], ["users.tenant_id", "users.id"]),
        sa.UniqueConstraint("tenant_id", "public_id"),
        sa.UniqueConstraint("tenant_id", "id"),
    )
    op.create_table(
        "notice_views",
        sa.Column("tenant_id", sa.BigInteger, nullable=False),
        sa.Column("notice_id", sa.BigInteger, nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
        sa.Column("dismissed_at", UtcDateTime),
        sa.PrimaryKeyConstraint("tenant_id", "notice_id", "user_id"),
        sa.ForeignKeyConstraint(["tenant_id", "notice_id"], ["notices.tenant_id", "notices.id"]),
        sa.ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"]),
    )


def downgrade() -> None:
    op.drop_table("notice_views")
    op.drop_table("notices")
