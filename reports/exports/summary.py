"""The workbook of a report: its sums with charts and subtotals, its days, and the list of what they are made of."""

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from reports.exports import charts as tables_charts
from reports.exports import details
from reports.exports import heading as tables_heading
from reports.exports.charts import MOST_BARS, Chart, Series
from reports.exports.columns import Column, Names, Value, columns, organization
from reports.exports.customer import for_customer
from reports.exports.heading import Heading
from reports.exports.hour_rules import shares
from reports.exports.workbook import MS_PER_DAY, Sheet, book
from reports.piece_store import Piece
from reports.rules import Group
from reports.store import Row
from reports.tally import Tally
from reports.title_service import NO_TITLES, Titles


_SUMS: Final = (("Duration", 13.0), ("Hours", 10.0), ("Entries", 9.0))
_NAMED: Final = {Group.PROJECT: "Project", Group.USER: "Person", Group.WORK_ITEM: "Work item", Group.DAY: "Date"}
_QUALIFIERS: Final = frozenset({"Organization", "E-mail"})
_FACTS_WIDTH: Final = 16.0


def report_book(
    heading: Heading,
    groups: tuple[Group, ...],
    pieces: Iterator[Piece],
    *,
    only_known: bool = False,
    titles: Titles = NO_TITLES,
) -> bytes:
    """The whole workbook; its sums and its list come from one reading of the pieces."""
    tally = Tally(heading.span, groups, only_known=only_known)
    if heading.for_customer:
        pieces = for_customer(pieces, only_known=only_known)
    with book(heading.generated, heading.title, with_seconds=not heading.for_customer) as made:
        sheet = made.sheet("Summary")
        days = made.sheet("Days")
        details.add(made, heading, tally.passing(pieces))
        chosen = columns(groups, heading.names, with_organization=tally.organizations > 1)
        table = _Table(chosen, groups, tally.rows(), heading.names)
        by_day = _days(days, tally.days)
        row = tables_heading.write(sheet, heading, tally.total_ms, tally.unknown_ms if only_known else None, titles)
        at = row + tables_charts.height(table.charts(0) + by_day)
        _widths(sheet, chosen)
        table.write(sheet, at)
        tables_charts.insert(sheet, table.charts(at) + by_day, row)
    return made.body


