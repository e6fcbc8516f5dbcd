"""Operators have an id in the audit log; from here on env.py has triggers keep the records append-only."""

import sqlalchemy as sa
from alembic import op

from shared.db.records import GUARD, RULES
from shared.db.records_triggers import unprotect


revision = "a4d7c0e9b316"
down_revision = "2f6d8c1b7a90"


def upgrade() -> None:
    with op.batch_alter_table("audit_log", schema=None) as batch_op:
        batch_op.add_column(sa.Column("operator_id", sa.String(length=64), nullable=True))


def downgrade() -> None:
    """The code of the revision before opens no guard: its erasures would be refused."""
    for table in RULES if not op.get_context().as_sql else ():
        unprotect(op.get_bind(), table)
    with op.batch_alter_table("audit_log", schema=None) as batch_op:
        batch_op.drop_column("operator_id")
    if op.get_context().dialect.name == "sqlite":
        op.execute(f"DROP TABLE IF EXISTS {GUARD}")
