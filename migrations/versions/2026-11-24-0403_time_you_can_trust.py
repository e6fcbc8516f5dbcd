"""time you can trust."""

import sqlalchemy as sa
from alembic import op

from shared.db import types


revision = "4e483503378d"
down_revision = "b015cb4e4071"

_EVENTS = "event IN ('started', 'stopped', 'discarded', 'entered', 'corrected', 'confirmed', 'deleted')"


def upgrade() -> None:
    op.create_table(
        "closed_months",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("month_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("closed_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_closed_months_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "month_key", name=op.f("pk_closed_months")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "work_items",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("organization_key", sa.String(length=50), nullable=False),
        sa.Column("work_item_id", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Unicode(length=128), nullable=False),
        sa.Column("title", sa.Unicode(length=400), nullable=False),
        sa.Column("assignee_name", sa.Unicode(length=256), nullable=True),
        sa.Column("state", sa.Unicode(length=128), nullable=False),
        sa.Column("fetched_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_work_items_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_items")),
        sa.UniqueConstraint(
            "tenant_id",
            "organization_key",
            "work_item_id",
            name=op.f("uq_work_items_tenant_id_organization_key_work_item_id"),
        ),
    )
    op.create_table(
        "write_backs",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("work_item_id", sa.BigInteger(), nullable=False),
        sa.Column("delta_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("detail", sa.Unicode(length=400), nullable=True),
        sa.Column("pinned_revision", sa.Integer(), nullable=True),
        sa.Column("hours_before", types.Hours(), nullable=True),
        sa.Column("hours_after", types.Hours(), nullable=True),
        sa.Column("claimed_until", types.UtcDateTime(), nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("updated_at", types.UtcDateTime(), nullable=False),
        sa.CheckConstraint("state IN ('pending', 'done', 'failed')", name=op.f("ck_write_backs_state")),
        sa.CheckConstraint("delta_ms <> 0", name=op.f("ck_write_backs_delta_ms")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "project_id"],
            ["projects.tenant_id", "projects.id"],
            name=op.f("fk_write_backs_tenant_id_project_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"], ["users.tenant_id", "users.id"], name=op.f("fk_write_backs_tenant_id_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_write_backs")),
        sa.UniqueConstraint("tenant_id", "public_id", name=op.f("uq_write_backs_tenant_id_public_id")),
    )
    with op.batch_alter_table("write_backs", schema=None) as batch_op:
        batch_op.create_index("ix_write_backs_entry", ["tenant_id", "entry_id"], unique=False)

    with op.batch_alter_table("time_entries", schema=None) as batch_op:
        batch_op.add_column(sa.Column("end_inferred", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.create_index("ix_time_entries_overlap", ["tenant_id", "user_id", "stopped_at"], unique=False)
        batch_op.create_index("ix_time_entries_tenant", ["tenant_id", "started_at"], unique=False)

    with op.batch_alter_table("timer_log", schema=None) as batch_op:
        batch_op.add_column(sa.Column("entry_version", sa.Integer(), server_default=sa.text("0"), nullable=False))
        batch_op.add_column(sa.Column("reported_late", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("reason", sa.Unicode(length=400), nullable=True))
        batch_op.add_column(sa.Column("is_adjustment", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("before_change", sa.JSON(none_as_null=True), nullable=True))
        batch_op.add_column(sa.Column("after_change", sa.JSON(none_as_null=True), nullable=True))
        batch_op.drop_constraint(op.f("uq_timer_log_tenant_id_timer_id_event"), type_="unique")
        batch_op.create_unique_constraint(
            op.f("uq_timer_log_tenant_id_timer_id_event_entry_version"),
            ["tenant_id", "timer_id", "event", "entry_version"],
        )
        batch_op.drop_constraint(op.f("ck_timer_log_event"), type_="check")
        batch_op.create_check_constraint(op.f("ck_timer_log_event"), _EVENTS)

    # The entry that a stop made is its first version.
    op.execute("UPDATE timer_log SET entry_version = 1 WHERE event = 'stopped'")


def downgrade() -> None:
    with op.batch_alter_table("timer_log", schema=None) as batch_op:
        # Refused while corrections are on record: the older version has no place for them.
        batch_op.drop_constraint(op.f("ck_timer_log_event"), type_="check")
        batch_op.create_check_constraint(op.f("ck_timer_log_event"), "event IN ('started', 'stopped', 'discarded')")
        batch_op.drop_constraint(op.f("uq_timer_log_tenant_id_timer_id_event_entry_version"), type_="unique")
        batch_op.create_unique_constraint(
            op.f("uq_timer_log_tenant_id_timer_id_event"), ["tenant_id", "timer_id", "event"]
        )
        batch_op.drop_column("after_change")
        batch_op.drop_column("before_change")
        batch_op.drop_column("is_adjustment", mssql_drop_default=True)
        batch_op.drop_column("reason")
        batch_op.drop_column("reported_late", mssql_drop_default=True)
        batch_op.drop_column("entry_version", mssql_drop_default=True)

    with op.batch_alter_table("time_entries", schema=None) as batch_op:
        batch_op.drop_index("ix_time_entries_tenant")
        batch_op.drop_index("ix_time_entries_overlap")
        batch_op.drop_column("end_inferred", mssql_drop_default=True)

    with op.batch_alter_table("write_backs", schema=None) as batch_op:
        batch_op.drop_index("ix_write_backs_entry")

    op.drop_table("write_backs")
    op.drop_table("work_items")
    op.drop_table("closed_months")
