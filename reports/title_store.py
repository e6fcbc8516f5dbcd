"""The work items of a report: with the titles that its reader may see, and those to be read with their token first."""

import datetime as dt
import itertools
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from reports.store import (
    TENANT,
    Asked,
    Filter,
    WorkItem,
    filters_of,
    filters_with_unknown,
    of_cache,
    of_organization,
    parameters,
    where,
)
from shared.db.schema import organizations, projects, time_entry_days, work_item_readers, work_items
from shared.db.types import Day
from timers.work_items.reader_store import IS_SHOWN, SHOWN, of_viewer


_BATCH: Final = 1000
_days = time_entry_days.c


def _worked(filters: frozenset[Filter], *, one_month: bool) -> sa.Subquery:
    """The work items of the pieces that are asked for, and the last day of each; of every project by itself."""
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
def unread_statement(filters: frozenset[Filter], *, one_month: bool) -> sa.Select[Any]:
    worked = _worked(filters, one_month=one_month)
    item = (projects.c.organization_id, worked.c.work_item_id)
    looked_since = bindparam("looked_since", type_=work_items.c.fetched_at.type)
    is_fresh = sa.and_(
        work_items.c.fetched_at > looked_since,
        work_item_readers.c.read_on >= bindparam("own_since", type_=Day),
    )
    is_shown = sa.func.min(sa.case((IS_SHOWN, 1), else_=0))  # of each item one and the same
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


def items(tx: sa.Connection, asked: Asked) -> Iterator[WorkItem]:
    """Each work item of a report once, as the database hands them out, with what the viewer may see of it."""
    chosen = items_statement(filters_with_unknown(asked), one_month=asked.span.is_in_one_month)
    rows = tx.execute(chosen, parameters(asked), execution_options={"yield_per": _BATCH})
    for (organization, number), same in itertools.groupby(rows, lambda row: (row.organization, row.work_item_id)):
        row = next(same)  # of several projects of one organization
        yield WorkItem(organization, number, row.type, row.title, row.assignee_name, row.state)


def unread(tx: sa.Connection, asked: Asked, *, looked_since: dt.datetime, most: int) -> list[tuple[int, int]]:
    """The items to be read with the viewer's token, at most so many, by the rows of active organizations and number.

    First those that the viewer is not shown yet, then those that were looked at before an instant; the newest work
    first. They are of whatever type, since types are read as well.
    """
    filters = filters_of(asked) - {Filter.TYPE}
    chosen = unread_statement(filters, one_month=asked.span.is_in_one_month)
    values = {**parameters(asked), "looked_since": looked_since, "own_since": looked_since.date(), "most": most}
    return [(row.organization_id, row.work_item_id) for row in tx.execute(chosen, values)]
