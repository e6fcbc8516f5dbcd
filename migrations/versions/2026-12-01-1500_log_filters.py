"""Indexes for logs that are filtered by time, kind of event and person."""

import sqlalchemy as sa
from alembic import op


revision = "b7d1e94c2f60"
down_revision = "8b3d6f0c52e9"

_NOT_START_OR_STOP = sa.text("event <> 'started' AND event <> 'stopped'")
_ADDED = {
    "ix_timer_log_received": ("timer_log", ["tenant_id", "received_at", "id"]),
    "ix_audit_log_at": ("audit_log", ["tenant_id", "at", "id"]),
    "ix_audit_log_action": ("audit_log", ["tenant_id", "action", "at", "id"]),
    "ix_audit_log_actor": ("audit_log", ["tenant_id", "actor_id", "at", "id"]),
    "ix_audit_log_subject": ("audit_log", ["tenant_id", "subject_user_id", "at", "id"]),
    "ix_action_log_user": ("action_log", ["tenant_id", "user_id", "row_key"]),
    "ix_action_log_type": ("action_log", ["tenant_id", "action_type", "row_key"]),
}


def upgrade() -> None:
    for name, (table, columns) in _ADDED.items():
        op.create_index(name, table, columns)
    op.create_index(
        "ix_timer_log_event",
        "timer_log",
        ["tenant_id", "event", "received_at", "id"],
        mssql_where=_NOT_START_OR_STOP,
        postgresql_where=_NOT_START_OR_STOP,
        sqlite_where=_NOT_START_OR_STOP,
    )
    op.drop_index("ix_timer_log_user", "timer_log")
    op.create_index("ix_timer_log_user", "timer_log", ["tenant_id", "user_id", "received_at", "id"])


def downgrade() -> None:
    op.drop_index("ix_timer_log_user", "timer_log")
    op.create_index("ix_timer_log_user", "timer_log", ["tenant_id", "user_id", "id"])
    op.drop_index("ix_timer_log_event", "timer_log")
    for name, (table, _) in _ADDED.items():
        op.drop_index(name, table)
