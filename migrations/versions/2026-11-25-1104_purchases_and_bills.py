"""purchases and bills."""

import sqlalchemy as sa
from alembic import op

from shared.db import types


revision = "8943dd02a48d"
down_revision = "4e483503378d"


def upgrade() -> None:
    op.create_table(
        "subscriptions",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("marketplace_id", sa.Uuid(), nullable=True),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("offer_id", sa.Unicode(length=100), nullable=False),
        sa.Column("plan_id", sa.Unicode(length=100), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=True),
        sa.Column("term_unit", sa.String(length=16), nullable=False),
        sa.Column("term_starts_at", types.UtcDateTime(), nullable=True),
        sa.Column("term_ends_at", types.UtcDateTime(), nullable=True),
        sa.Column("auto_renew", sa.Boolean(), nullable=False),
        sa.Column("paid_from", types.UtcDateTime(), nullable=True),
        sa.Column("ended_at", types.UtcDateTime(), nullable=True),
        sa.Column("last_event_at", types.UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("updated_at", types.UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "(status = 'unsubscribed' AND ended_at IS NOT NULL) OR (status <> 'unsubscribed' AND ended_at IS NULL)",
            name=op.f("ck_subscriptions_ended_at"),
        ),
        sa.CheckConstraint(
            "status = 'pending' OR paid_from IS NOT NULL OR ended_at IS NOT NULL",
            name=op.f("ck_subscriptions_paid_from"),
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'subscribed', 'suspended', 'unsubscribed')", name=op.f("ck_subscriptions_status")
        ),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_subscriptions_quantity")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_subscriptions_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_subscriptions_tenant_id_id")),
    )
    with op.batch_alter_table("subscriptions", schema=None) as batch_op:
        batch_op.create_index(
            "ux_subscriptions_live",
            ["tenant_id"],
            unique=True,
            mssql_where=sa.text("status IN ('subscribed', 'suspended')"),
            postgresql_where=sa.text("status IN ('subscribed', 'suspended')"),
            sqlite_where=sa.text("status IN ('subscribed', 'suspended')"),
        )
        batch_op.create_index(
            "ux_subscriptions_marketplace_id",
            ["marketplace_id"],
            unique=True,
            mssql_where=sa.text("marketplace_id IS NOT NULL"),
            postgresql_where=sa.text("marketplace_id IS NOT NULL"),
            sqlite_where=sa.text("marketplace_id IS NOT NULL"),
        )

    op.create_table(
        "billing_records",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("month_key", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("period_from", types.UtcDateTime(), nullable=False),
        sa.Column("period_to", types.UtcDateTime(), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("marketplace_id", sa.Uuid(), nullable=True),
        sa.Column("plan_id", sa.Unicode(length=100), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=True),
        sa.Column("active_users", sa.Integer(), nullable=False),
        sa.Column("rate_per_user", types.Money(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("minor_unit", types.Money(), nullable=False),
        sa.Column("total", types.Money(), nullable=False),
        sa.Column("last_event_type", sa.Unicode(length=64), nullable=True),
        sa.Column("last_operation_id", sa.Uuid(), nullable=True),
        sa.Column("replaces_id", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", types.UtcDateTime(), nullable=False),
        sa.Column("voided_at", types.UtcDateTime(), nullable=True),
        sa.Column("void_reason", sa.Unicode(length=400), nullable=True),
        sa.CheckConstraint(
            "(state = 'void' AND voided_at IS NOT NULL) OR (state <> 'void' AND voided_at IS NULL)",
            name=op.f("ck_billing_records_voided_at"),
        ),
        sa.CheckConstraint("kind IN ('month', 'final')", name=op.f("ck_billing_records_kind")),
        sa.CheckConstraint("state IN ('closed', 'void')", name=op.f("ck_billing_records_state")),
        sa.CheckConstraint(
            "2 * (total - active_users * rate_per_user) > -minor_unit"
            " AND 2 * (total - active_users * rate_per_user) <= minor_unit",
            name=op.f("ck_billing_records_total"),
        ),
        sa.CheckConstraint("active_users >= 0", name=op.f("ck_billing_records_active_users")),
        sa.CheckConstraint("minor_unit > 0", name=op.f("ck_billing_records_minor_unit")),
        sa.CheckConstraint("period_from <= period_to", name=op.f("ck_billing_records_period")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "replaces_id"],
            ["billing_records.tenant_id", "billing_records.id"],
            name=op.f("fk_billing_records_tenant_id_replaces_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "subscription_id"],
            ["subscriptions.tenant_id", "subscriptions.id"],
            name=op.f("fk_billing_records_tenant_id_subscription_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_billing_records")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_billing_records_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", "public_id", name=op.f("uq_billing_records_tenant_id_public_id")),
    )
    with op.batch_alter_table("billing_records", schema=None) as batch_op:
        batch_op.create_index(
            "ux_billing_records_month",
            ["tenant_id", "subscription_id", "month_key"],
            unique=True,
            mssql_where=sa.text("state = 'closed'"),
            postgresql_where=sa.text("state = 'closed'"),
            sqlite_where=sa.text("state = 'closed'"),
        )
        batch_op.create_index(
            "ux_billing_records_replaces_id",
            ["tenant_id", "replaces_id"],
            unique=True,
            mssql_where=sa.text("replaces_id IS NOT NULL"),
            postgresql_where=sa.text("replaces_id IS NOT NULL"),
            sqlite_where=sa.text("replaces_id IS NOT NULL"),
        )

    op.create_table(
        "subscription_events",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column("event_type", sa.Unicode(length=64), nullable=False),
        sa.Column("source", sa.String(length=24), nullable=False),
        sa.Column("outcome", sa.String(length=24), nullable=False),
        sa.Column("plan_id", sa.Unicode(length=100), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=True),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("effective_at", types.UtcDateTime(), nullable=False),
        sa.Column("recorded_at", types.UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('applied', 'refused', 'superseded', 'ignored')", name=op.f("ck_subscription_events_outcome")
        ),
        sa.CheckConstraint(
            "source IN ('landing', 'webhook', 'reconcile', 'operator')", name=op.f("ck_subscription_events_source")
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'subscribed', 'suspended', 'unsubscribed')",
            name=op.f("ck_subscription_events_status"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "subscription_id"],
            ["subscriptions.tenant_id", "subscriptions.id"],
            name=op.f("fk_subscription_events_tenant_id_subscription_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription_events")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_subscription_events_tenant_id_id")),
    )
    with op.batch_alter_table("subscription_events", schema=None) as batch_op:
        batch_op.create_index(
            "ix_subscription_events_subscription", ["tenant_id", "subscription_id", "id"], unique=False
        )
        batch_op.create_index(
            "ux_subscription_events_operation_id",
            ["operation_id"],
            unique=True,
            mssql_where=sa.text("operation_id IS NOT NULL"),
            postgresql_where=sa.text("operation_id IS NOT NULL"),
            sqlite_where=sa.text("operation_id IS NOT NULL"),
        )

    op.create_table(
        "subscription_rates",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("from_at", types.UtcDateTime(), nullable=False),
        sa.Column("plan_id", sa.Unicode(length=100), nullable=False),
        sa.Column("rate_per_user", types.Money(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.CheckConstraint("rate_per_user >= 0", name=op.f("ck_subscription_rates_rate_per_user")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "subscription_id"],
            ["subscriptions.tenant_id", "subscriptions.id"],
            name=op.f("fk_subscription_rates_tenant_id_subscription_id"),
        ),
        sa.PrimaryKeyConstraint("subscription_id", "from_at", name=op.f("pk_subscription_rates")),
    )
    op.create_table(
        "billing_lines",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("record_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("activity_month", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("email", sa.Unicode(length=320), nullable=False),
        sa.Column("display_name", sa.Unicode(length=200), nullable=False),
        sa.Column("reason", sa.String(length=24), nullable=False),
        sa.Column("first_activity_at", types.UtcDateTime(), nullable=False),
        sa.Column("last_activity_at", types.UtcDateTime(), nullable=False),
        sa.Column("is_void", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.CheckConstraint("reason IN ('signIn', 'time')", name=op.f("ck_billing_lines_reason")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "record_id"],
            ["billing_records.tenant_id", "billing_records.id"],
            name=op.f("fk_billing_lines_tenant_id_record_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"], ["users.tenant_id", "users.id"], name=op.f("fk_billing_lines_tenant_id_user_id")
        ),
        sa.PrimaryKeyConstraint("record_id", "user_id", "activity_month", name=op.f("pk_billing_lines")),
    )
    with op.batch_alter_table("billing_lines", schema=None) as batch_op:
        batch_op.create_index(
            "ux_billing_lines_once",
            ["tenant_id", "activity_month", "user_id"],
            unique=True,
            mssql_where=sa.column("is_void") == sa.false(),
            postgresql_where=sa.column("is_void") == sa.false(),
            sqlite_where=sa.column("is_void") == sa.false(),
        )

    op.create_table(
        "usage_events",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.Column("marketplace_id", sa.Uuid(), nullable=False),
        sa.Column("dimension", sa.String(length=64), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Unicode(length=100), nullable=False),
        sa.Column("slot", types.UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("last_result", sa.String(length=40), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("usage_event_id", sa.Uuid(), nullable=True),
        sa.Column("claimed_until", types.UtcDateTime(), nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("tried_at", types.UtcDateTime(), nullable=True),
        sa.Column("settled_at", types.UtcDateTime(), nullable=True),
        sa.CheckConstraint("state IN ('pending', 'accepted', 'held', 'alarm')", name=op.f("ck_usage_events_state")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_usage_events_quantity")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "record_id"],
            ["billing_records.tenant_id", "billing_records.id"],
            name=op.f("fk_usage_events_tenant_id_record_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_events")),
        sa.UniqueConstraint(
            "marketplace_id", "dimension", "slot", name=op.f("uq_usage_events_marketplace_id_dimension_slot")
        ),
        sa.UniqueConstraint("tenant_id", "record_id", name=op.f("uq_usage_events_tenant_id_record_id")),
    )
    with op.batch_alter_table("usage_events", schema=None) as batch_op:
        batch_op.create_index(
            "ix_usage_events_open",
            ["tenant_id", "id"],
            unique=False,
            mssql_where=sa.text("state IN ('pending', 'held')"),
            postgresql_where=sa.text("state IN ('pending', 'held')"),
            sqlite_where=sa.text("state IN ('pending', 'held')"),
        )

    _statuses("'active', 'expired', 'suspended', 'cancelled'")

    # Months were kept for sign-ins and for time alike; time is found in the days of the entries from now on.
    op.execute("DELETE FROM user_months WHERE first_reason = 'time'")
    with op.batch_alter_table("user_months", schema=None) as batch_op:
        batch_op.add_column(sa.Column("first_sign_in_at", types.UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("last_sign_in_at", types.UtcDateTime(), nullable=True))
    op.execute("UPDATE user_months SET first_sign_in_at = first_activity_at, last_sign_in_at = first_activity_at")
    with op.batch_alter_table("user_months", schema=None) as batch_op:
        batch_op.alter_column("first_sign_in_at", existing_type=types.UtcDateTime(), nullable=False)
        batch_op.alter_column("last_sign_in_at", existing_type=types.UtcDateTime(), nullable=False)
        batch_op.drop_constraint(op.f("ck_user_months_first_reason"), type_="check")
        batch_op.drop_column("first_reason")
        batch_op.drop_column("first_activity_at")


def _statuses(listed: str) -> None:
    with op.batch_alter_table("tenants", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_tenants_status"), type_="check")
        batch_op.create_check_constraint(op.f("ck_tenants_status"), f"status IN ({listed})")


def downgrade() -> None:
    with op.batch_alter_table("user_months", schema=None) as batch_op:
        batch_op.add_column(sa.Column("first_reason", sa.String(length=24), server_default="signIn", nullable=False))
        batch_op.add_column(sa.Column("first_activity_at", types.UtcDateTime(), nullable=True))
    op.execute("UPDATE user_months SET first_activity_at = first_sign_in_at")
    with op.batch_alter_table("user_months", schema=None) as batch_op:
        batch_op.alter_column("first_activity_at", existing_type=types.UtcDateTime(), nullable=False)
        batch_op.alter_column("first_reason", existing_type=sa.String(length=24), server_default=None)
        batch_op.create_check_constraint(op.f("ck_user_months_first_reason"), "first_reason IN ('signIn', 'time')")
        batch_op.drop_column("last_sign_in_at")
        batch_op.drop_column("first_sign_in_at")

    op.execute("UPDATE tenants SET status = 'active' WHERE status = 'expired'")
    _statuses("'active', 'suspended', 'cancelled'")
    op.drop_table("usage_events")
    op.drop_table("billing_lines")
    op.drop_table("subscription_rates")
    op.drop_table("subscription_events")
    op.drop_table("billing_records")
    op.drop_table("subscriptions")
