"""The indexes of lists of entries lead by start and id, so that a page begins at a pair and needs no row."""

from alembic import op


revision = "8e4b6f2d91c7"
down_revision = "c3b0f4d2a917"

_INDEXES = {
    "ix_time_entries_tenant": ["tenant_id", "started_at"],
    "ix_time_entries_user": ["tenant_id", "user_id", "started_at"],
}


def upgrade() -> None:
    for name, columns in _INDEXES.items():
        op.drop_index(name, "time_entries")
        op.create_index(name, "time_entries", [*columns, "public_id"])


def downgrade() -> None:
    for name, columns in _INDEXES.items():
        op.drop_index(name, "time_entries")
        op.create_index(name, "time_entries", columns)
