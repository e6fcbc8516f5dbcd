"""The projects of a tenant: the keys of their names, and the projects that count as one."""

import uuid
from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import organizations, projects, running_timers, time_entries
from shared.db.statements import InsertIfAbsent, for_update
from shared.tenancy.organization_store import organization_key
from shared.text import name_key
from timers.model import WorkItem
from timers.projects.model import Project


NAME_KEY: Final = 205  # UTF-16 units: the column's length without an organization and the slash


def counted_as(rows: sa.FromClause = projects) -> sa.ColumnElement[int]:
    """The project that a project counts as: the target of its joins, or itself."""
    return sa.func.coalesce(rows.c.alias_of, rows.c.id)


def project_key(organization: str, project: str) -> str:
    """The key of a project's row. Organizations have ASCII letters, so they can differ only in case."""
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
_NEWEST: Final = 2_000
_newest_entries = (
    sa.select(time_entries.c.project_id)
    .where(time_entries.c.tenant_id == bindparam("tenant"), time_entries.c.user_id == bindparam("user"))
    .order_by(time_entries.c.started_at.desc(), time_entries.c.public_id.desc())
    .limit(_NEWEST)
    .subquery("newest")
)
_OWN_IDS: Final[Any] = sa.union(
    sa.select(_newest_entries.c.project_id),
    sa.select(running_timers.c.project_id).where(
        running_timers.c.tenant_id == bindparam("tenant"), running_timers.c.user_id == bindparam("user")
    ),
)
_BY_KEYS: Final = sa.select(counted_as().label("counts_as")).where(
    _rows.tenant_id == bindparam("tenant", type_=sa.BigInteger), _rows.name_key.in_(bindparam("keys", expanding=True))
)
_BY_NAME: Final = sa.select(_rows.id, _rows.organization_id, _rows.organization, _rows.name).where(
    _rows.tenant_id == bindparam("tenant"), _rows.name_key == bindparam("name_key")
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
    # Locked, so that a concurrent rename of the organization is finished first.
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
    """Adds a project to one of the tenant's organizations; False when the tenant has it already."""
    values = {
        "tenant_id": tenant_id,
        "public_id": public_id,
        "organization_key": organization_key(organization),
        "name": project,
        "name_key": project_key(organization, project),
    }
    return _ADD.run(tx, values) is not None


def find_work_item(
    tx: sa.Connection, tenant_id: int, *, organization: str, project: str, number: int
) -> WorkItem | None:
    """A work item of a project by its names; None for an unknown project."""
    key = project_key(organization, project)
    row = tx.execute(_BY_NAME, {"tenant": tenant_id, "name_key": key}).first()
    return None if row is None else WorkItem(row.organization_id, row.id, row.organization, row.name, number)


def find_all(tx: sa.Connection, tenant_id: int) -> list[Project]:
    """Every project of a tenant, by organization and name."""
    return [Project(*row) for row in tx.execute(_ALL, {"tenant": tenant_id})]


def find_own_ids(tx: sa.Connection, tenant_id: int, user_id: int) -> set[int]:
    """The projects of a person's running timer and newest 2,000 entries."""
    return set(tx.scalars(_OWN_IDS, {"tenant": tenant_id, "user": user_id}))


def count_as_one(tx: sa.Connection, tenant_id: int, organization: str, one: str, other: str) -> bool:
    """Whether two names in an organization stand for one project: equal names, or joined projects."""
    keys = {project_key(organization, one), project_key(organization, other)}
    if len(keys) == 1:
        return True
    targets = list(tx.scalars(_BY_KEYS, {"tenant": tenant_id, "keys": sorted(keys)}))
    return len(targets) == len(keys) and len(set(targets)) == 1


def write_joins(tx: sa.Connection, tenant_id: int, changed: Iterable[Project]) -> None:
    """Writes the joins of these projects, and the projects that they count as."""
    rows = [
        {"tenant": tenant_id, "project": each.id, "to_alias_of": each.alias_of, "to_joined_to": each.joined_to}
        for each in changed
    ]
    if rows:
        tx.execute(_JOIN, rows)
