"""The projects of a tenant: how their names are told apart, and which of them count as one."""

import uuid
from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import organizations, projects
from shared.db.statements import InsertIfAbsent, for_update
from shared.tenancy.organization_store import organization_key
from shared.text import name_key
from timers.projects.model import Project


NAME_KEY: Final = 205  # UTF-16 units that the key's column has left beside an organization and the stroke


def counted_as(rows: sa.FromClause = projects) -> sa.ColumnElement[int]:
    """The project as which one counts: the one it was joined with, or itself."""
    return sa.func.coalesce(rows.c.alias_of, rows.c.id)


def project_key(organization: str, project: str) -> str:
    """The key of a project's row. Organizations have plain letters, so that only their case can differ."""
    return f"{organization_key(organization)}/{project_name_key(project)}"


def project_name_key(project: str) -> str:
    return name_key(project, NAME_KEY)


_rows = projects.c
_ALL: Final[sa.Select[Any]] = (
    sa.select(
        _rows.id,
        _rows.public_id,
        _rows.organization_id,
        _rows.organization,
        _rows.name,
        _rows.alias_of,
        _rows.joined_to,
    )
    .where(_rows.tenant_id == bindparam("tenant", type_=sa.BigInteger))
    .order_by(_rows.organization, _rows.name, _rows.id)
)
_BY_KEYS: Final = sa.select(counted_as().label("counts_as")).where(
    _rows.tenant_id == bindparam("tenant", type_=sa.BigInteger), _rows.name_key.in_(bindparam("keys", expanding=True))
)
_JOIN: Final = (
    projects.update()
    .where(_rows.tenant_id == bindparam("tenant"), _rows.id == bindparam("project"))
    .values(
        alias_of=bindparam("to_alias_of", type_=sa.BigInteger), joined_to=bindparam("to_joined_to", type_=sa.BigInteger)
    )
)
_ADD: Final = InsertIfAbsent(
    projects,
    key=("tenant_id", "name_key"),
    columns=("tenant_id", "public_id", "organization_id", "organization", "name", "name_key"),
    # Held, so that a rename at this moment is waited for, and the row made of what it leaves.
    source=for_update(
        sa.select(
            organizations.c.tenant_id,
            bindparam("public_id", type_=_rows.public_id.type).label("public_id"),
            organizations.c.id,
            organizations.c.name,
            bindparam("name", type_=_rows.name.type).label("name"),
            bindparam("name_key", type_=_rows.name_key.type).label("name_key"),
        ).where(
            organizations.c.tenant_id == bindparam("tenant_id"),
            organizations.c.name_key == bindparam("organization_key"),
        ),
        organizations,
    ),
)


def add(tx: sa.Connection, tenant_id: int, *, organization: str, project: str, public_id: uuid.UUID) -> bool:
    """Makes a project of one of the tenant's organizations known; False when it was."""
    values = {
        "tenant_id": tenant_id,
        "public_id": public_id,
        "organization_key": organization_key(organization),
        "name": project,
        "name_key": project_key(organization, project),
    }
    return _ADD.run(tx, values) is not None


def find_all(tx: sa.Connection, tenant_id: int) -> list[Project]:
    """Every project of a tenant, by organization and name."""
    return [Project(*row) for row in tx.execute(_ALL, {"tenant": tenant_id})]


def count_as_one(tx: sa.Connection, tenant_id: int, organization: str, one: str, other: str) -> bool:
    """Whether two names in an organization are one project: the same name, or joined."""
    keys = {project_key(organization, one), project_key(organization, other)}
    if len(keys) == 1:
        return True
    found = list(tx.scalars(_BY_KEYS, {"tenant": tenant_id, "keys": sorted(keys)}))
    return len(found) == len(keys) and len(set(found)) == 1


def write_joins(tx: sa.Connection, tenant_id: int, changed: Iterable[Project]) -> None:
    """Writes with what these projects are joined and as what they count."""
    rows = [
        {"tenant": tenant_id, "project": each.id, "to_alias_of": each.alias_of, "to_joined_to": each.joined_to}
        for each in changed
    ]
    if rows:
        tx.execute(_JOIN, rows)
