"""prices by their term, included users, bills without a price, free trials, and the zones of periods."""

import sqlalchemy as sa
from alembic import op

from shared.db import types


revision = "7b1e4c92d0a5"
down_revision = "8e4b6f2d91c7"

_TOTAL = "2 * (total - {users} * rate_per_user) > -minor_unit AND 2 * (total - {users} * rate_per_user) <= minor_unit"
_WHERE = sa.text("rate_per_user IS NULL AND state = 'closed'")


def upgrade() -> None:
    op.create_table(
        "tenant_zones",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("until_at", types.UtcDateTime(), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_tenant_zones_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "until_at", name=op.f("pk_tenant_zones")),
    )
    op.add_column("tenants", sa.Column("rate_unit", sa.String(length=16), nullable=True))
    op.add_column("subscriptions", sa.Column("is_free_trial", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("subscriptions", sa.Column("free_trial_ends_at", types.UtcDateTime(), nullable=True))
    with op.batch_alter_table("subscription_rates", schema=None) as batch_op:
        batch_op.add_column(sa.Column("rate_unit", sa.String(length=16), server_default="P1M", nullable=False))
        batch_op.add_column(sa.Column("included_users", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("included_unit", sa.String(length=16), server_default="P1M", nullable=False))
        batch_op.drop_constraint(op.f("ck_subscription_rates_rate_per_user"), type_="check")
        batch_op.alter_column("rate_per_user", existing_type=types.Money(), nullable=True)
        batch_op.alter_column("currency", existing_type=sa.String(length=3), nullable=True)
        batch_op.create_check_constraint(op.f("ck_subscription_rates_rate_per_user"), "rate_per_user >= 0")
        batch_op.create_check_constraint(op.f("ck_subscription_rates_included_users"), "included_users >= 0")
        batch_op.create_check_constraint(
            op.f("ck_subscription_rates_currency"),
            "(rate_per_user IS NULL AND currency IS NULL) OR (rate_per_user IS NOT NULL AND currency IS NOT NULL)",
        )
    with op.batch_alter_table("billing_records", schema=None) as batch_op:
        batch_op.add_column(sa.Column("included_users", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("rate_unit", sa.String(length=16), server_default="P1M", nullable=False))
        batch_op.drop_constraint(op.f("ck_billing_records_total"), type_="check")
        batch_op.drop_constraint(op.f("ck_billing_records_minor_unit"), type_="check")
        for name in ("rate_per_user", "minor_unit", "total"):
            batch_op.alter_column(name, existing_type=types.Money(), nullable=True)
        batch_op.alter_column("currency", existing_type=sa.String(length=3), nullable=True)
        batch_op.create_check_constraint(op.f("ck_billing_records_minor_unit"), "minor_unit > 0")
        batch_op.create_check_constraint(
            op.f("ck_billing_records_total"), _TOTAL.format(users="(active_users - included_users)")
        )
        batch_op.create_check_constraint(
            op.f("ck_billing_records_included_users"), "included_users >= 0 AND included_users <= active_users"
        )
        batch_op.create_check_constraint(
            op.f("ck_billing_records_rate_per_user"),
            "(rate_per_user IS NULL AND currency IS NULL AND minor_unit IS NULL AND total IS NULL)"
            " OR (rate_per_user IS NOT NULL AND currency IS NOT NULL AND minor_unit IS NOT NULL"
            " AND (total IS NOT NULL OR rate_unit <> 'P1M'))",
        )
        batch_op.create_index(
            "ix_billing_records_unpriced",
            ["tenant_id", "id"],
            unique=False,
            mssql_where=_WHERE,
            postgresql_where=_WHERE,
            sqlite_where=_WHERE,
        )


def downgrade() -> None:
    # Refused while a bill has no price or included users, or a price could not be read: the older version has no place
    # for them.
    with op.batch_alter_table("billing_records", schema=None) as batch_op:
        batch_op.drop_index("ix_billing_records_unpriced")
        for name in ("rate_per_user", "included_users", "total", "minor_unit"):
            batch_op.drop_constraint(op.f(f"ck_billing_records_{name}"), type_="check")
        for name in ("rate_per_user", "minor_unit", "total"):
            batch_op.alter_column(name, existing_type=types.Money(), nullable=False)
        batch_op.alter_column("currency", existing_type=sa.String(length=3), nullable=False)
        batch_op.create_check_constraint(op.f("ck_billing_records_minor_unit"), "minor_unit > 0")
        batch_op.create_check_constraint(op.f("ck_billing_records_total"), _TOTAL.format(users="active_users"))
        batch_op.drop_column("rate_unit", mssql_drop_default=True)
        batch_op.drop_column("included_users", mssql_drop_default=True)
    with op.batch_alter_table("subscription_rates", schema=None) as batch_op:
        for name in ("currency", "included_users", "rate_per_user"):
            batch_op.drop_constraint(op.f(f"ck_subscription_rates_{name}"), type_="check")
        batch_op.alter_column("rate_per_user", existing_type=types.Money(), nullable=False)
        batch_op.alter_column("currency", existing_type=sa.String(length=3), nullable=False)
        batch_op.create_check_constraint(op.f("ck_subscription_rates_rate_per_user"), "rate_per_user >= 0")
        for name in ("included_unit", "included_users", "rate_unit"):
            batch_op.drop_column(name, mssql_drop_default=True)
    with op.batch_alter_table("subscriptions", schema=None) as batch_op:
        batch_op.drop_column("free_trial_ends_at")
        batch_op.drop_column("is_free_trial", mssql_drop_default=True)
    with op.batch_alter_table("tenants", schema=None) as batch_op:
        batch_op.drop_column("rate_unit")
    op.drop_table("tenant_zones")
