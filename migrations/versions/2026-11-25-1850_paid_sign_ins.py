"""sign-ins of a month while the plan was paid."""

import sqlalchemy as sa
from alembic import op

from shared.db import types


revision = "5d1c8a70f2be"
down_revision = "9e2f4b61c7d8"


def upgrade() -> None:
    op.add_column("user_months", sa.Column("first_paid_sign_in_at", types.UtcDateTime(), nullable=True))
    op.add_column("user_months", sa.Column("last_paid_sign_in_at", types.UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("user_months", "last_paid_sign_in_at")
    op.drop_column("user_months", "first_paid_sign_in_at")
