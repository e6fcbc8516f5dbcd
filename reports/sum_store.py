"""The sums behind a report: one statement gives its days and its rows, each from one range of the covering index."""

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from reports.rules import MOST_DAYS, Group
from reports.store import (
    TENANT,
    Asked,
    Filter,
    Row,
    Unknown,
    WorkItem,
    filters_of,
    is_of_unknown_type,
    of_cache,
    of_organization,
    parameters,
    person_of,
    where,
)
from shared.db.schema import organizations, projects, time_entry_days, users, work_item_readers, work_items
from timers.projects.store import counted_as
from timers.work_items.reader_store import SHOWN, of_viewer


EVERY_ROW: Final = 2**31 - 2 - MOST_DAYS
_BATCH: Final = 1000
_days = time_entry_days.c
_NEEDS_PROJECT: Final = {Group.PROJECT, Group.WORK_ITEM}  # a work item is one of its project's organization
_IN_ORDER: Final = {Group.PROJECT, Group.DAY}  # the index has the projects of a day together
_DATE: Final = (_days.month_key, _days.work_date)  # a day, in the words of the index
_ZERO: Final[sa.ColumnElement[int]] = sa.literal_column("0", sa.Integer)
# The parts of the answer, in this order: one sum of unknown types, days, rows, and rows of unknown types.
_UNKNOWN_SUM, _DAYS, _ROWS, _UNKNOWN_ROWS = range(4)
# An entry that began before the span counts on its first day.
_COUNTS: Final = sa.case((sa.or_(_days.starts_entry == 1, _days.work_date == bindparam("first")), 1), else_=0)


@dataclass(frozen=True, slots=True)
class Sums:
    """All days with time, and the rows; they come from one statement, so they agree whatever is written meanwhile."""

    days: list[tuple[dt.date, int]]
    rows: Iterator[Row]
    unknown_ms: int = 0


@cache
def statement(
    groups: tuple[Group, ...], filters: frozenset[Filter], *, one_month: bool, unknown: Unknown = Unknown.LEFT_OUT
) -> sa.Select[Any]:
    """Built when first asked for; one for each order of groups, set of filters and kind of span."""
    pieces = where(filters, one_month=one_month)
    cells: sa.FromClause
    if set(groups) <= _IN_ORDER:
        cells = _cells(pieces, groups).cte("cells")
        days = _days_of(cells, [cells.c.work_date], [])
    else:
        cells = _cells(pieces, groups).subquery("cells")
        days = _days_of(time_entry_days, [*_DATE], pieces)
    parts = [days, _rows_of(cells, groups, _ROWS)]
    if unknown is not Unknown.LEFT_OUT and Filter.TYPE in filters:
        parts.append(_unknown_sum(where(filters - {Filter.TYPE}, one_month=one_month)))
        if unknown is Unknown.LISTED:
            unread = where(filters - {Filter.TYPE} | {Filter.UNKNOWN_TYPE}, one_month=one_month)
            parts.append(_rows_of(_cells(unread, groups).subquery("unread"), groups, _UNKNOWN_ROWS))
    sums = _together(parts).subquery("sums")
    shown: list[Any] = [sums.c.part, sums.c.elapsed_ms, sums.c.n, sums.c.work_date]
    order: list[Any] = [sums.c.part]
    source: sa.FromClause = sums
    if _NEEDS_PROJECT & set(groups):
        source = source.outerjoin(organizations, of_organization(sums.c.organization_id))
        shown.append(organizations.c.name.label("organization"))
    for group in groups:
        if group is Group.PROJECT:
            this = sa.and_(projects.c.tenant_id == TENANT, projects.c.id == sums.c.project_id)
            source = source.outerjoin(projects, this)
            shown.append(projects.c.name.label("project"))
            order += [sa.func.lower(projects.c.name), sa.func.lower(organizations.c.name), sums.c.project_id]
        elif group is Group.USER:
            this = sa.and_(users.c.tenant_id == TENANT, users.c.id == sums.c.user_id)
            source = source.outerjoin(users, this)
            shown += [users.c.public_id, users.c.display_name, users.c.email, users.c.erased_at]
            order += [sa.func.lower(users.c.display_name), users.c.email, sums.c.user_id]
        elif group is Group.WORK_ITEM:
            item = (sums.c.organization_id, sums.c.work_item_id)
            source = source.outerjoin(work_items, of_cache(*item)).outerjoin(work_item_readers, of_viewer(*item))
            shown += [sums.c.work_item_id, work_items.c.type, *SHOWN]
            order += [sums.c.work_item_id, organizations.c.name]
        else:
            order.append(sums.c.work_date)
    if Group.DAY not in groups:
        order.append(sums.c.work_date)  # the days themselves
    order = list(dict.fromkeys(order))  # T-SQL takes no expression twice
    return sa.select(*shown).select_from(source).order_by(*order).limit(bindparam("most", type_=sa.Integer))


