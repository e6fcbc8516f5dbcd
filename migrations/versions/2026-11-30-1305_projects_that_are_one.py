"""Projects that count as one: twins by the way their names look, and those that an admin joined."""

import itertools
from typing import Any

import sqlalchemy as sa
from alembic import op

from shared.text import name_key


revision = "c81f5e2a9d47"
down_revision = "a4c07d91e2b6"

_RANDOM_ID = {
    "mssql": "NEWID()",
    "postgresql": "gen_random_uuid()",
    "sqlite": "lower(hex(randomblob(6)) || '4' || substr(hex(randomblob(2)), 2)"
    " || '8' || substr(hex(randomblob(2)), 2) || hex(randomblob(6)))",
}
_projects = sa.table(
    "projects",
    *map(
        sa.column,
        (
            "id",
            "tenant_id",
            "public_id",
            "organization_id",
            "organization",
            "name",
            "name_key",
            "alias_of",
            "joined_to",
        ),
    ),
)
_ONE_IS_IT_ITSELF = (
    "(alias_of IS NULL AND joined_to IS NULL)"
    " OR (alias_of IS NOT NULL AND joined_to IS NOT NULL AND alias_of <> id AND joined_to <> id)"
)


def upgrade() -> None:
    op.add_column("projects", sa.Column("public_id", sa.Uuid(), nullable=True))
    op.add_column("projects", sa.Column("alias_of", sa.BigInteger(), nullable=True))
    op.add_column("projects", sa.Column("joined_to", sa.BigInteger(), nullable=True))
    random_id: sa.ColumnClause[Any] = sa.literal_column(_RANDOM_ID[op.get_context().dialect.name])
    op.execute(_projects.update().values(public_id=random_id))
    if not op.get_context().as_sql:  # printed, there are no rows to read
        _join_twins(op.get_bind())
    with op.batch_alter_table("projects", schema=None) as batch_op:
        batch_op.alter_column("public_id", existing_type=sa.Uuid(), nullable=False)
        batch_op.create_unique_constraint(op.f("uq_projects_tenant_id_public_id"), ["tenant_id", "public_id"])
        batch_op.create_unique_constraint(
            op.f("uq_projects_tenant_id_organization_id_id"), ["tenant_id", "organization_id", "id"]
        )
        batch_op.create_check_constraint(op.f("ck_projects_alias_of"), _ONE_IS_IT_ITSELF)
    with op.batch_alter_table("projects", schema=None) as batch_op:
        for column in ("alias_of", "joined_to"):
            batch_op.create_foreign_key(
                op.f(f"fk_projects_tenant_id_organization_id_{column}"),
                "projects",
                ["tenant_id", "organization_id", column],
                ["tenant_id", "organization_id", "id"],
            )
    with op.batch_alter_table("work_items", schema=None) as batch_op:
        batch_op.create_unique_constraint(
            op.f("uq_work_items_tenant_id_organization_id_work_item_id"),
            ["tenant_id", "organization_id", "work_item_id"],
        )


def downgrade() -> None:
    with op.batch_alter_table("work_items", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("uq_work_items_tenant_id_organization_id_work_item_id"), type_="unique")
    with op.batch_alter_table("projects", schema=None) as batch_op:
        for column in ("joined_to", "alias_of"):
            batch_op.drop_constraint(op.f(f"fk_projects_tenant_id_organization_id_{column}"), type_="foreignkey")
    with op.batch_alter_table("projects", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_projects_alias_of"), type_="check")
        batch_op.drop_constraint(op.f("uq_projects_tenant_id_organization_id_id"), type_="unique")
        batch_op.drop_constraint(op.f("uq_projects_tenant_id_public_id"), type_="unique")
        for column in ("joined_to", "alias_of", "public_id"):
            batch_op.drop_column(column)


def _join_twins(connection: sa.Connection) -> None:
    """Gives every project the key that its name has now; of those that share one the first keeps it.

    The others count as that one, and keep the keys they had: none of these is the key of any name any more, and by
    them the version before, which may still run, goes on finding its projects. Keys of keys are themselves, so a key
    that somebody keeps is nobody else's new one.
    """
    rows = connection.execute(sa.select(_projects).order_by(_projects.c.tenant_id, _projects.c.id)).all()
    for _, of_tenant in itertools.groupby(rows, lambda row: row.tenant_id):
        twins: dict[str, list[sa.Row[Any]]] = {}
        for row in of_tenant:
            twins.setdefault(f"{row.organization.lower()}/{name_key(row.name, 205)}", []).append(row)
        for key, them in twins.items():
            first = next((row for row in them if row.name_key == key), them[0])
            if first.name_key != key:
                _change(connection, first, name_key=key)
            for row in them:
                if row.id != first.id:
                    _change(connection, row, alias_of=first.id, joined_to=first.id)


def _change(connection: sa.Connection, row: sa.Row[Any], **values: Any) -> None:  # noqa: ANN401 - of the columns above
    this = (_projects.c.tenant_id == row.tenant_id, _projects.c.id == row.id)
    connection.execute(_projects.update().where(*this).values(**values))
