"""The favorite work items of each person, in their order."""

import sqlalchemy as sa
from alembic import op


revision = "8b3d6f0c52e9"
down_revision = "7a2c5e9b41d8"


def upgrade() -> None:
    op.create_table(
        "favorites",
        sa.Column("tenant_id", sa.BigInteger, nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("organization_id", sa.BigInteger, nullable=False),
        sa.Column("work_item_id", sa.BigInteger, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", "organization_id", "work_item_id", name=op.f("pk_favorites")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"], ["users.tenant_id", "users.id"], name=op.f("fk_favorites_tenant_id_user_id")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "organization_id"],
            ["organizations.tenant_id", "organizations.id"],
            name=op.f("fk_favorites_tenant_id_organization_id"),
        ),
        sa.UniqueConstraint("tenant_id", "user_id", "position", name=op.f("uq_favorites_tenant_id_user_id_position")),
        sa.CheckConstraint("position BETWEEN 1 AND 50", name=op.f("ck_favorites_position")),
    )


def downgrade() -> None:
    op.drop_table("favorites")
