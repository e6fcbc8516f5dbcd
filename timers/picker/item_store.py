"""The columns of a listed work item, and the joins that they need."""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import organizations, projects, work_item_readers, work_items
from timers.picker.model import ListedItem
from timers.projects import counted_as
from timers.work_items import SHOWN, of_viewer, shown


TENANT: Final = bindparam("tenant", type_=sa.BigInteger)
VIEWER: Final = bindparam("viewer", type_=sa.BigInteger)
_JOINED: Final = projects.alias("joined")
JOINED_NAME: Final = _JOINED.c.name  # of the project that a project is joined to


def with_project(source: sa.FromClause, project_id: sa.ColumnElement[int]) -> sa.FromClause:
    """Joins the project of time, and the project that it is joined to."""
    own = sa.and_(projects.c.tenant_id == TENANT, projects.c.id == project_id)
    counted = sa.and_(_JOINED.c.tenant_id == TENANT, _JOINED.c.id == counted_as())
    return source.join(projects, own).join(_JOINED, counted)


def listed_columns(
    work_item_id: sa.ColumnElement[int], own_project: sa.ColumnElement[Any]
) -> list[sa.ColumnElement[Any]]:
    """The columns of a ListedItem; `own_project` is the name of the project of the viewer's own time on it."""
    project = sa.func.coalesce(shown(work_items.c.project), own_project).label("project")
    return [organizations.c.name.label("organization"), work_item_id, project, work_items.c.type, *SHOWN]


def with_cache(
    source: sa.FromClause, organization_id: sa.ColumnElement[int], work_item_id: sa.ColumnElement[int]
) -> sa.FromClause:
    """Joins the organization of a work item, its row in the cache, and the viewer's reading of it."""
    organization = sa.and_(organizations.c.tenant_id == TENANT, organizations.c.id == organization_id)
    cached = sa.and_(
        work_items.c.tenant_id == TENANT,
        work_items.c.organization_id == organization_id,
        work_items.c.work_item_id == work_item_id,
    )
    return (
        source.join(organizations, organization)
        .outerjoin(work_items, cached)
        .outerjoin(work_item_readers, of_viewer(organization_id, work_item_id))
    )


def to_item(row: sa.Row[Any]) -> ListedItem:
    return ListedItem(
        row.organization, row.work_item_id, row.project, row.type, row.title, row.assignee_name, row.state
    )
