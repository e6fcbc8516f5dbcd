"""Reads the sums of a report: one statement for days and rows, each from one range of the covering index."""

import datetime as dt
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from reports.dimensions import DIMENSIONS
from reports.rules import MOST_DAYS, Group
from reports.store import (
    TENANT,
    Filter,
    ReportQuery,
    SumRow,
    UnknownTypes,
    WorkItemView,
    filters_of,
    is_of_unknown_type,
    of_cache,
    of_organization,
    parameters,
    person_of,
    where,
)
from shared.db.schema import organizations, projects, time_entry_days, users, work_item_readers, work_items
from timers.projects import counted_as
from timers.work_items import SHOWN, of_viewer


EVERY_ROW: Final = 2**31 - 2 - MOST_DAYS
_BATCH: Final = 1000
_days = time_entry_days.c
_NEEDS_PROJECT: Final = {Group.PROJECT, Group.WORK_ITEM}  # a work item belongs to its project's organization
_IN_ORDER: Final = {Group.PROJECT, Group.DAY}  # sorted in the index
_DATE: Final = (_days.month_key, _days.work_date)  # a day in the index
_ZERO: Final[sa.ColumnElement[int]] = sa.literal_column("0", sa.Integer)
# The parts of the result, in this order: the sum of unknown types, days, rows, and rows of unknown types.
_UNKNOWN_SUM, _DAYS, _ROWS, _UNKNOWN_ROWS = range(4)
# An entry that began before the span counts on its first day.
_COUNTS: Final = sa.case((sa.or_(_days.starts_entry == 1, _days.work_date == bindparam("first")), 1), else_=0)


@dataclass(frozen=True, slots=True)
class _Lookup:
    """The names of a dimension's ids: the joined tables, the columns to read, and the sort order."""

    join: Callable[[sa.FromClause, sa.FromClause], sa.FromClause]  # the source so far, and the sums
    columns: Callable[[sa.FromClause], list[Any]]
    order: Callable[[sa.FromClause], list[Any]]


def _join_project(source: sa.FromClause, sums: sa.FromClause) -> sa.FromClause:
    return source.outerjoin(projects, sa.and_(projects.c.tenant_id == TENANT, projects.c.id == sums.c.project_id))


def _join_user(source: sa.FromClause, sums: sa.FromClause) -> sa.FromClause:
    return source.outerjoin(users, sa.and_(users.c.tenant_id == TENANT, users.c.id == sums.c.user_id))


def _join_work_item(source: sa.FromClause, sums: sa.FromClause) -> sa.FromClause:
    item = (sums.c.organization_id, sums.c.work_item_id)
    return source.outerjoin(work_items, of_cache(*item)).outerjoin(work_item_readers, of_viewer(*item))


_LOOKUPS: Final = {
    Group.PROJECT: _Lookup(
        _join_project,
        lambda _: [projects.c.name.label("project")],
        lambda sums: [sa.func.lower(projects.c.name), sa.func.lower(organizations.c.name), sums.c.project_id],
    ),
    Group.USER: _Lookup(
        _join_user,
        lambda _: [users.c.public_id, users.c.display_name, users.c.email, users.c.erased_at],
        lambda sums: [sa.func.lower(users.c.display_name), users.c.email, sums.c.user_id],
    ),
    Group.WORK_ITEM: _Lookup(
        _join_work_item,
        lambda sums: [sums.c.work_item_id, work_items.c.type, *SHOWN],
        lambda sums: [sums.c.work_item_id, organizations.c.name],
    ),
    Group.DAY: _Lookup(lambda source, _: source, lambda _: [], lambda sums: [sums.c.work_date]),
}


@dataclass(frozen=True, slots=True)
class Sums:
    """All days with time, and the rows; from one statement, so that they agree despite concurrent writes."""

    days: list[tuple[dt.date, int]]
    rows: Iterator[SumRow]
    unknown_ms: int = 0


@cache
def statement(
    groups: tuple[Group, ...],
    filters: frozenset[Filter],
    *,
    one_month: bool,
    unknown: UnknownTypes = UnknownTypes.LEFT_OUT,
) -> sa.Select[Any]:
    """One statement for each order of groups, set of filters and kind of span, built at the first use."""
    pieces = where(filters, one_month=one_month)
    cells: sa.FromClause
    if set(groups) <= _IN_ORDER:
        cells = _cells(pieces, groups).cte("cells")
        days = _days_of(cells, [cells.c.work_date], [])
    else:
        cells = _cells(pieces, groups).subquery("cells")
        days = _days_of(time_entry_days, [*_DATE], pieces)
    parts = [days, _rows_of(cells, groups, _ROWS)]
    if unknown is not UnknownTypes.LEFT_OUT and Filter.TYPE in filters:
        parts.append(_unknown_sum(where(filters - {Filter.TYPE}, one_month=one_month)))
        if unknown is UnknownTypes.LISTED:
            unknown_pieces = where(filters - {Filter.TYPE} | {Filter.UNKNOWN_TYPE}, one_month=one_month)
            parts.append(_rows_of(_cells(unknown_pieces, groups).subquery("unknown_cells"), groups, _UNKNOWN_ROWS))
    sums = _union(parts).subquery("sums")
    columns: list[Any] = [sums.c.part, sums.c.elapsed_ms, sums.c.n, sums.c.work_date]
    order: list[Any] = [sums.c.part]
    source: sa.FromClause = sums
    if _NEEDS_PROJECT & set(groups):
        source = source.outerjoin(organizations, of_organization(sums.c.organization_id))
        columns.append(organizations.c.name.label("organization"))
    for group in groups:
        lookup = _LOOKUPS[group]
        source = lookup.join(source, sums)
        columns += lookup.columns(sums)
        order += lookup.order(sums)
    if Group.DAY not in groups:
        order.append(sums.c.work_date)  # the days themselves
    order = list(dict.fromkeys(order))  # T-SQL takes no expression twice
    return sa.select(*columns).select_from(source).order_by(*order).limit(bindparam("most", type_=sa.Integer))


