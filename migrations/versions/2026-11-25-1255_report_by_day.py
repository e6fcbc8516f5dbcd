"""The index of the reports leads by day: a span is one range of it, and its days need no sorting."""

from alembic import op


revision = "5b1f0c7e9a42"
down_revision = "ffec60c1d459"

_NAME = "ix_time_entry_days_report"
_SUMMED = ["work_item_id", "elapsed_ms", "starts_entry"]


def upgrade() -> None:
    _index(["tenant_id", "month_key", "work_date", "project_id", "user_id", *_SUMMED])


def downgrade() -> None:
    _index(["tenant_id", "month_key", "project_id", "user_id", "work_date", *_SUMMED])


def _index(columns: list[str]) -> None:
    with op.batch_alter_table("time_entry_days", schema=None) as batch_op:
        batch_op.drop_index(_NAME)
        batch_op.create_index(_NAME, columns, unique=False)