def _cells(pieces: list[sa.ColumnElement[bool]], groups: tuple[Group, ...]) -> sa.Select[Any]:
    """The sums by the columns of the index, which are few where those are: its range is read once."""
    by: list[sa.ColumnElement[Any]] = [*_DATE] if Group.DAY in groups or set(groups) <= _IN_ORDER else []
    by += [_days.project_id] if _NEEDS_PROJECT & set(groups) else []
    by += [_days.user_id] if Group.USER in groups else []
    by += [_days.work_item_id] if Group.WORK_ITEM in groups else []
    entries = _sum(_COUNTS).label("n")
    return sa.select(*by, _sum(_days.elapsed_ms).label("elapsed_ms"), entries).where(*pieces).group_by(*by)


def _part(number: int) -> sa.Label[int]:
    return sa.literal_column(str(number), sa.Integer).label("part")


def _rows_of(cells: sa.FromClause, groups: tuple[Group, ...], part: int) -> sa.Select[Any]:
    """The rows: what counts as one project together, and numbers of one organization's work items."""
    of = cells.c
    columns = {Group.USER: "user_id", Group.WORK_ITEM: "work_item_id", Group.DAY: "work_date"}
    by = [of[columns[group]] for group in groups if group in columns]
    ms, entries = of.elapsed_ms, of.n
    if not _NEEDS_PROJECT & set(groups):
        return sa.select(_part(part), *by, ms, entries)
    this = sa.and_(projects.c.tenant_id == TENANT, projects.c.id == of.project_id)
    key: list[sa.ColumnElement[Any]] = [projects.c.organization_id, *by]
    shown: list[sa.ColumnElement[Any]] = [*key]
    if Group.PROJECT in groups:
        key.append(counted_as())
        shown.append(counted_as().label("project_id"))
    sums = (_sum(ms).label("elapsed_ms"), _sum(entries).label("n"))
    return sa.select(_part(part), *shown, *sums).select_from(cells.join(projects, this)).group_by(*key)


def _days_of(
    source: sa.FromClause, day: list[sa.ColumnElement[Any]], pieces: list[sa.ColumnElement[bool]]
) -> sa.Select[Any]:
    of = source.c
    ms = _sum(of.elapsed_ms).label("elapsed_ms")
    return sa.select(_part(_DAYS), of.work_date, ms, _ZERO.label("n")).where(*pieces).group_by(*day)


def _unknown_sum(pieces: list[sa.ColumnElement[bool]]) -> sa.Select[Any]:
    """The time of all work items of unknown type: pieces are added up first, since items are few beside them."""
    by = (_days.project_id, _days.work_item_id)
    items = sa.select(*by, _sum(_days.elapsed_ms).label("elapsed_ms")).where(*pieces).group_by(*by).subquery("items")
    ms = sa.func.coalesce(_sum(items.c.elapsed_ms), 0).label("elapsed_ms")
    shown: list[Any] = [_part(_UNKNOWN_SUM), ms, _ZERO.label("n")]
    return sa.select(*shown).where(is_of_unknown_type(items))


def _together(parts: Sequence[sa.Select[Any]]) -> sa.CompoundSelect[Any]:
    """All with the same columns, in the same order; where one has no such column it says NULL."""
    columns = {column.name: column.type for part in parts for column in part.selected_columns}

    def all_of(select: sa.Select[Any]) -> sa.Select[Any]:
        own = {column.name: column for column in select.selected_columns}
        return select.with_only_columns(
            *(own.get(name, sa.cast(sa.null(), kind).label(name)) for name, kind in columns.items()),
            maintain_column_froms=True,
        )

    return sa.union_all(*(all_of(part) for part in parts))


def _sum(column: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    return sa.func.sum(column, type_=sa.BigInteger)


def read(tx: sa.Connection, asked: Asked, groups: tuple[Group, ...], *, most: int = EVERY_ROW) -> Sums:
    """The days, and at most so many rows as they come; many are not held at once, neither here nor in the driver."""
    chosen = statement(groups, filters_of(asked), one_month=asked.span.is_in_one_month, unknown=asked.unknown)
    values = {**parameters(asked), "most": MOST_DAYS + 1 + most}
    options = {"yield_per": _BATCH} if most == EVERY_ROW else {}
    found = iter(tx.execute(chosen, values, execution_options=options))
    days: list[tuple[dt.date, int]] = []
    unknown_ms = 0
    for row in found:
        if row.part in {_ROWS, _UNKNOWN_ROWS}:
            return Sums(days, _rows(groups, itertools.chain([row], found)), unknown_ms)
        if row.part == _DAYS:
            days.append((row.work_date, int(row.elapsed_ms)))
        else:
            unknown_ms = int(row.elapsed_ms)
    return Sums(days, iter(()), unknown_ms)


def _rows(groups: tuple[Group, ...], found: Iterable[sa.Row[Any]]) -> Iterator[Row]:
    project, user, item = (group in groups for group in (Group.PROJECT, Group.USER, Group.WORK_ITEM))
    for row in found:
        yield Row(
            organization=row.organization if project else None,
            project=row.project if project else None,
            user=person_of(row) if user else None,
            work_item=_item(row) if item else None,
            date=row.work_date,
            elapsed_ms=int(row.elapsed_ms),
            entries=int(row.n),
            type_known=row.part == _ROWS,
        )


def _item(row: sa.Row[Any]) -> WorkItem:
    return WorkItem(row.organization, row.work_item_id, row.type, row.title, row.assignee_name, row.state)
