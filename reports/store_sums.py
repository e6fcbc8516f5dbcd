"""The sums behind a report: one statement gives its days and its rows, each from one range of the covering index."""

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from reports.rules import MOST_DAYS, Group
from reports.store import TENANT, Asked, Filter, Person, Row, WorkItem, filters_of, of_cache, parameters, where
from shared.db.schema import projects, time_entry_days, users, work_items


EVERY_ROW: Final = 2**31 - 1 - MOST_DAYS
_BATCH: Final = 1000
_days = time_entry_days.c
_COLUMN: Final = {
    Group.PROJECT: "project_id",
    Group.USER: "user_id",
    Group.WORK_ITEM: "work_item_id",
    Group.DAY: "work_date",
}
_IN_ORDER: Final = {Group.PROJECT, Group.DAY}  # the index has the projects of a day together
_DATE: Final = (_days.month_key, _days.work_date)  # a day, in the words of the index
_ZERO: Final[sa.ColumnElement[int]] = sa.literal_column("0", sa.Integer)
_ONE: Final[sa.ColumnElement[int]] = sa.literal_column("1", sa.Integer)
# An entry that began before the span counts on its first day.
_COUNTS: Final = sa.case((sa.or_(_days.starts_entry == 1, _days.work_date == bindparam("first")), 1), else_=0)


@dataclass(frozen=True, slots=True)
class Sums:
    """All days with time, and the rows; they come from one statement, so they agree whatever is written meanwhile."""

    days: list[tuple[dt.date, int]]
    rows: Iterator[Row]


@cache
def statement(groups: tuple[Group, ...], filters: frozenset[Filter], *, one_month: bool) -> sa.Select[Any]:
    """Built when first asked for; there are 64 orders of groups, 8 sets of filters and 2 kinds of span."""
    pieces = where(filters, one_month=one_month)
    if set(groups) <= _IN_ORDER:
        cells = _cells(pieces, groups).cte("cells")
        sums = _sums(cells, cells.c.n, [cells.c.work_date], [], groups).subquery("sums")
    else:
        sums = _sums(time_entry_days, _entries(groups), [*_DATE], pieces, groups).subquery("sums")
    shown: list[Any] = [sums.c.part, sums.c.elapsed_ms, sums.c.n, sums.c.work_date]
    order: list[Any] = [sums.c.part]
    source: sa.FromClause = sums
    for group in groups:
        if group is Group.PROJECT:
            this = sa.and_(projects.c.tenant_id == TENANT, projects.c.id == sums.c.project_id)
            source = source.outerjoin(projects, this)
            shown.append(projects.c.name.label("project"))
            order += [sa.func.lower(projects.c.name), sums.c.project_id]
        elif group is Group.USER:
            this = sa.and_(users.c.tenant_id == TENANT, users.c.id == sums.c.user_id)
            source = source.outerjoin(users, this)
            shown += [users.c.public_id, users.c.display_name, users.c.email]
            order += [sa.func.lower(users.c.display_name), users.c.email, sums.c.user_id]
        elif group is Group.WORK_ITEM:
            source = source.outerjoin(work_items, of_cache(sums.c.work_item_id))
            item = work_items.c
            shown += [sums.c.work_item_id, item.type, item.title, item.assignee_name, item.state]
            order.append(sums.c.work_item_id)
        else:
            order.append(sums.c.work_date)
    if Group.DAY not in groups:
        order.append(sums.c.work_date)  # the days themselves
    return sa.select(*shown).select_from(source).order_by(*order).limit(bindparam("most", type_=sa.Integer))


def _entries(groups: tuple[Group, ...]) -> sa.ColumnElement[int]:
    """What a piece adds to the entries. Of one day an entry has one piece; over several, its first one counts."""
    return _ONE if Group.DAY in groups else _COUNTS


def _cells(pieces: list[sa.ColumnElement[bool]], groups: tuple[Group, ...]) -> sa.Select[Any]:
    """The sums by day and project, which are few and come in the order of the index: the range is read once."""
    by = [*_DATE, _days.project_id] if Group.PROJECT in groups else [*_DATE]
    entries = _sum(_entries(groups)).label("n")
    return sa.select(*by, _sum(_days.elapsed_ms).label("elapsed_ms"), entries).where(*pieces).group_by(*by)


def _sums(
    source: sa.FromClause,
    entries: sa.ColumnElement[int],
    day: list[sa.ColumnElement[Any]],
    pieces: list[sa.ColumnElement[bool]],
    groups: tuple[Group, ...],
) -> sa.CompoundSelect[Any]:
    """The days, which are part 0, and the rows, part 1."""
    of = source.c
    others = [of[_COLUMN[group]] for group in groups if group is not Group.DAY]
    nothing = [sa.cast(sa.null(), sa.BigInteger).label(column.name) for column in others]
    no_day = sa.cast(sa.null(), of.work_date.type).label("work_date")
    by_day = day if Group.DAY in groups else []
    work_date = of.work_date if Group.DAY in groups else no_day
    ms = _sum(of.elapsed_ms).label("elapsed_ms")
    days = sa.select(_ZERO.label("part"), of.work_date, *nothing, ms, _ZERO.label("n"))
    rows = sa.select(_ONE.label("part"), work_date, *others, ms, _sum(entries).label("n"))
    return sa.union_all(days.where(*pieces).group_by(*day), rows.where(*pieces).group_by(*by_day, *others))


def _sum(column: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    return sa.func.sum(column, type_=sa.BigInteger)


def read(tx: sa.Connection, asked: Asked, groups: tuple[Group, ...], *, most: int = EVERY_ROW) -> Sums:
    """The days, and at most so many rows as they come; many are not held at once, neither here nor in the driver."""
    chosen = statement(groups, filters_of(asked), one_month=asked.span.is_in_one_month)
    values = {**parameters(asked), "most": MOST_DAYS + most}
    options = {"yield_per": _BATCH} if most == EVERY_ROW else {}
    found = iter(tx.execute(chosen, values, execution_options=options))
    days: list[tuple[dt.date, int]] = []
    for row in found:
        if row.part:
            return Sums(days, _rows(groups, itertools.chain([row], found)))
        days.append((row.work_date, int(row.elapsed_ms)))
    return Sums(days, iter(()))


def _rows(groups: tuple[Group, ...], found: Iterable[sa.Row[Any]]) -> Iterator[Row]:
    project, user, item = (group in groups for group in (Group.PROJECT, Group.USER, Group.WORK_ITEM))
    for row in found:
        yield Row(
            project=row.project if project else None,
            user=Person(row.public_id, row.display_name, row.email) if user else None,
            work_item=WorkItem(row.work_item_id, row.type, row.title, row.assignee_name, row.state) if item else None,
            date=row.work_date,
            elapsed_ms=int(row.elapsed_ms),
            entries=int(row.n),
        )
