"""Who has read which work item, and on which day. Nobody is known yet, so all titles begin hidden."""

import sqlalchemy as sa
from alembic import op

from shared.db.types import Day


revision = "5c0e7a3d91f2"
down_revision = "5c3a9e17d204"


def upgrade() -> None:
    op.create_table(
        "work_item_readers",
        sa.Column("tenant_id", sa.BigInteger, nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("organization_id", sa.BigInteger, nullable=False),
        sa.Column("work_item_id", sa.BigInteger, nullable=False),
        sa.Column("read_on", Day, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", "organization_id", "work_item_id"),
        sa.ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"]),
        sa.ForeignKeyConstraint(["tenant_id", "organization_id"], ["organizations.tenant_id", "organizations.id"]),
    )


def downgrade() -> None:
    op.drop_table("work_item_readers")
