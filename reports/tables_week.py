"""The workbook of a timesheet: a grid of people and days with its totals and a chart, and the list behind it."""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Final

from reports import service, tables_details
from reports.rules import Group
from reports.service import PersonWeek
from reports.service_tally import Tally
from reports.store_pieces import Piece
from reports.tables_book import Sheet, area, book
from reports.tables_charts import Series, columns
from reports.tables_summary import HEAD_ROW, Heading, head


_FIRST_DAY: Final = 2
_MS_PER_DAY: Final = 86_400_000


def week_book(heading: Heading, pieces: Iterator[Piece]) -> bytes:
    """The whole workbook; its grid and its list come from one reading of the pieces."""
    tally = Tally(heading.span, (Group.USER, Group.DAY))
    with book(heading.made, heading.title) as made:
        sheet = made.sheet("Timesheet")
        tables_details.add(made, tally.passing(pieces))
        head(sheet, heading, tally.total_ms)
        _grid(sheet, list(heading.span), service.grid(heading.span, iter(tally.rows())))
    return made.body


def _grid(sheet: Sheet, dates: Sequence[dt.date], people: Sequence[PersonWeek]) -> None:
    total = _FIRST_DAY + len(dates)
    sheet.widths([26.0, 30.0, *[16.0] * len(dates), 12.0, 10.0])
    for column, title in ((0, "Person"), (1, "E-mail"), (total, "Total"), (total + 1, "Hours")):
        sheet.text(HEAD_ROW, column, title, "head" if column < _FIRST_DAY else "head_right")
    for column, date in enumerate(dates, start=_FIRST_DAY):
        sheet.date(HEAD_ROW, column, date, "head_date")
    first = HEAD_ROW + 1
    for row, person in enumerate(people, start=first):
        sheet.text(row, 0, person.user.display_name)
        sheet.text(row, 1, person.user.email)
        for column, ms in enumerate(person.days, start=_FIRST_DAY):
            sheet.number(row, column, ms / _MS_PER_DAY, "duration")
        together = sum(person.days)
        sheet.total(row, total, f"SUM({area(row, _FIRST_DAY, row, total - 1)})", together / _MS_PER_DAY, "duration")
        sheet.number(row, total + 1, together / 3_600_000, "hours")
    last = first + len(people)
    by_day = [sum(person.days[number] for person in people) for number, _ in enumerate(dates)]
    sheet.text(last, 0, "Total", "sum")
    sheet.text(last, 1, "", "sum")
    for column, ms in enumerate(by_day, start=_FIRST_DAY):
        cells = f"SUM({area(first, column, last - 1, column)})" if people else None
        sheet.total(last, column, cells, ms / _MS_PER_DAY, "sum_duration")
    sheet.total_of(last, total, first, sum(by_day))
    sheet.file.freeze_panes(first, 1)
    sheet.file.repeat_rows(HEAD_ROW)
    if people:
        last_day = total - 1
        names, times = (HEAD_ROW, _FIRST_DAY, HEAD_ROW, last_day), (last, _FIRST_DAY, last, last_day)
        columns(sheet, "Time by day", Series(names, [f"{date}" for date in dates], times, by_day), at=(last + 2, 0))
