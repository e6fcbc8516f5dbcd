"""Usage adopted from the meter's list, and random keys for the action log in Table Storage."""

import sqlalchemy as sa
from alembic import op

from shared.db.types import Day, RandomId, UtcDateTime, identity


revision = "c19f3a6e5d42"
down_revision = "a4d7c0e9b316"


def upgrade() -> None:
    op.create_table(
        "adopted_usage",
        identity(),
        sa.Column("tenant_id", sa.BigInteger, nullable=False),
        sa.Column("marketplace_id", sa.Uuid, nullable=False),
        sa.Column("dimension", sa.String(64), nullable=False),
        sa.Column("day", Day, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("plan_id", sa.Unicode(100), nullable=False),
        sa.Column("month_key", sa.Integer),
        sa.Column("adopted_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.UniqueConstraint("marketplace_id", "dimension", "day"),
        sa.CheckConstraint("quantity > 0", name="quantity"),
    )
    # The defaults hold for rows that are there, each of which gets a key of its own, and for those that the former
    # version inserts.
    with op.batch_alter_table("tenants") as batch_op:
        batch_op.add_column(sa.Column("log_key", sa.Uuid, server_default=RandomId(), nullable=False))
        batch_op.add_column(sa.Column("has_numbered_log", sa.Boolean, server_default=sa.true(), nullable=False))
        batch_op.create_unique_constraint(op.f("uq_tenants_log_key"), ["log_key"])
    with op.batch_alter_table("users") as batch_op:
        batch_op.add_column(sa.Column("log_key", sa.Uuid, server_default=RandomId(), nullable=False))
        batch_op.create_unique_constraint(op.f("uq_users_tenant_id_log_key"), ["tenant_id", "log_key"])


def downgrade() -> None:
    with op.batch_alter_table("users") as batch_op:
        batch_op.drop_constraint(op.f("uq_users_tenant_id_log_key"), type_="unique")
        batch_op.drop_column("log_key", mssql_drop_default=True)
    with op.batch_alter_table("tenants") as batch_op:
        batch_op.drop_constraint(op.f("uq_tenants_log_key"), type_="unique")
        batch_op.drop_column("has_numbered_log", mssql_drop_default=True)
        batch_op.drop_column("log_key", mssql_drop_default=True)
    op.drop_table("adopted_usage")
