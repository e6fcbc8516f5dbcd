"""Azure DevOps organizations have rows, and projects, running timers and cached work items point to theirs."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from shared.db import types


revision = "a4c07d91e2b6"
down_revision = "5d1c8a70f2be"

_POINTING = ("projects", "running_timers", "work_items")
_RANDOM_ID = {
    "mssql": "NEWID()",
    "postgresql": "gen_random_uuid()",
    "sqlite": "lower(hex(randomblob(6)) || '4' || substr(hex(randomblob(2)), 2)"
    " || '8' || substr(hex(randomblob(2)), 2) || hex(randomblob(6)))",
}

_tenants = sa.table("tenants", sa.column("id"), sa.column("organization"), sa.column("created_at"))
_organizations = sa.table(
    "organizations", *map(sa.column, ("id", "tenant_id", "public_id", "name", "name_key", "is_active", "created_at"))
)
_projects = sa.table("projects", *map(sa.column, ("id", "tenant_id", "organization", "organization_id")))
_running = sa.table("running_timers", *map(sa.column, ("tenant_id", "project_id", "organization_id")))
_items = sa.table("work_items", *map(sa.column, ("tenant_id", "organization_key", "organization_id")))


def upgrade() -> None:
    op.create_table(
        "organizations",
        sa.Column("id", types.BigId, sa.Identity(always=False), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("name_key", sa.String(length=50), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_organizations_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organizations")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_organizations_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", "name_key", name=op.f("uq_organizations_tenant_id_name_key")),
        sa.UniqueConstraint("tenant_id", "public_id", name=op.f("uq_organizations_tenant_id_public_id")),
    )
    _fill()
    for table in _POINTING:
        op.add_column(table, sa.Column("organization_id", sa.BigInteger(), nullable=True))
    _point()
    for table in _POINTING:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.alter_column("organization_id", existing_type=sa.BigInteger(), nullable=False)
            batch_op.create_foreign_key(
                op.f(f"fk_{table}_tenant_id_organization_id"),
                "organizations",
                ["tenant_id", "organization_id"],
                ["tenant_id", "id"],
            )


def downgrade() -> None:
    for table in reversed(_POINTING):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_constraint(op.f(f"fk_{table}_tenant_id_organization_id"), type_="foreignkey")
            batch_op.drop_column("organization_id")
    op.drop_table("organizations")


def _fill() -> None:
    """The present organization of each tenant, and, inactive, the former ones that its projects name."""
    random_id: sa.ColumnClause[Any] = sa.literal_column(_RANDOM_ID[op.get_context().dialect.name])
    columns = ("tenant_id", "public_id", "name", "name_key", "is_active", "created_at")
    present = sa.select(
        _tenants.c.id,
        random_id,
        _tenants.c.organization,
        sa.func.lower(_tenants.c.organization),
        sa.true() if op.get_context().dialect.name == "postgresql" else sa.literal_column("1"),
        _tenants.c.created_at,
    )
    op.execute(_organizations.insert().inline().from_select(list(columns), present))
    key = sa.func.lower(_projects.c.organization)
    known = sa.exists().where(_organizations.c.tenant_id == _projects.c.tenant_id, _organizations.c.name_key == key)
    named = (
        sa.select(_projects.c.tenant_id, sa.func.min(_projects.c.organization).label("name"), key.label("name_key"))
        .where(~known)
        .group_by(_projects.c.tenant_id, key)
        .subquery("named")
    )
    former = sa.select(
        named.c.tenant_id,
        random_id,
        named.c.name,
        named.c.name_key,
        sa.false() if op.get_context().dialect.name == "postgresql" else sa.literal_column("0"),
        _tenants.c.created_at,
    ).join(_tenants, _tenants.c.id == named.c.tenant_id)
    op.execute(_organizations.insert().inline().from_select(list(columns), former))


def _point() -> None:
    def of(tenant: sa.ColumnClause[Any], key: sa.ColumnElement[Any]) -> sa.ScalarSelect[Any]:
        same = (_organizations.c.tenant_id == tenant, _organizations.c.name_key == key)
        return sa.select(_organizations.c.id).where(*same).scalar_subquery()

    lower = sa.func.lower(_projects.c.organization)
    op.execute(_projects.update().values(organization_id=of(_projects.c.tenant_id, lower)))
    of_project = sa.select(_projects.c.organization_id).where(
        _projects.c.tenant_id == _running.c.tenant_id, _projects.c.id == _running.c.project_id
    )
    op.execute(_running.update().values(organization_id=of_project.scalar_subquery()))
    op.execute(_items.update().values(organization_id=of(_items.c.tenant_id, _items.c.organization_key)))
    # What was read from an organization that no time is on can be read again.
    op.execute(_items.delete().where(_items.c.organization_id.is_(None)))
