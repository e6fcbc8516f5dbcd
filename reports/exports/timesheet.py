"""The workbook of a timesheet: a chart, a grid of people and days with totals, and the list of all pieces."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reports import service
from reports.exports import charts, details
from reports.exports import heading as headings
from reports.exports.charts import Chart, Series
from reports.exports.customer import to_customer_pieces
from reports.exports.heading import Heading
from reports.exports.hour_rules import shares
from reports.exports.workbook import MS_PER_DAY, Sheet, area, open_workbook
from reports.piece_store import Piece
from reports.rules import Group
from reports.service import PersonWeek
from reports.tally import Tally
from reports.title_service import NO_TITLES, TitleCounts


def build_timesheet_workbook(
    heading: Heading, pieces: Iterator[Piece], *, only_known: bool = False, titles: TitleCounts = NO_TITLES
) -> bytes:
    """The whole workbook; its grid and its list come from one reading of the pieces."""
    tally = Tally(heading.span, (Group.USER, Group.DAY), only_known=only_known)
    if heading.for_customer:
        pieces = to_customer_pieces(pieces, only_known=only_known)
    with open_workbook(heading.generated, heading.title, with_seconds=not heading.for_customer) as workbook:
        sheet = workbook.sheet("Timesheet")
        details.add(workbook, heading, tally.add_each(pieces))
        row = headings.write(sheet, heading, tally.total_ms, tally.unknown_ms if only_known else None, titles)
        grid = _Grid(heading, list(heading.span), service.to_person_weeks(heading.span, tally.rows()))
        head = row + charts.height(grid.charts(0))
        grid.write(sheet, head)
        charts.insert(sheet, grid.charts(head), row)
    return workbook.body


@dataclass(frozen=True)
class _Grid:
    """A row for each person with the time of each day, and totals as durations and in hours."""

    heading: Heading
    dates: Sequence[dt.date]
    people: Sequence[PersonWeek]

    @property
    def names(self) -> list[str]:
        return ["Person", *(["E-mail"] if self.heading.names.with_addresses else [])]

    @property
    def by_day(self) -> list[int]:
        return [sum(person.days[number] for person in self.people) for number, _ in enumerate(self.dates)]

    @property
    def hundredths(self) -> list[int]:
        return shares(self.by_day)

    def charts(self, head: int) -> list[Chart]:
        """A column chart of the hours by day; `head` is the row of the grid's header."""
        if not self.people:
            return []
        first, last, hours = len(self.names), len(self.names) + len(self.dates) - 1, head + len(self.people) + 2
        names = [f"{date}" for date in self.dates]
        series = Series((head, first, head, last), names, (hours, first, hours, last), self.hundredths, "Timesheet")
        return [Chart("column", "Hours by day", series)]

    def write(self, sheet: Sheet, head: int) -> None:
        first_day, total = len(self.names), len(self.names) + len(self.dates)
        sheet.widths([24.0, *[30.0] * (first_day - 1), *[12.0] * len(self.dates), 12.0, 10.0])
        for column, name in enumerate(self.names):
            sheet.text(head, column, name, "head")
        for column, date in enumerate(self.dates, start=first_day):
            sheet.date(head, column, date, "head_date")
        sheet.text(head, total, "Total", "head_right")
        sheet.text(head, total + 1, "Hours", "head_right")
        hours = shares([sum(person.days) for person in self.people])
        for row, (person, hundredths) in enumerate(zip(self.people, hours, strict=True), start=head + 1):
            self._write_person(sheet, row, person, hundredths)
        self._write_sums(sheet, head + 1)
        sheet.file.repeat_rows(head)

    def _write_person(self, sheet: Sheet, row: int, person: PersonWeek, hundredths: int) -> None:
        first_day, total = len(self.names), len(self.names) + len(self.dates)
        sheet.text(row, 0, self.heading.names.of(person.user))
        if self.heading.names.with_addresses:
            sheet.text(row, 1, person.user.email)
        for column, ms in enumerate(person.days, start=first_day):
            sheet.duration(row, column, ms)
        formula = f"SUM({area(row, first_day, row, total - 1)})"
        sheet.sum(row, total, formula, sum(person.days) / MS_PER_DAY, "duration")
        sheet.hours(row, total + 1, hundredths)

    def _write_sums(self, sheet: Sheet, first: int) -> None:
        first_day, row = len(self.names), first + len(self.people)
        for column in range(first_day):
            sheet.text(row, column, "" if column else "Total", "sum")
        for column, ms in enumerate([*self.by_day, sum(self.by_day)], start=first_day):
            sheet.subtotal((row, column), first, ms / MS_PER_DAY, "sum_duration")
        sheet.subtotal((row, first_day + len(self.dates) + 1), first, sum(self.hundredths) / 100, "sum_hours")
        for column in range(first_day):
            sheet.text(row + 1, column, "" if column else "Hours", "subtotal")
        for column, hundredths in enumerate(self.hundredths, start=first_day):
            sheet.hours(row + 1, column, hundredths, "subtotal_hours")
