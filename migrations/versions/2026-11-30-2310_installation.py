"""The mark by which a restored database is noticed, and the outbox of erasures and rights for the store outside."""

import uuid
from typing import Any

import sqlalchemy as sa
from alembic import context, op

from shared.db.types import UtcDateTime, choice, identity


revision = "5c8e1f4a2b93"
down_revision = "c19f3a6e5d42"

_RIGHTS = {
    "restriction": "restricted_at",
    "objection": "objected_at",
    "consentWithdrawn": "consent_withdrawn_at",
}
_erasures = sa.table("erasures", sa.column("tenant_id"), sa.column("subject_id"), sa.column("erased_at"))
_users = sa.table("users", *map(sa.column, ("tenant_id", "public_id", *_RIGHTS.values())))
_COLUMNS = ("tenant_id", "public_id", "kind", "subject_id", "at", "in_force")
_changes = sa.table("restore_changes", *map(sa.column, _COLUMNS))


def upgrade() -> None:
    made = op.create_table(
        "installation",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("public_id", sa.Uuid, nullable=False),
        sa.Column("mark", sa.BigInteger, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("moved_at", UtcDateTime),
        sa.Column("held_since", UtcDateTime),
        sa.Column("held_reason", sa.String(16)),
        sa.Column("restored_to", UtcDateTime),
        sa.Column("accepted_at", UtcDateTime),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("id = 1", name=op.f("ck_installation_one_row")),
        sa.CheckConstraint(
            "(held_since IS NULL AND held_reason IS NULL)"
            " OR (held_since IS NOT NULL AND held_reason IN ('behind', 'begun'))",
            name=op.f("ck_installation_held"),
        ),
    )
    op.execute(made.insert().values(id=1, public_id=_public_id(), mark=0, epoch=0))
    op.create_table(
        "restore_changes",
        identity(),
        sa.Column("tenant_id", sa.BigInteger, nullable=False),
        sa.Column("public_id", sa.Uuid, nullable=False),
        *choice("kind", "erasure", "restriction", "objection", "consentWithdrawn"),
        sa.Column("subject_id", sa.Uuid, nullable=False),
        sa.Column("in_force", sa.Boolean, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.UniqueConstraint("tenant_id", "kind", "public_id"),
    )
    _add("erasure", _erasures.c.tenant_id, _erasures.c.subject_id, _erasures.c.erased_at)
    for kind, column in _RIGHTS.items():
        _add(kind, _users.c.tenant_id, _users.c.public_id, _users.c[column])
    op.add_column("write_back_items", sa.Column("checked_epoch", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("write_back_items", schema=None) as batch_op:
        batch_op.drop_column("checked_epoch", mssql_drop_default=True)
    op.drop_table("restore_changes")
    op.drop_table("installation")


def _public_id() -> uuid.UUID:
    """The same each time where there is a tenant: a backup from before may be restored and migrated."""
    tenants = sa.table("tenants", sa.column("id", sa.BigInteger), sa.column("public_id", sa.Uuid))
    first = sa.select(tenants.c.public_id).order_by(tenants.c.id).limit(1)
    # printed, there are no rows to read
    found: uuid.UUID | None = None if context.is_offline_mode() else op.get_bind().scalar(first)
    if found is None:
        return uuid.uuid4()  # noqa: TID251 - the migrations have no source of ids of their own
    return uuid.uuid5(found, "installation")


def _add(
    kind: str, tenant: sa.ColumnElement[int], subject: sa.ColumnElement[uuid.UUID], at: sa.ColumnElement[Any]
) -> None:
    """What is in force already: the store outside has never heard of it."""
    rows = sa.select(
        tenant, subject, sa.literal_column(f"'{kind}'"), subject.label("of"), at, sa.literal(value=True)
    ).where(at.is_not(None))
    op.execute(_changes.insert().inline().from_select(list(_COLUMNS), rows, include_defaults=False))
