"""The first sheet of a report's workbook: what it is about, its rows and its days with their totals, and charts."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from reports import tables_charts, tables_details
from reports.rules import Group, Span
from reports.service_tally import Tally
from reports.store import Row
from reports.store_pieces import Piece
from reports.tables import titles
from reports.tables_book import Sheet, book
from reports.tables_charts import Series


MOST_BARS: Final = 30
_MS_PER_DAY: Final = 86_400_000
_Days = Sequence[tuple[dt.date, int]]
HEAD_ROW: Final = 8
_WIDTHS: Final = {Group.PROJECT: (28.0,), Group.USER: (26.0, 30.0), Group.DAY: (14.0,)}
_ITEM_WIDTHS: Final = (12.0, 16.0, 46.0, 24.0, 14.0)
_SUMS: Final = ("Duration", "Hours", "Entries")
_SUM_WIDTHS: Final = (20.0, 12.0, 9.0)


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above a table: whose time, of which days, and which part of it."""

    title: str
    organisation: str
    span: Span
    time_zone: str
    made: dt.datetime
    only: str


def report_book(heading: Heading, groups: tuple[Group, ...], pieces: Iterator[Piece]) -> bytes:
    """The whole workbook; its sums and its list come from one reading of the pieces."""
    tally = Tally(heading.span, groups)
    with book(heading.made, heading.title) as made:
        sheet = made.sheet("Summary")
        tables_details.add(made, tally.passing(pieces))
        head(sheet, heading, tally.total_ms)
        rows, days = tally.rows(), tally.days
        _tables(sheet, groups, rows, days)
        _charts(sheet, groups, rows, days)
    return made.body


def head(sheet: Sheet, heading: Heading, total_ms: int) -> None:
    sheet.text(0, 0, heading.title, "title")
    for row, label in enumerate(("Organisation", "Period", "Time zone", "Made", "Shows", "Total"), start=1):
        sheet.text(row, 0, label, "label")
        if label == "Organisation":
            sheet.text(row, 1, heading.organisation)
        elif label == "Period":
            sheet.date(row, 1, heading.span.first)
            sheet.date(row, 2, heading.span.last)
        elif label == "Time zone":
            sheet.text(row, 1, heading.time_zone)
        elif label == "Made":
            sheet.instant(row, 1, heading.made.astimezone(ZoneInfo(heading.time_zone)).replace(tzinfo=None))
        elif label == "Shows":
            sheet.text(row, 1, heading.only)
        else:
            sheet.number(row, 1, total_ms / _MS_PER_DAY, "total")


def _tables(sheet: Sheet, groups: tuple[Group, ...], rows: Sequence[Row], days: _Days) -> None:
    """The rows, and beside them the days; both are written line by line, since a line is put away after the next."""
    names = titles(groups)
    sums, beside = len(names), len(names) + len(_SUMS) + 1
    own = [width for group in groups for width in _WIDTHS.get(group, _ITEM_WIDTHS)]
    sheet.widths([*(max(width, 20.0) for width in own), *_SUM_WIDTHS, 3.0, 14.0, 12.0, 10.0])
    for column, title in enumerate([*names, *_SUMS]):
        sheet.text(HEAD_ROW, column, title, "head" if column < sums else "head_right")
    for column, title in enumerate(("Date", *_SUMS[:2])):
        sheet.text(HEAD_ROW, beside + column, title, "head_right" if column else "head")
    first = HEAD_ROW + 1
    for number in range(max(len(rows), len(days)) + 1):
        if number < len(rows):
            _row(sheet, first + number, groups, rows[number])
        elif number == len(rows):
            _row_total(sheet, first + number, sums, rows)
        if number <= len(days):
            _day(sheet, first + number, beside, days, number)
    sheet.file.freeze_panes(first, 0)
    sheet.file.repeat_rows(HEAD_ROW)


def _row(sheet: Sheet, at: int, groups: tuple[Group, ...], row: Row) -> None:
    for column, value in enumerate(_cells(groups, row)):
        if isinstance(value, int):
            sheet.number(at, column, value)
        elif isinstance(value, dt.date):
            sheet.date(at, column, value)
        else:
            sheet.text(at, column, value)
    sums = len(titles(groups))
    sheet.duration(at, sums, row.elapsed_ms)
    sheet.number(at, sums + 2, row.entries)


def _cells(groups: tuple[Group, ...], row: Row) -> Iterator[str | int | dt.date | None]:
    for group in groups:
        if group is Group.PROJECT:
            yield row.project
        elif group is Group.DAY:
            yield row.date
        elif group is Group.USER and row.user is not None:
            yield from (row.user.display_name, row.user.email)
        elif row.work_item is not None:
            item = row.work_item
            yield from (item.id, item.type, item.title, item.assignee_name, item.state)


def _row_total(sheet: Sheet, at: int, sums: int, rows: Sequence[Row]) -> None:
    for column in range(sums):
        sheet.text(at, column, "" if column else "Total", "sum")
    sheet.total_of(at, sums, HEAD_ROW + 1, sum(row.elapsed_ms for row in rows))
    sheet.text(at, sums + 2, "", "sum")  # an entry may count in several rows


def _day(sheet: Sheet, at: int, column: int, days: _Days, number: int) -> None:
    """One of the days, or, after the last, their total."""
    if number < len(days):
        sheet.date(at, column, days[number][0])
        sheet.duration(at, column + 1, days[number][1])
    else:
        sheet.text(at, column, "Total", "sum")
        sheet.total_of(at, column + 1, HEAD_ROW + 1, sum(ms for _, ms in days))


def _charts(sheet: Sheet, groups: tuple[Group, ...], rows: Sequence[Row], days: _Days) -> None:
    """Bars by the group, where there is one and few bars; and columns by day."""
    first, hours = HEAD_ROW + 1, len(titles(groups)) + 1
    beside = hours + len(_SUMS)
    row, column = first, beside + 4
    if len(groups) == 1 and groups[0] is not Group.DAY and 0 < len(rows) <= MOST_BARS:
        last = first + len(rows) - 1
        names = [str(next(_cells(groups, each))) for each in rows]
        series = Series((first, 0, last, 0), names, (first, hours, last, hours), [each.elapsed_ms for each in rows])
        title = f"Hours by {titles(groups)[0].lower()}"
        row += tables_charts.bars(sheet, title, series, at=(row, column))
    if days:
        last = first + len(days) - 1
        cells = (first, beside + 2, last, beside + 2)
        series = Series((first, beside, last, beside), [f"{day}" for day, _ in days], cells, [ms for _, ms in days])
        tables_charts.columns(sheet, "Hours by day", series, at=(row, column))
