"""sealed purchase tokens, and slugs that stay reserved."""

import sqlalchemy as sa
from alembic import op

from shared.db import types


revision = "c3d90e7a61f4"
down_revision = "5c8e1f4a2b93"

_SIGNED_IN = (
    "marketplace_id IS NULL OR (entra_tenant_id IS NOT NULL AND entra_object_id IS NOT NULL"
    " AND purchase_token IS NULL AND verifier IS NULL AND nonce IS NULL)"
)


def upgrade() -> None:
    op.create_table(
        "slugs",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_slugs_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "slug", name=op.f("pk_slugs")),
        sa.UniqueConstraint("slug", name=op.f("uq_slugs_slug")),
    )
    # A tenant that the former version makes meanwhile has no row; it gets one when it changes its slug, and until then
    # the unique key of its own table holds.
    op.execute(sa.text("INSERT INTO slugs (tenant_id, slug, created_at) SELECT id, slug, created_at FROM tenants"))
    _resize(4000, 5400)


def downgrade() -> None:
    op.execute(sa.text("DELETE FROM landing_visits WHERE purchase_token IS NOT NULL"))  # sealed, and good for minutes
    _resize(5400, 4000)
    op.drop_table("slugs")


def _resize(before: int, after: int) -> None:
    """SQL Server alters no column that a check names."""
    with op.batch_alter_table("landing_visits", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_landing_visits_signed_in"), type_="check")
        batch_op.alter_column(
            "purchase_token",
            existing_type=sa.String(length=before),
            type_=sa.String(length=after),
            existing_nullable=True,
        )
        batch_op.create_check_constraint(op.f("ck_landing_visits_signed_in"), _SIGNED_IN)
