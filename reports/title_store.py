"""The work items of a report, with the titles that the viewer may see, and those to refresh with the viewer's token."""

import datetime as dt
import itertools
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from reports.store import (
    TENANT,
    Filter,
    ReportQuery,
    WorkItemView,
    filters_of,
    filters_with_unknown,
    of_cache,
    of_organization,
    parameters,
    where,
)
from shared.db.schema import organizations, projects, time_entry_days, work_item_readers, work_items
from shared.db.types import Day
from timers.work_items import IS_SHOWN, SHOWN, of_viewer


_BATCH: Final = 1000
_days = time_entry_days.c


def _worked(filters: frozenset[Filter], *, one_month: bool) -> sa.Subquery:
    """The work items of the pieces by project, each with its last day."""
    last = sa.func.max(_days.work_date).label("last_date")
    by = (_days.project_id, _days.work_item_id)
    return sa.select(*by, last).where(*where(filters, one_month=one_month)).group_by(*by).subquery("worked")


def _of_project(worked: sa.Subquery) -> sa.ColumnElement[bool]:
    return sa.and_(projects.c.tenant_id == TENANT, projects.c.id == worked.c.project_id)


@cache
def items_statement(filters: frozenset[Filter], *, one_month: bool) -> sa.Select[Any]:
    worked = _worked(filters, one_month=one_month)
    item = (projects.c.organization_id, worked.c.work_item_id)
    return (
        sa.select(organizations.c.name.label("organization"), worked.c.work_item_id, work_items.c.type, *SHOWN)
        .select_from(worked)
        .join(projects, _of_project(worked))
        .join(organizations, of_organization(projects.c.organization_id))
        .outerjoin(work_items, of_cache(*item))
        .outerjoin(work_item_readers, of_viewer(*item))
        .order_by(*item)
    )


@cache
def outdated_statement(filters: frozenset[Filter], *, one_month: bool) -> sa.Select[Any]:
    worked = _worked(filters, one_month=one_month)
    item = (projects.c.organization_id, worked.c.work_item_id)
    fetched_after = bindparam("fetched_after", type_=work_items.c.fetched_at.type)
    is_fresh = sa.and_(
        work_items.c.fetched_at > fetched_after,
        work_item_readers.c.read_on >= bindparam("own_since", type_=Day),
    )
    is_shown = sa.func.min(sa.case((IS_SHOWN, 1), else_=0))  # equal in all rows of an item
    return (
        sa.select(*item)
        .select_from(worked)
        .join(projects, _of_project(worked))
        .join(organizations, of_organization(projects.c.organization_id))
        .outerjoin(work_items, of_cache(*item))
        .outerjoin(work_item_readers, of_viewer(*item))
        .where(organizations.c.is_active == sa.true(), sa.case((sa.and_(IS_SHOWN, is_fresh), 1), else_=0) == 0)
        .group_by(*item)
        .order_by(is_shown, sa.func.max(worked.c.last_date).desc(), *item)
        .limit(bindparam("most", type_=sa.Integer))
    )


def read_items(tx: sa.Connection, tenant_id: int, query: ReportQuery) -> Iterator[WorkItemView]:
    """Each work item of a report once, as the viewer may see it, streamed in batches."""
    select = items_statement(filters_with_unknown(query), one_month=query.span.is_in_one_month)
    rows = tx.execute(select, parameters(tenant_id, query), execution_options={"yield_per": _BATCH})
    for (organization, number), same in itertools.groupby(rows, lambda row: (row.organization, row.work_item_id)):
        row = next(same)  # there may be several, of projects of one organization
        yield WorkItemView(organization, number, row.type, row.title, row.assignee_name, row.state)


def find_outdated(
    tx: sa.Connection, tenant_id: int, query: ReportQuery, *, fetched_after: dt.datetime, limit: int
) -> list[tuple[int, int]]:
    """The work items to refresh with the viewer's token: row ids of active organizations, and numbers.

    First items without a visible title, then items that were fetched before an instant; the newest work first. Types
    are refreshed too, so the query's filter by type is ignored.
    """
    filters = filters_of(query) - {Filter.TYPE}
    select = outdated_statement(filters, one_month=query.span.is_in_one_month)
    values = {"fetched_after": fetched_after, "own_since": fetched_after.date(), "most": limit}
    rows = tx.execute(select, {**parameters(tenant_id, query), **values})
    return [(row.organization_id, row.work_item_id) for row in rows]