@dataclass(frozen=True)
class _Table:
    """The rows, with a subtotal after each of the first group where there are more groups, and their total."""

    columns: Sequence[Column]
    groups: tuple[Group, ...]
    rows: Sequence[Row]
    names: Names

    def charts(self, at: int) -> list[Chart]:
        """Bars by the group, where there is one and few bars, of a table whose head is in row `at`."""
        if len(self.groups) > 1 or self.groups == (Group.DAY,) or not 0 < len(self.rows) <= MOST_BARS:
            return []
        title = _NAMED[self.groups[0]]
        first, last, hours = at + 1, at + len(self.rows), len(self.columns) + 1
        titles = {title}
        if len({self._label(row) for row in self.rows}) < len(self.rows):
            titles |= _QUALIFIERS  # the column beside the names
        places = [number for number, column in enumerate(self.columns) if column.title in titles]
        begin, end = places[0], places[-1]
        names = [[str(column.value(row)) for row in self.rows] for column in self.columns[begin : end + 1]]
        series = Series(
            (first, begin, last, end), names[-1], (first, hours, last, hours), self._hundredths, "Summary", names[:-1]
        )
        return [Chart("bar", f"Hours by {title.lower()}", series)]

    @property
    def _hundredths(self) -> list[int]:
        return shares([row.elapsed_ms for row in self.rows])

    def write(self, sheet: Sheet, at: int) -> None:
        for number, column in enumerate(self.columns):
            sheet.text(at, number, column.title, "head_indented" if column.title == "Work item" else "head")
        for number, (title, _) in enumerate(_SUMS, start=len(self.columns)):
            sheet.text(at, number, title, "head_right")
        first = row = at + 1
        lines = zip(self.rows, self._hundredths, strict=True)
        together = [0, 0, 0]
        labels = Counter(self._label(next(same)) for _, same in itertools.groupby(self.rows, self._identity))
        for _, same in itertools.groupby(lines, lambda line: self._identity(line[0])):
            group = list(same)
            label = self._label(group[0][0])
            qualifier = self._qualifier(group[0][0]) if labels[label] > 1 else None
            key = f"{label} ({qualifier})" if qualifier else label
            begin, part = row, [0, 0, 0]
            for each, hundredths in group:
                self._row(sheet, row, each, hundredths)
                part = [part[0] + each.elapsed_ms, part[1] + hundredths, part[2] + each.entries]
                row += 1
            if len(self.groups) > 1:
                self._sums(sheet, row, (f"Subtotal {key}", "subtotal"), begin, part)
                row += 1
            together = [one + other for one, other in zip(together, part, strict=True)]
        self._sums(sheet, row, ("Total", "sum"), first, together)
        sheet.file.repeat_rows(at)

    def _identity(self, row: Row) -> object:
        """Of a row's first group: rows with the same one share a subtotal."""
        first = self.groups[0]
        if first is Group.PROJECT:
            return row.organization, row.project
        if first is Group.USER:
            return row.user and row.user.id
        if first is Group.WORK_ITEM:
            return row.work_item and (row.work_item.organization, row.work_item.id)
        return row.date

    def _label(self, row: Row) -> str:
        """The name of a row's first group; others may have the same."""
        first = self.groups[0]
        if first is Group.USER:
            return self.names.of(row.user) if row.user else ""
        if first is Group.WORK_ITEM:
            return f"{row.work_item.id}" if row.work_item else ""
        return f"{row.project if first is Group.PROJECT else row.date}"

    def _qualifier(self, row: Row) -> str | None:
        """Tells first groups of one name apart: the organization, or the person's address."""
        if self.groups[0] is Group.USER:
            return row.user.email if row.user and self.names.with_addresses else None
        return organization(row) if self.groups[0] is Group.WORK_ITEM else row.organization

    def _row(self, sheet: Sheet, at: int, row: Row, hundredths: int) -> None:
        wrapped = ((str(column.value(row) or ""), column.width) for column in self.columns if column.wraps)
        sheet.line(at, wrapped, level=1 if len(self.groups) > 1 else 0)
        for number, column in enumerate(self.columns):
            _cell(sheet, at, number, column.value(row), wraps=column.wraps)
        sums = len(self.columns)
        sheet.duration(at, sums, row.elapsed_ms)
        sheet.hours(at, sums + 1, hundredths)
        sheet.number(at, sums + 2, row.entries)

    def _sums(self, sheet: Sheet, at: int, called: tuple[str, str], first: int, values: Sequence[int]) -> None:
        label, look = called
        sums = len(self.columns)
        for number in range(sums):
            sheet.text(at, number, "" if number else label, look)
        ms, hundredths, entries = values
        sheet.sum_of((at, sums), first, ms / MS_PER_DAY, f"{look}_duration")
        sheet.sum_of((at, sums + 1), first, hundredths / 100, f"{look}_hours")
        sheet.sum_of((at, sums + 2), first, entries, f"{look}_number")


def _cell(sheet: Sheet, row: int, column: int, value: Value, *, wraps: bool) -> None:
    if isinstance(value, int):
        sheet.number(row, column, value, "id")
    elif isinstance(value, dt.date):
        sheet.date(row, column, value)
    else:
        sheet.text(row, column, value, "wrapped" if wraps else "text")


def _widths(sheet: Sheet, chosen: Sequence[Column]) -> None:
    widths = [*(column.width for column in chosen), *(width for _, width in _SUMS)]
    sheet.widths([max(widths[0], _FACTS_WIDTH), *widths[1:]])


def _days(sheet: Sheet, days: Sequence[tuple[dt.date, int]]) -> list[Chart]:
    """The days with their total; and columns over them, where there are days."""
    sheet.widths([14.0, 13.0, 10.0])
    for number, title in enumerate(("Date", "Duration", "Hours")):
        sheet.text(0, number, title, "head_right" if number else "head")
    hundredths = shares([ms for _, ms in days])
    for row, ((day, ms), hours) in enumerate(zip(days, hundredths, strict=True), start=1):
        sheet.date(row, 0, day)
        sheet.duration(row, 1, ms)
        sheet.hours(row, 2, hours)
    last = len(days)
    sheet.text(last + 1, 0, "Total", "sum")
    sheet.sum_of((last + 1, 1), 1, sum(ms for _, ms in days) / MS_PER_DAY, "sum_duration")
    sheet.sum_of((last + 1, 2), 1, sum(hundredths) / 100, "sum_hours")
    sheet.file.freeze_panes(1, 0)
    sheet.file.repeat_rows(0)
    if not days:
        return []
    series = Series((1, 0, last, 0), [f"{day}" for day, _ in days], (1, 2, last, 2), hundredths, sheet.name)
    return [Chart("column", "Hours by day", series)]
