"""Shared parts of the tables: the metadata with its naming rules, and the keys that separate tenants."""

import sqlalchemy as sa


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def tenant_id() -> sa.Column[int]:
    return sa.Column("tenant_id", sa.BigInteger, nullable=False)


def of_user() -> sa.ForeignKeyConstraint:
    """The row's user belongs to the row's tenant."""
    return sa.ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"])


def of_organization() -> sa.ForeignKeyConstraint:
    """The row's Azure DevOps organization belongs to the row's tenant."""
    return sa.ForeignKeyConstraint(["tenant_id", "organization_id"], ["organizations.tenant_id", "organizations.id"])


def of_project() -> sa.ForeignKeyConstraint:
    """The row's project belongs to the row's tenant."""
    return sa.ForeignKeyConstraint(["tenant_id", "project_id"], ["projects.tenant_id", "projects.id"])
