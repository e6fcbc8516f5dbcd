"""sealed purchase tokens."""

import sqlalchemy as sa
from alembic import op


revision = "c3d90e7a61f4"
down_revision = "7b1e4c92d0a5"


def upgrade() -> None:
    with op.batch_alter_table("landing_visits", schema=None) as batch_op:
        batch_op.alter_column(
            "purchase_token", existing_type=sa.String(length=4000), type_=sa.String(length=5400), existing_nullable=True
        )


def downgrade() -> None:
    op.execute(sa.text("DELETE FROM landing_visits WHERE purchase_token IS NOT NULL"))  # sealed, and good for minutes
    with op.batch_alter_table("landing_visits", schema=None) as batch_op:
        batch_op.alter_column(
            "purchase_token", existing_type=sa.String(length=5400), type_=sa.String(length=4000), existing_nullable=True
        )
