"""people and plans."""

import sqlalchemy as sa
from alembic import op

from shared.db import types


revision = "b015cb4e4071"
down_revision = "872a54654399"


def upgrade() -> None:
    op.create_table(
        "action_log",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("row_key", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("action_type", sa.String(length=64), nullable=False),
        sa.Column("page", sa.String(length=200), nullable=False),
        sa.Column("happened_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"], ["users.tenant_id", "users.id"], name=op.f("fk_action_log_tenant_id_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_action_log")),
        sa.UniqueConstraint("tenant_id", "row_key", name=op.f("uq_action_log_tenant_id_row_key")),
    )
    op.create_table(
        "audit_log",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.Column("actor_kind", sa.String(length=24), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("action", sa.String(length=48), nullable=False),
        sa.Column("subject_user_id", sa.BigInteger(), nullable=True),
        sa.Column("before_change", sa.JSON(), nullable=True),
        sa.Column("after_change", sa.JSON(), nullable=True),
        sa.CheckConstraint(
            "actor_kind IN ('user', 'operator', 'service', 'stranger')", name=op.f("ck_audit_log_actor_kind")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "actor_id"], ["users.tenant_id", "users.id"], name=op.f("fk_audit_log_tenant_id_actor_id")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "subject_user_id"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_audit_log_tenant_id_subject_user_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_audit_log_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
        sa.UniqueConstraint("tenant_id", "public_id", name=op.f("uq_audit_log_tenant_id_public_id")),
    )
    with op.batch_alter_table("audit_log", schema=None) as batch_op:
        batch_op.create_index("ix_audit_log_tenant", ["tenant_id", "id"], unique=False)

    with op.batch_alter_table("projects", schema=None) as batch_op:
        batch_op.alter_column("name_key", type_=sa.Unicode(256), existing_type=sa.Unicode(128), existing_nullable=False)

    _email_keys(of=320, to=400)
    with op.batch_alter_table("time_entries", schema=None) as batch_op:
        batch_op.create_index(
            "ix_time_entries_review",
            ["tenant_id", "user_id"],
            unique=False,
            mssql_where=sa.column("needs_review") == sa.true(),
            postgresql_where=sa.column("needs_review") == sa.true(),
            sqlite_where=sa.column("needs_review") == sa.true(),
        )

    with op.batch_alter_table("tenants", schema=None) as batch_op:
        batch_op.add_column(sa.Column("rate_per_user", types.Money(), nullable=True))
        batch_op.add_column(sa.Column("currency", sa.String(length=3), nullable=True))
        batch_op.add_column(sa.Column("subscription_id", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("users_at_purchase", sa.Integer(), nullable=True))
        batch_op.add_column(
            sa.Column("forgotten_timer_limit_ms", sa.BigInteger(), server_default=sa.text("43200000"), nullable=False)
        )
        batch_op.add_column(sa.Column("write_back", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.create_check_constraint(op.f("ck_tenants_seat_limit"), "seat_limit >= 0")
        batch_op.create_check_constraint(op.f("ck_tenants_forgotten_timer_limit_ms"), "forgotten_timer_limit_ms > 0")


def _email_keys(*, of: int, to: int) -> None:
    # SQL Server alters no column that the WHERE of an index names
    op.drop_index("ux_users_email_key", table_name="users")
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.alter_column("email_key", type_=sa.Unicode(to), existing_type=sa.Unicode(of), existing_nullable=True)
    op.create_index(
        "ux_users_email_key",
        "users",
        ["tenant_id", "email_key"],
        unique=True,
        mssql_where=sa.text("email_key IS NOT NULL"),
        postgresql_where=sa.text("email_key IS NOT NULL"),
        sqlite_where=sa.text("email_key IS NOT NULL"),
    )


def downgrade() -> None:
    _email_keys(of=400, to=320)
    with op.batch_alter_table("projects", schema=None) as batch_op:
        # SQL Server makes no column smaller that a key holds
        batch_op.drop_constraint(op.f("uq_projects_tenant_id_name_key"), type_="unique")
        batch_op.alter_column("name_key", type_=sa.Unicode(128), existing_type=sa.Unicode(256), existing_nullable=False)
        batch_op.create_unique_constraint(op.f("uq_projects_tenant_id_name_key"), ["tenant_id", "name_key"])

    with op.batch_alter_table("time_entries", schema=None) as batch_op:
        batch_op.drop_index("ix_time_entries_review")

    with op.batch_alter_table("tenants", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_tenants_forgotten_timer_limit_ms"), type_="check")
        batch_op.drop_constraint(op.f("ck_tenants_seat_limit"), type_="check")
        batch_op.drop_column("write_back", mssql_drop_default=True)
        batch_op.drop_column("forgotten_timer_limit_ms", mssql_drop_default=True)
        batch_op.drop_column("users_at_purchase")
        batch_op.drop_column("subscription_id")
        batch_op.drop_column("currency")
        batch_op.drop_column("rate_per_user")

    with op.batch_alter_table("audit_log", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_log_tenant")

    op.drop_table("audit_log")
    op.drop_table("action_log")
