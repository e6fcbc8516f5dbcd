"""The workbook of a report: a summary with charts and subtotals, the days, and the list of all pieces."""

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from reports.exports import charts, details
from reports.exports import heading as headings
from reports.exports.charts import MOST_BARS, Chart, Series
from reports.exports.columns import Column, Names, Value, build_columns, organization_of
from reports.exports.customer import to_customer_pieces
from reports.exports.heading import Heading
from reports.exports.hour_rules import shares
from reports.exports.workbook import MS_PER_DAY, Sheet, open_workbook
from reports.piece_store import Piece
from reports.rules import Group
from reports.store import SumRow
from reports.tally import Tally
from reports.title_service import NO_TITLES, TitleCounts


_SUMS: Final = (("Duration", 13.0), ("Hours", 10.0), ("Entries", 9.0))
_QUALIFIERS: Final = frozenset({"Organization", "E-mail"})
_FIRST_COLUMN_WIDTH: Final = 16.0


@dataclass(frozen=True, slots=True)
class _FirstGroup:
    """The subtotals of a report's first group: rows with one identity share one, with their label.

    Equal labels of different identities get the qualifier.
    """

    title: str
    identity: Callable[[SumRow], object]
    label: Callable[[SumRow, Names], str]
    qualifier: Callable[[SumRow, Names], str | None]


def _user_label(row: SumRow, names: Names) -> str:
    return names.of(row.user) if row.user else ""


def _user_qualifier(row: SumRow, names: Names) -> str | None:
    return row.user.email if row.user and names.with_addresses else None


_FIRST_GROUPS: Final = {
    Group.PROJECT: _FirstGroup(
        "Project",
        lambda row: (row.organization, row.project),
        lambda row, _: f"{row.project}",
        lambda row, _: row.organization,
    ),
    Group.USER: _FirstGroup("Person", lambda row: row.user and row.user.id, _user_label, _user_qualifier),
    Group.WORK_ITEM: _FirstGroup(
        "Work item",
        lambda row: row.work_item and (row.work_item.organization, row.work_item.id),
        lambda row, _: f"{row.work_item.id}" if row.work_item else "",
        lambda row, _: organization_of(row),
    ),
    Group.DAY: _FirstGroup("Date", lambda row: row.date, lambda row, _: f"{row.date}", lambda *_: None),
}


def build_report_workbook(
    heading: Heading,
    groups: tuple[Group, ...],
    pieces: Iterator[Piece],
    *,
    only_known: bool = False,
    titles: TitleCounts = NO_TITLES,
) -> bytes:
    """The whole workbook; its sums and its list come from one reading of the pieces."""
    tally = Tally(heading.span, groups, only_known=only_known)
    if heading.for_customer:
        pieces = to_customer_pieces(pieces, only_known=only_known)
    with open_workbook(heading.generated, heading.title, with_seconds=not heading.for_customer) as workbook:
        sheet = workbook.sheet("Summary")
        days = workbook.sheet("Days")
        details.add(workbook, heading, tally.add_each(pieces))
        rows = tally.rows()
        with_organization = len({organization_of(row) for row in rows}) > 1
        columns = build_columns(groups, heading.names, with_organization=with_organization)
        table = _Table(columns, groups, rows, heading.names)
        by_day = _write_days(days, tally.days)
        row = headings.write(sheet, heading, tally.total_ms, tally.unknown_ms if only_known else None, titles)
        table_row = row + charts.height(table.charts(0) + by_day)
        _set_widths(sheet, columns)
        table.write(sheet, table_row)
        charts.insert(sheet, table.charts(table_row) + by_day, row)
    return workbook.body


