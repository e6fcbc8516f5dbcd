"""The rows that a start writes: the running timer, and the project it is on."""

import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import organizations, projects, running_timers
from shared.db.statements import InsertIfAbsent, locked
from shared.tenancy.store_organizations import organization_key
from shared.tracking.model import RunningTimer
from shared.tracking.store import RUNNING_COLUMNS, running_of
from shared.tracking.store_projects import project_key


_running = running_timers.c


def _parameter(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    return bindparam(column.name, type_=column.type).label(column.name)


# The project is found and the timer started in one statement; no row back means either is in the way.
_START = InsertIfAbsent(
    running_timers,
    key=("tenant_id", "user_id"),
    columns=(
        "tenant_id",
        "user_id",
        "public_id",
        "organization_id",
        "project_id",
        "organization",
        "project",
        "work_item_id",
        "started_at",
        "existing_hours",
        "note",
    ),
    source=sa.select(
        _parameter(_running.tenant_id),
        _parameter(_running.user_id),
        _parameter(_running.public_id),
        projects.c.organization_id,
        projects.c.id,
        projects.c.organization,
        projects.c.name,
        _parameter(_running.work_item_id),
        _parameter(_running.started_at),
        _parameter(_running.existing_hours),
        _parameter(_running.note),
    ).where(projects.c.tenant_id == bindparam("tenant_id"), projects.c.name_key == bindparam("name_key")),
    returning=tuple(column.name for column in RUNNING_COLUMNS),
)
_ADD_PROJECT = InsertIfAbsent(
    projects,
    key=("tenant_id", "name_key"),
    columns=("tenant_id", "public_id", "organization_id", "organization", "name", "name_key"),
    # Held, so that a rename at this moment is waited for, and the row made of what it leaves.
    source=locked(
        sa.select(
            organizations.c.tenant_id,
            _parameter(projects.c.public_id),
            organizations.c.id,
            organizations.c.name,
            _parameter(projects.c.name),
            _parameter(projects.c.name_key),
        ).where(
            organizations.c.tenant_id == bindparam("tenant_id"),
            organizations.c.name_key == bindparam("organization_key"),
        ),
        organizations,
    ),
)


def start(
    tx: sa.Connection, tenant_id: int, user_id: int, *, timer_id: uuid.UUID, values: dict[str, Any]
) -> RunningTimer | None:
    """Starts a timer unless one runs or the project is not known yet; None then."""
    row = _START.run(tx, {"tenant_id": tenant_id, "user_id": user_id, "public_id": timer_id, **values})
    return None if row is None else running_of(row)


def add_project(tx: sa.Connection, tenant_id: int, *, organization: str, project: str, public_id: uuid.UUID) -> bool:
    """Makes a project of one of the tenant's organizations known; False when it was."""
    values = {
        "tenant_id": tenant_id,
        "public_id": public_id,
        "organization_key": organization_key(organization),
        "name": project,
        "name_key": project_key(organization, project),
    }
    return _ADD_PROJECT.run(tx, values) is not None
