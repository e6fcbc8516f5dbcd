"""The project of each work item as last read from Azure DevOps; unknown until the next read."""

import sqlalchemy as sa
from alembic import op


revision = "7a2c5e9b41d8"
down_revision = "6b1d4f8a30c7"


def upgrade() -> None:
    op.add_column("work_items", sa.Column("project", sa.Unicode(128), nullable=True))


def downgrade() -> None:
    op.drop_column("work_items", "project")