@dataclass(frozen=True)
class _Table:
    """The rows and their total, with subtotals of the first group if there are several groups."""

    columns: Sequence[Column]
    groups: tuple[Group, ...]
    rows: Sequence[SumRow]
    names: Names

    def charts(self, table_row: int) -> list[Chart]:
        """A bar chart for one group of few values; `table_row` is the row of the table's header."""
        if len(self.groups) > 1 or self.groups == (Group.DAY,) or not 0 < len(self.rows) <= MOST_BARS:
            return []
        title = self._first_group.title
        first, last, hours = table_row + 1, table_row + len(self.rows), len(self.columns) + 1
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

    @property
    def _first_group(self) -> _FirstGroup:
        return _FIRST_GROUPS[self.groups[0]]

    def _identity(self, row: SumRow) -> object:
        return self._first_group.identity(row)

    def _label(self, row: SumRow) -> str:
        return self._first_group.label(row, self.names)

    def write(self, sheet: Sheet, table_row: int) -> None:
        for number, column in enumerate(self.columns):
            sheet.text(table_row, number, column.title, "head_indented" if column.title == "Work item" else "head")
        for number, (title, _) in enumerate(_SUMS, start=len(self.columns)):
            sheet.text(table_row, number, title, "head_right")
        first = row = table_row + 1
        lines = zip(self.rows, self._hundredths, strict=True)
        totals = [0, 0, 0]
        labels = Counter(self._label(next(same)) for _, same in itertools.groupby(self.rows, self._identity))
        for _, same in itertools.groupby(lines, lambda line: self._identity(line[0])):
            group = list(same)
            label = self._label(group[0][0])
            qualifier = self._first_group.qualifier(group[0][0], self.names) if labels[label] > 1 else None
            begin, subtotals = row, [0, 0, 0]
            for each, hundredths in group:
                self._write_row(sheet, row, each, hundredths)
                values = (each.elapsed_ms, hundredths, each.entries)
                subtotals = [one + other for one, other in zip(subtotals, values, strict=True)]
                row += 1
            if len(self.groups) > 1:
                text = f"Subtotal {label} ({qualifier})" if qualifier else f"Subtotal {label}"
                self._write_sums(sheet, row, (text, "subtotal"), begin, subtotals)
                row += 1
            totals = [one + other for one, other in zip(totals, subtotals, strict=True)]
        self._write_sums(sheet, row, ("Total", "sum"), first, totals)
        sheet.file.repeat_rows(table_row)

    def _write_row(self, sheet: Sheet, place: int, row: SumRow, hundredths: int) -> None:
        wrapped = ((str(column.value(row) or ""), column.width) for column in self.columns if column.wraps)
        sheet.set_height(place, wrapped, level=1 if len(self.groups) > 1 else 0)
        for number, column in enumerate(self.columns):
            _write_cell(sheet, place, number, column.value(row), wraps=column.wraps)
        sums = len(self.columns)
        sheet.duration(place, sums, row.elapsed_ms)
        sheet.hours(place, sums + 1, hundredths)
        sheet.number(place, sums + 2, row.entries)

    def _write_sums(
        self, sheet: Sheet, place: int, label_and_look: tuple[str, str], first: int, values: Sequence[int]
    ) -> None:
        label, look = label_and_look
        sums = len(self.columns)
        for number in range(sums):
            sheet.text(place, number, "" if number else label, look)
        ms, hundredths, entries = values
        sheet.subtotal((place, sums), first, ms / MS_PER_DAY, f"{look}_duration")
        sheet.subtotal((place, sums + 1), first, hundredths / 100, f"{look}_hours")
        sheet.subtotal((place, sums + 2), first, entries, f"{look}_number")


def _write_cell(sheet: Sheet, row: int, column: int, value: Value, *, wraps: bool) -> None:
    if isinstance(value, int):
        sheet.number(row, column, value, "id")
    elif isinstance(value, dt.date):
        sheet.date(row, column, value)
    else:
        sheet.text(row, column, value, "wrapped" if wraps else "text")


def _set_widths(sheet: Sheet, columns: Sequence[Column]) -> None:
    widths = [*(column.width for column in columns), *(width for _, width in _SUMS)]
    sheet.widths([max(widths[0], _FIRST_COLUMN_WIDTH), *widths[1:]])


def _write_days(sheet: Sheet, days: Sequence[tuple[dt.date, int]]) -> list[Chart]:
    """Writes the days and their total; returns a column chart if there are days."""
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
    sheet.subtotal((last + 1, 1), 1, sum(ms for _, ms in days) / MS_PER_DAY, "sum_duration")
    sheet.subtotal((last + 1, 2), 1, sum(hundredths) / 100, "sum_hours")
    sheet.file.freeze_panes(1, 0)
    sheet.file.repeat_rows(0)
    if not days:
        return []
    series = Series((1, 0, last, 0), [f"{day}" for day, _ in days], (1, 2, last, 2), hundredths, sheet.name)
    return [Chart("column", "Hours by day", series)]
