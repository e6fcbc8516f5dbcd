"""Purchases that wait for agreement, billing contacts, and what a purchase has replaced."""

import sqlalchemy as sa
from alembic import op

from shared.db.types import UtcDateTime, choice, identity


revision = "5c3a9e17d204"
down_revision = "c3d90e7a61f4"


def upgrade() -> None:
    op.create_table(
        "purchase_requests",
        identity(),
        sa.Column("tenant_id", sa.BigInteger, nullable=False),
        sa.Column("marketplace_id", sa.Uuid, nullable=False),
        *choice("state", "waiting", "agreed", "declined", "cancelled"),
        sa.Column("offer_id", sa.Unicode(100), nullable=False),
        sa.Column("plan_id", sa.Unicode(100), nullable=False),
        sa.Column("quantity", sa.Integer),
        sa.Column("term_unit", sa.String(16), nullable=False),
        sa.Column("buyer_id", sa.BigInteger),
        sa.Column("requested_at", UtcDateTime, nullable=False),
        sa.Column("decider_id", sa.BigInteger),
        sa.Column("decided_at", UtcDateTime),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.ForeignKeyConstraint(["tenant_id", "buyer_id"], ["users.tenant_id", "users.id"]),
        sa.ForeignKeyConstraint(["tenant_id", "decider_id"], ["users.tenant_id", "users.id"]),
        sa.UniqueConstraint("marketplace_id"),
        sa.CheckConstraint(
            "(state = 'waiting' AND decided_at IS NULL) OR (state <> 'waiting' AND decided_at IS NOT NULL)",
            name="decided_at",
        ),
    )
    op.create_index("ix_purchase_requests_tenant", "purchase_requests", ["tenant_id", "id"])
    with op.batch_alter_table("subscriptions") as batch_op:
        batch_op.add_column(sa.Column("billing_contact_id", sa.BigInteger))
        for name in ("replaces_agreement", "replaced_trial"):
            batch_op.add_column(sa.Column(name, sa.Boolean, server_default=sa.false(), nullable=False))
        batch_op.create_foreign_key(
            op.f("fk_subscriptions_tenant_id_billing_contact_id"),
            "users",
            ["tenant_id", "billing_contact_id"],
            ["tenant_id", "id"],
        )


def downgrade() -> None:
    with op.batch_alter_table("subscriptions") as batch_op:
        batch_op.drop_constraint(op.f("fk_subscriptions_tenant_id_billing_contact_id"), type_="foreignkey")
        for name in ("replaced_trial", "replaces_agreement"):
            batch_op.drop_column(name, mssql_drop_default=True)
        batch_op.drop_column("billing_contact_id")
    op.drop_table("purchase_requests")