def _cells(pieces: list[sa.ColumnElement[bool]], groups: tuple[Group, ...]) -> sa.Select[Any]:
    """Sums by columns of the index: fewer rows, from one reading of its range."""
    by: list[sa.ColumnElement[Any]] = [*_DATE] if Group.DAY in groups or set(groups) <= _IN_ORDER else []
    by += [_days.project_id] if _NEEDS_PROJECT & set(groups) else []
    by += [_days[DIMENSIONS[group].column] for group in (Group.USER, Group.WORK_ITEM) if group in groups]
    entries = _sum(_COUNTS).label("n")
    return sa.select(*by, _sum(_days.elapsed_ms).label("elapsed_ms"), entries).where(*pieces).group_by(*by)


def _part(number: int) -> sa.Label[int]:
    return sa.literal_column(str(number), sa.Integer).label("part")


def _rows_of(cells: sa.FromClause, groups: tuple[Group, ...], part: int) -> sa.Select[Any]:
    """The rows: projects and their aliases together, and work items by organization."""
    of = cells.c
    by = [of[DIMENSIONS[group].column] for group in groups if group is not Group.PROJECT]
    ms, entries = of.elapsed_ms, of.n
    if not _NEEDS_PROJECT & set(groups):
        return sa.select(_part(part), *by, ms, entries)
    project = sa.and_(projects.c.tenant_id == TENANT, projects.c.id == of.project_id)
    key: list[sa.ColumnElement[Any]] = [projects.c.organization_id, *by]
    columns: list[sa.ColumnElement[Any]] = [*key]
    if Group.PROJECT in groups:
        key.append(counted_as())
        columns.append(counted_as().label(DIMENSIONS[Group.PROJECT].column))
    sums = (_sum(ms).label("elapsed_ms"), _sum(entries).label("n"))
    return sa.select(_part(part), *columns, *sums).select_from(cells.join(projects, project)).group_by(*key)


def _days_of(
    source: sa.FromClause, day: list[sa.ColumnElement[Any]], pieces: list[sa.ColumnElement[bool]]
) -> sa.Select[Any]:
    of = source.c
    ms = _sum(of.elapsed_ms).label("elapsed_ms")
    return sa.select(_part(_DAYS), of.work_date, ms, _ZERO.label("n")).where(*pieces).group_by(*day)


def _unknown_sum(pieces: list[sa.ColumnElement[bool]]) -> sa.Select[Any]:
    """The time on work items of unknown type; pieces are summed by item first, since items are few."""
    by = (_days.project_id, _days.work_item_id)
    items = sa.select(*by, _sum(_days.elapsed_ms).label("elapsed_ms")).where(*pieces).group_by(*by).subquery("items")
    ms = sa.func.coalesce(_sum(items.c.elapsed_ms), 0).label("elapsed_ms")
    columns: list[Any] = [_part(_UNKNOWN_SUM), ms, _ZERO.label("n")]
    return sa.select(*columns).where(is_of_unknown_type(items))


def _union(parts: Sequence[sa.Select[Any]]) -> sa.CompoundSelect[Any]:
    """The union of parts with different columns; a missing column is NULL."""
    columns = {column.name: column.type for part in parts for column in part.selected_columns}

    def with_all_columns(select: sa.Select[Any]) -> sa.Select[Any]:
        own = {column.name: column for column in select.selected_columns}
        return select.with_only_columns(
            *(own.get(name, sa.cast(sa.null(), kind).label(name)) for name, kind in columns.items()),
            maintain_column_froms=True,
        )

    return sa.union_all(*(with_all_columns(part) for part in parts))


def _sum(column: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    return sa.func.sum(column, type_=sa.BigInteger)


def read(
    tx: sa.Connection, tenant_id: int, query: ReportQuery, groups: tuple[Group, ...], *, limit: int = EVERY_ROW
) -> Sums:
    """The days, and at most `limit` rows; without a limit they are streamed in batches."""
    select = statement(groups, filters_of(query), one_month=query.span.is_in_one_month, unknown=query.unknown)
    values = {**parameters(tenant_id, query), "most": MOST_DAYS + 1 + limit}
    options = {"yield_per": _BATCH} if limit == EVERY_ROW else {}
    rows = iter(tx.execute(select, values, execution_options=options))
    days: list[tuple[dt.date, int]] = []
    unknown_ms = 0
    for row in rows:
        if row.part in {_ROWS, _UNKNOWN_ROWS}:
            return Sums(days, _rows(groups, itertools.chain([row], rows)), unknown_ms)
        if row.part == _DAYS:
            days.append((row.work_date, int(row.elapsed_ms)))
        else:
            unknown_ms = int(row.elapsed_ms)
    return Sums(days, iter(()), unknown_ms)


def _rows(groups: tuple[Group, ...], rows: Iterable[sa.Row[Any]]) -> Iterator[SumRow]:
    project, user, item = (group in groups for group in (Group.PROJECT, Group.USER, Group.WORK_ITEM))
    for row in rows:
        yield SumRow(
            organization=row.organization if project else None,
            project=row.project if project else None,
            user=person_of(row) if user else None,
            work_item=_item(row) if item else None,
            date=row.work_date,
            elapsed_ms=int(row.elapsed_ms),
            entries=int(row.n),
            type_known=row.part == _ROWS,
        )


def _item(row: sa.Row[Any]) -> WorkItemView:
    return WorkItemView(row.organization, row.work_item_id, row.type, row.title, row.assignee_name, row.state)
