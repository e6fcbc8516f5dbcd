"""Indexes for entries in the order of their changes, and by source."""

import sqlalchemy as sa
from alembic import op


revision = "3e8a5c0d9b74"
down_revision = "b7d1e94c2f60"

_NOT_BY_TIMER = sa.text("source <> 'timer'")


def upgrade() -> None:
    op.create_index("ix_time_entries_changed", "time_entries", ["tenant_id", "updated_at", "public_id"])
    op.create_index(
        "ix_time_entries_source",
        "time_entries",
        ["tenant_id", "source", "started_at", "public_id"],
        mssql_where=_NOT_BY_TIMER,
        postgresql_where=_NOT_BY_TIMER,
        sqlite_where=_NOT_BY_TIMER,
    )


def downgrade() -> None:
    op.drop_index("ix_time_entries_source", "time_entries")
    op.drop_index("ix_time_entries_changed", "time_entries")
