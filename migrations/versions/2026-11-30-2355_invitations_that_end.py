"""invitations that end, roles that wait to be confirmed, and accounts that were merged."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from alembic import op

from shared import clock
from shared.db import types


revision = "5d9a3e71c048"
down_revision = "5d3a9c41e7f2"

_AT_ONCE = 500
_LIFETIME = dt.timedelta(days=14)
_MERGED = (
    "merged_into IS NULL OR (merged_into <> id AND entra_object_id IS NULL AND email_key IS NULL"
    " AND invited_object_id IS NULL)"
)
_users = sa.table(
    "users",
    sa.column("id", sa.BigInteger),
    sa.column("tenant_id", sa.BigInteger),
    sa.column("email", sa.Unicode),
    sa.column("email_key", sa.Unicode),
    sa.column("role", sa.String),
    sa.column("pending_role", sa.String),
    sa.column("auth_provider", sa.String),
    sa.column("is_active", sa.Boolean),
    sa.column("entra_object_id", sa.Uuid),
    sa.column("erased_at", types.UtcDateTime),
    sa.column("invitation_ends_at", types.UtcDateTime),
)
_u = _users.c
_OPEN = (
    _u.entra_object_id.is_(None),
    _u.auth_provider == "manual",
    _u.is_active,
    _u.erased_at.is_(None),
    _u.email_key.is_not(None),
)


def upgrade() -> None:
    op.add_column("users", sa.Column("pending_role", sa.String(length=24), nullable=True))
    op.add_column("users", sa.Column("invitation_ends_at", types.UtcDateTime(), nullable=True))
    op.add_column("users", sa.Column("invited_object_id", sa.Uuid(), nullable=True))
    op.add_column("users", sa.Column("merged_into", sa.BigInteger(), nullable=True))
    # An invitation of before has 14 days from now, and its role waits. Everybody else's address leads to nobody.
    op.execute(_users.update().where(sa.not_(sa.and_(*_OPEN)), _u.email_key.is_not(None)).values(email_key=None))
    op.execute(_users.update().where(*_OPEN).values(invitation_ends_at=clock.now() + _LIFETIME))
    op.execute(_users.update().where(*_OPEN, _u.role != "user").values(pending_role=_u.role, role="user"))
    if not op.get_context().as_sql:  # printed, there are no rows to read
        _match_exactly(op.get_bind())
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.create_check_constraint(op.f("ck_users_pending_role"), "pending_role IN ('admin', 'super_admin')")
        batch_op.create_check_constraint(op.f("ck_users_merged_into"), _MERGED)
        batch_op.create_foreign_key(
            op.f("fk_users_tenant_id_merged_into"), "users", ["tenant_id", "merged_into"], ["tenant_id", "id"]
        )
    _index("ux_users_invited_object_id", "invited_object_id", unique=True)
    _index("ix_users_merged_into", "merged_into", unique=False)


def downgrade() -> None:
    op.drop_index("ix_users_merged_into", table_name="users")
    op.drop_index("ux_users_invited_object_id", table_name="users")
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("fk_users_tenant_id_merged_into"), type_="foreignkey")
        batch_op.drop_constraint(op.f("ck_users_merged_into"), type_="check")
        batch_op.drop_constraint(op.f("ck_users_pending_role"), type_="check")
    waits = (_u.entra_object_id.is_(None), _u.pending_role.is_not(None))
    op.execute(_users.update().where(*waits).values(role=_u.pending_role))
    # The newest account that signed in with an address is the one that the version before finds by it.
    other = _users.alias("other").c
    same = (other.tenant_id == _u.tenant_id, sa.func.lower(other.email) == sa.func.lower(_u.email))
    newest = (~sa.exists().where(*same, other.id > _u.id), ~sa.exists().where(*same, other.email_key.is_not(None)))
    signed_in = (_u.entra_object_id.is_not(None), _u.erased_at.is_(None), _u.email_key.is_(None))
    op.execute(_users.update().where(*signed_in, *newest).values(email_key=sa.func.lower(_u.email)))
    with op.batch_alter_table("users", schema=None) as batch_op:
        for column in ("merged_into", "invited_object_id", "invitation_ends_at", "pending_role"):
            batch_op.drop_column(column)


def _index(name: str, column: str, *, unique: bool) -> None:
    where = sa.text(f"{column} IS NOT NULL")
    op.create_index(
        name,
        "users",
        ["tenant_id", column],
        unique=unique,
        mssql_where=where,
        postgresql_where=where,
        sqlite_where=where,
    )


def _match_exactly(connection: sa.Connection) -> None:
    """Has each open invitation wait for its own address, and not for one that Unicode folds it to."""
    after = 0
    select = sa.select(_u.id, _u.email, _u.email_key).where(*_OPEN).order_by(_u.id).limit(_AT_ONCE)
    while rows := connection.execute(select.where(_u.id > after)).all():
        for row in rows:
            key = row.email.lower() if row.email.isascii() else None
            if key != row.email_key:
                _change(connection, row.id, email_key=key)
        after = rows[-1].id


def _change(connection: sa.Connection, user_id: int, **values: Any) -> None:  # noqa: ANN401 - of the columns above
    connection.execute(_users.update().where(_u.id == user_id).values(**values))
