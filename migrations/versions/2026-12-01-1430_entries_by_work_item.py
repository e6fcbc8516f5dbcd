"""An index of the entries of a work item, newest start first, for its totals and its list."""

from alembic import op


revision = "6b1d4f8a30c7"
down_revision = "7c1e5a90d3b4"


def upgrade() -> None:
    op.create_index("ix_time_entries_item", "time_entries", ["tenant_id", "work_item_id", "started_at", "public_id"])


def downgrade() -> None:
    op.drop_index("ix_time_entries_item", "time_entries")
