"""up to where a subscription is billed."""

from alembic import op


revision = "5c1d7e20b9a4"
down_revision = "8943dd02a48d"


def upgrade() -> None:
    with op.batch_alter_table("billing_records", schema=None) as batch_op:
        batch_op.create_index(
            "ix_billing_records_billed_to", ["tenant_id", "subscription_id", "month_key", "period_to"], unique=False
        )


def downgrade() -> None:
    with op.batch_alter_table("billing_records", schema=None) as batch_op:
        batch_op.drop_index("ix_billing_records_billed_to")
