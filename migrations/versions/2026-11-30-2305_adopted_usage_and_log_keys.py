"""Usage adopted from the meter's list, and keys for the action log in Table Storage."""

import uuid

import sqlalchemy as sa
from alembic import context, op

from shared.db.types import Day, RandomId, UtcDateTime, identity


revision = "c19f3a6e5d42"
down_revision = "a4d7c0e9b316"

_AT_ONCE = 1000
_tenants = sa.table(
    "tenants", sa.column("id", sa.BigInteger), sa.column("public_id", sa.Uuid), sa.column("log_key", sa.Uuid)
)
_users = sa.table(
    "users",
    sa.column("id", sa.BigInteger),
    sa.column("tenant_id", sa.BigInteger),
    sa.column("public_id", sa.Uuid),
    sa.column("log_key", sa.Uuid),
)


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
    # The defaults hold for rows that the former version inserts.
    with op.batch_alter_table("tenants") as batch_op:
        batch_op.add_column(sa.Column("log_key", sa.Uuid, server_default=RandomId(), nullable=False))
        batch_op.add_column(sa.Column("has_numbered_log", sa.Boolean, server_default=sa.true(), nullable=False))
        batch_op.create_unique_constraint(op.f("uq_tenants_log_key"), ["log_key"])
    with op.batch_alter_table("users") as batch_op:
        batch_op.add_column(sa.Column("log_key", sa.Uuid, server_default=RandomId(), nullable=False))
        batch_op.create_unique_constraint(op.f("uq_users_tenant_id_log_key"), ["tenant_id", "log_key"])
    if not context.is_offline_mode():  # printed, there are no rows to read
        _derive_keys(op.get_bind())


def downgrade() -> None:
    with op.batch_alter_table("users") as batch_op:
        batch_op.drop_constraint(op.f("uq_users_tenant_id_log_key"), type_="unique")
        batch_op.drop_column("log_key", mssql_drop_default=True)
    with op.batch_alter_table("tenants") as batch_op:
        batch_op.drop_constraint(op.f("uq_tenants_log_key"), type_="unique")
        batch_op.drop_column("has_numbered_log", mssql_drop_default=True)
        batch_op.drop_column("log_key", mssql_drop_default=True)
    op.drop_table("adopted_usage")


def _derive_keys(connection: sa.Connection) -> None:
    """Gives rows that are there the same keys each time: a backup from before may be restored and migrated."""
    found = connection.execute(sa.select(_tenants.c.id, _tenants.c.public_id)).all()
    keys = {row.id: uuid.uuid5(row.public_id, "action log") for row in found}
    row_id, tenant_id = (sa.bindparam(name, type_=sa.BigInteger) for name in ("row_id", "of_tenant"))
    key = sa.bindparam("key", type_=sa.Uuid)
    of_tenant = _tenants.update().where(_tenants.c.id == row_id).values(log_key=key)
    of_user = _users.update().where(_users.c.tenant_id == tenant_id, _users.c.id == row_id).values(log_key=key)
    if keys:
        connection.execute(of_tenant, [{"row_id": tenant, "key": each} for tenant, each in keys.items()])
    page = (
        sa.select(_users.c.id, _users.c.tenant_id, _users.c.public_id)
        .where(_users.c.id > sa.bindparam("after", type_=sa.BigInteger))
        .order_by(_users.c.id)
        .limit(_AT_ONCE)
    )
    after = 0
    while rows := connection.execute(page, {"after": after}).all():
        connection.execute(
            of_user,
            [
                {
                    "row_id": row.id,
                    "of_tenant": row.tenant_id,
                    "key": uuid.uuid5(keys[row.tenant_id], row.public_id.hex),
                }
                for row in rows
            ],
        )
        after = rows[-1].id
