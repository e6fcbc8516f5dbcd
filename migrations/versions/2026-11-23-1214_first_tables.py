"""first tables."""

import sqlalchemy as sa
from alembic import op

from shared.db import types


revision = "872a54654399"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "tenants",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("entra_tenant_id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Unicode(length=200), nullable=False),
        sa.Column("organization", sa.String(length=50), nullable=False),
        sa.Column("admin_email", sa.Unicode(length=320), nullable=True),
        sa.Column("plan_kind", sa.String(length=24), nullable=False),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("trial_started_at", types.UtcDateTime(), nullable=True),
        sa.Column("trial_ends_at", types.UtcDateTime(), nullable=True),
        sa.Column("seats_used", sa.Integer(), nullable=False),
        sa.Column("seat_limit", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("updated_at", types.UtcDateTime(), nullable=False),
        sa.CheckConstraint("plan_kind IN ('trial', 'internal', 'paid')", name=op.f("ck_tenants_plan_kind")),
        sa.CheckConstraint("status IN ('active', 'suspended', 'cancelled')", name=op.f("ck_tenants_status")),
        sa.CheckConstraint("seats_used >= 0", name=op.f("ck_tenants_seats_used")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
        sa.UniqueConstraint("entra_tenant_id", name=op.f("uq_tenants_entra_tenant_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_tenants_public_id")),
        sa.UniqueConstraint("slug", name=op.f("uq_tenants_slug")),
    )
    op.create_table(
        "projects",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("organization", sa.String(length=50), nullable=False),
        sa.Column("name", sa.Unicode(length=64), nullable=False),
        sa.Column("name_key", sa.Unicode(length=128), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_projects_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_projects_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", "name_key", name=op.f("uq_projects_tenant_id_name_key")),
    )
    op.create_table(
        "users",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("entra_object_id", sa.Uuid(), nullable=True),
        sa.Column("email", sa.Unicode(length=320), nullable=False),
        sa.Column("email_key", sa.Unicode(length=320), nullable=True),
        sa.Column("display_name", sa.Unicode(length=200), nullable=False),
        sa.Column("role", sa.String(length=24), nullable=False),
        sa.Column("auth_provider", sa.String(length=24), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("invited_by", sa.BigInteger(), nullable=True),
        sa.Column("first_sign_in_at", types.UtcDateTime(), nullable=True),
        sa.Column("last_sign_in_at", types.UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("updated_at", types.UtcDateTime(), nullable=False),
        sa.CheckConstraint("auth_provider IN ('microsoft', 'manual')", name=op.f("ck_users_auth_provider")),
        sa.CheckConstraint("role IN ('user', 'admin', 'super_admin')", name=op.f("ck_users_role")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "invited_by"], ["users.tenant_id", "users.id"], name=op.f("fk_users_tenant_id_invited_by")
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_users_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_users_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", "public_id", name=op.f("uq_users_tenant_id_public_id")),
    )
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.create_index(
            "ux_users_email_key",
            ["tenant_id", "email_key"],
            unique=True,
            mssql_where=sa.text("email_key IS NOT NULL"),
            postgresql_where=sa.text("email_key IS NOT NULL"),
            sqlite_where=sa.text("email_key IS NOT NULL"),
        )
        batch_op.create_index(
            "ux_users_entra_object_id",
            ["tenant_id", "entra_object_id"],
            unique=True,
            mssql_where=sa.text("entra_object_id IS NOT NULL"),
            postgresql_where=sa.text("entra_object_id IS NOT NULL"),
            sqlite_where=sa.text("entra_object_id IS NOT NULL"),
        )

    op.create_table(
        "idempotency_keys",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("operation", sa.String(length=64), nullable=False),
        sa.Column("idempotency_key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("body", sa.UnicodeText(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_idempotency_keys_tenant_id_user_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotency_keys")),
        sa.UniqueConstraint("tenant_id", "user_id", "operation", "idempotency_key", name="uq_idempotency_keys_request"),
    )
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.create_index("ix_idempotency_keys_age", ["tenant_id", "created_at"], unique=False)

    op.create_table(
        "running_timers",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("organization", sa.String(length=50), nullable=False),
        sa.Column("project", sa.Unicode(length=64), nullable=False),
        sa.Column("work_item_id", sa.BigInteger(), nullable=False),
        sa.Column("started_at", types.UtcDateTime(), nullable=False),
        sa.Column("existing_hours", types.Hours(), nullable=True),
        sa.Column("note", sa.Unicode(length=400), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "project_id"],
            ["projects.tenant_id", "projects.id"],
            name=op.f("fk_running_timers_tenant_id_project_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"], ["users.tenant_id", "users.id"], name=op.f("fk_running_timers_tenant_id_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_running_timers")),
        sa.UniqueConstraint("tenant_id", "user_id", name=op.f("uq_running_timers_tenant_id_user_id")),
    )
    op.create_table(
        "time_entries",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("work_item_id", sa.BigInteger(), nullable=False),
        sa.Column("started_at", types.UtcDateTime(), nullable=False),
        sa.Column("stopped_at", types.UtcDateTime(), nullable=False),
        sa.Column("elapsed_ms", sa.BigInteger(), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("existing_hours", types.Hours(), nullable=True),
        sa.Column("note", sa.Unicode(length=400), nullable=True),
        sa.Column("source", sa.String(length=24), nullable=False),
        sa.Column("needs_review", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("updated_at", types.UtcDateTime(), nullable=False),
        sa.CheckConstraint("source IN ('timer', 'manual', 'autoStopped')", name=op.f("ck_time_entries_source")),
        sa.CheckConstraint("elapsed_ms >= 0", name=op.f("ck_time_entries_elapsed_ms")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "project_id"],
            ["projects.tenant_id", "projects.id"],
            name=op.f("fk_time_entries_tenant_id_project_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"], ["users.tenant_id", "users.id"], name=op.f("fk_time_entries_tenant_id_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_time_entries")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_time_entries_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", "public_id", name=op.f("uq_time_entries_tenant_id_public_id")),
    )
    with op.batch_alter_table("time_entries", schema=None) as batch_op:
        batch_op.create_index("ix_time_entries_user", ["tenant_id", "user_id", "started_at"], unique=False)

    op.create_table(
        "timer_log",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("timer_id", sa.Uuid(), nullable=False),
        sa.Column("event", sa.String(length=24), nullable=False),
        sa.Column("happened_at", types.UtcDateTime(), nullable=False),
        sa.Column("received_at", types.UtcDateTime(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("work_item_id", sa.BigInteger(), nullable=False),
        sa.Column("elapsed_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("event IN ('started', 'stopped', 'discarded')", name=op.f("ck_timer_log_event")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "project_id"],
            ["projects.tenant_id", "projects.id"],
            name=op.f("fk_timer_log_tenant_id_project_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"], ["users.tenant_id", "users.id"], name=op.f("fk_timer_log_tenant_id_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timer_log")),
        sa.UniqueConstraint("tenant_id", "timer_id", "event", name=op.f("uq_timer_log_tenant_id_timer_id_event")),
    )
    with op.batch_alter_table("timer_log", schema=None) as batch_op:
        batch_op.create_index("ix_timer_log_tenant", ["tenant_id", "id"], unique=False)
        batch_op.create_index("ix_timer_log_user", ["tenant_id", "user_id", "id"], unique=False)

    op.create_table(
        "user_months",
        sa.Column("month_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_reason", sa.String(length=24), nullable=False),
        sa.Column("first_activity_at", types.UtcDateTime(), nullable=False),
        sa.CheckConstraint("first_reason IN ('signIn', 'time')", name=op.f("ck_user_months_first_reason")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"], ["users.tenant_id", "users.id"], name=op.f("fk_user_months_tenant_id_user_id")
        ),
        sa.PrimaryKeyConstraint("month_key", "tenant_id", "user_id", name=op.f("pk_user_months")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "time_entry_days",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("work_date", sa.Date().with_variant(sa.DATE(), "mssql"), nullable=False),
        sa.Column("month_key", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("work_item_id", sa.BigInteger(), nullable=False),
        sa.Column("elapsed_ms", sa.BigInteger(), nullable=False),
        sa.Column("starts_entry", sa.Integer(), nullable=False),
        sa.CheckConstraint("elapsed_ms >= 0", name=op.f("ck_time_entry_days_elapsed_ms")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "entry_id"],
            ["time_entries.tenant_id", "time_entries.id"],
            name=op.f("fk_time_entry_days_tenant_id_entry_id"),
        ),
        sa.PrimaryKeyConstraint("entry_id", "work_date", name=op.f("pk_time_entry_days")),
    )
    with op.batch_alter_table("time_entry_days", schema=None) as batch_op:
        batch_op.create_index(
            "ix_time_entry_days_report",
            [
                "tenant_id",
                "month_key",
                "project_id",
                "user_id",
                "work_date",
                "work_item_id",
                "elapsed_ms",
                "starts_entry",
            ],
            unique=False,
        )


def downgrade() -> None:
    with op.batch_alter_table("time_entry_days", schema=None) as batch_op:
        batch_op.drop_index("ix_time_entry_days_report")

    op.drop_table("time_entry_days")
    op.drop_table("user_months")
    with op.batch_alter_table("timer_log", schema=None) as batch_op:
        batch_op.drop_index("ix_timer_log_user")
        batch_op.drop_index("ix_timer_log_tenant")

    op.drop_table("timer_log")
    with op.batch_alter_table("time_entries", schema=None) as batch_op:
        batch_op.drop_index("ix_time_entries_user")

    op.drop_table("time_entries")
    op.drop_table("running_timers")
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.drop_index("ix_idempotency_keys_age")

    op.drop_table("idempotency_keys")
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.drop_index(
            "ux_users_entra_object_id",
            mssql_where=sa.text("entra_object_id IS NOT NULL"),
            postgresql_where=sa.text("entra_object_id IS NOT NULL"),
            sqlite_where=sa.text("entra_object_id IS NOT NULL"),
        )
        batch_op.drop_index(
            "ux_users_email_key",
            mssql_where=sa.text("email_key IS NOT NULL"),
            postgresql_where=sa.text("email_key IS NOT NULL"),
            sqlite_where=sa.text("email_key IS NOT NULL"),
        )

    op.drop_table("users")
    op.drop_table("projects")
    op.drop_table("tenants")
