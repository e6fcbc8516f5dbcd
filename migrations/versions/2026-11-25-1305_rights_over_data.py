"""Rights over data."""

import sqlalchemy as sa
from alembic import op

from shared.db import types


revision = "3c639af065e5"
down_revision = "5b1f0c7e9a42"


def upgrade() -> None:
    op.create_table(
        "erasures",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("erased_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_erasures_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
        sa.UniqueConstraint("tenant_id", "subject_id", name=op.f("uq_erasures_tenant_id_subject_id")),
    )
    op.create_table(
        "nominees",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Unicode(length=200), nullable=False),
        sa.Column("contact", sa.Unicode(length=320), nullable=False),
        sa.Column("named_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"], ["users.tenant_id", "users.id"], name=op.f("fk_nominees_tenant_id_user_id")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", name=op.f("pk_nominees")),
    )
    op.create_table(
        "privacy_requests",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("subject_user_id", sa.BigInteger(), nullable=True),
        sa.Column("channel", sa.String(length=24), nullable=False),
        sa.Column("requested_by", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("hold_reason", sa.String(length=32), nullable=True),
        sa.Column("requested_at", types.UtcDateTime(), nullable=False),
        sa.Column("due_at", types.UtcDateTime(), nullable=False),
        sa.Column("verified_at", types.UtcDateTime(), nullable=True),
        sa.Column("scheduled_for", types.UtcDateTime(), nullable=True),
        sa.Column("ended_at", types.UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(kind = 'person' AND subject_user_id IS NOT NULL) OR (kind = 'tenant' AND subject_user_id IS NULL)",
            name=op.f("ck_privacy_requests_subject"),
        ),
        sa.CheckConstraint(
            "(state = 'onHold' AND hold_reason IS NOT NULL) OR (state <> 'onHold' AND hold_reason IS NULL)",
            name=op.f("ck_privacy_requests_hold_reason"),
        ),
        sa.CheckConstraint("channel IN ('self', 'superAdmin', 'operator')", name=op.f("ck_privacy_requests_channel")),
        sa.CheckConstraint("kind IN ('person', 'tenant')", name=op.f("ck_privacy_requests_kind")),
        sa.CheckConstraint(
            "state <> 'scheduled' OR scheduled_for IS NOT NULL", name=op.f("ck_privacy_requests_scheduled_for")
        ),
        sa.CheckConstraint(
            "state IN ('requested', 'onHold', 'withdrawn') OR verified_at IS NOT NULL",
            name=op.f("ck_privacy_requests_verified_at"),
        ),
        sa.CheckConstraint(
            "state IN ('requested', 'verified', 'scheduled', 'onHold', 'done', 'withdrawn')",
            name=op.f("ck_privacy_requests_state"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "requested_by"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_privacy_requests_tenant_id_requested_by"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "subject_user_id"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_privacy_requests_tenant_id_subject_user_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_privacy_requests_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_privacy_requests")),
        sa.UniqueConstraint("tenant_id", "public_id", name=op.f("uq_privacy_requests_tenant_id_public_id")),
    )
    with op.batch_alter_table("privacy_requests", schema=None) as batch_op:
        batch_op.create_index(
            "ux_privacy_requests_person",
            ["tenant_id", "subject_user_id"],
            unique=True,
            mssql_where=sa.text(
                "state IN ('requested', 'verified', 'scheduled', 'onHold') AND subject_user_id IS NOT NULL"
            ),
            postgresql_where=sa.text(
                "state IN ('requested', 'verified', 'scheduled', 'onHold') AND subject_user_id IS NOT NULL"
            ),
            sqlite_where=sa.text(
                "state IN ('requested', 'verified', 'scheduled', 'onHold') AND subject_user_id IS NOT NULL"
            ),
        )
        batch_op.create_index(
            "ux_privacy_requests_tenant",
            ["tenant_id"],
            unique=True,
            mssql_where=sa.text("state IN ('requested', 'verified', 'scheduled', 'onHold') AND kind = 'tenant'"),
            postgresql_where=sa.text("state IN ('requested', 'verified', 'scheduled', 'onHold') AND kind = 'tenant'"),
            sqlite_where=sa.text("state IN ('requested', 'verified', 'scheduled', 'onHold') AND kind = 'tenant'"),
        )

    with op.batch_alter_table("tenants", schema=None) as batch_op:
        batch_op.add_column(sa.Column("legal_hold_reason", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("legal_hold_at", types.UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("erased_at", types.UtcDateTime(), nullable=True))
        batch_op.create_check_constraint(
            op.f("ck_tenants_legal_hold"),
            "(legal_hold_reason IS NULL AND legal_hold_at IS NULL)"
            " OR (legal_hold_reason IS NOT NULL AND legal_hold_at IS NOT NULL)",
        )

    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.add_column(sa.Column("restricted_at", types.UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("objected_at", types.UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("consent_withdrawn_at", types.UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("erased_at", types.UtcDateTime(), nullable=True))
        batch_op.create_check_constraint(
            op.f("ck_users_erased_at"), "erased_at IS NULL OR (entra_object_id IS NULL AND email_key IS NULL)"
        )


def downgrade() -> None:
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_users_erased_at"), type_="check")
        batch_op.drop_column("erased_at")
        batch_op.drop_column("consent_withdrawn_at")
        batch_op.drop_column("objected_at")
        batch_op.drop_column("restricted_at")

    with op.batch_alter_table("tenants", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_tenants_legal_hold"), type_="check")
        batch_op.drop_column("erased_at")
        batch_op.drop_column("legal_hold_at")
        batch_op.drop_column("legal_hold_reason")

    op.drop_table("privacy_requests")
    op.drop_table("nominees")
    op.drop_table("erasures")
