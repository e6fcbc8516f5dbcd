"""A report as CSV: a line for every row, and the timesheet's grid; hours add up, milliseconds are exact."""

import json
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any, Final

from reports.exports.columns import ALL_NAMES, Column, Names, columns
from reports.exports.hour_rules import Shares, decimal_hours, shares
from reports.rules import Group
from reports.service import PersonWeek, Week
from reports.store import Row
from shared.spreadsheet import EXCEL_EN, Cell, Dialect, Unquoted, to_csv


_IN_MEMORY: Final = 2**20
_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Form:
    """How a CSV is written. With `listed_type` its rows are those of this type and, told apart, of unknown ones."""

    dialect: Dialect = EXCEL_EN
    names: Names = ALL_NAMES
    listed_type: str | None = None


def report_csv(groups: tuple[Group, ...], rows: Iterable[Row], form: Form) -> bytes:
    """A line for every row, without totals, so that adding a column up counts nothing twice.

    Rows wait in a file until the hours of all are known: what is held does not grow with their number.
    """
    chosen = [*columns(groups, form.names), *_title_columns(groups), *_type_columns(groups, form.listed_type)]
    header = [*(column.title for column in chosen), "Hours", "Milliseconds", "Entries"]
    hours = Shares()
    with tempfile.SpooledTemporaryFile(_IN_MEMORY, mode="w+", encoding="ascii") as waiting:
        _put(waiting, chosen, rows, hours)
        waiting.seek(0)
        return to_csv(header, _with_hours(waiting, chosen, hours), form.dialect)


def week_csv(week: Week, form: Form) -> bytes:
    """A line for every person, with the hours of each day; a person's days add up to their hours."""
    header = ["Person", *(["E-mail"] if form.names.with_addresses else [])]
    header += [*([] if form.listed_type is None else ["Type", "Type known"]), *(day.isoformat() for day in week.span)]
    lines = _week_lines(week.rows, form, type_known=True)
    if form.listed_type is not None:
        lines += _week_lines(week.unknown_rows, form, type_known=False)
    whole = shares([sum(row.days) for row, _ in lines])
    return to_csv(
        [*header, "Hours", "Milliseconds"],
        (_week_line(row, cells, hundredths) for (row, cells), hundredths in zip(lines, whole, strict=True)),
        form.dialect,
    )


def _week_lines(rows: Iterable[PersonWeek], form: Form, *, type_known: bool) -> list[tuple[PersonWeek, list[Cell]]]:
    names, listed = form.names, form.listed_type
    about = [] if listed is None else [listed if type_known else "", "yes" if type_known else "no"]
    return [(row, [names.of(row.user), *([row.user.email] if names.with_addresses else []), *about]) for row in rows]


def _week_line(row: PersonWeek, cells: list[Cell], hundredths: int) -> list[Cell]:
    days = map(decimal_hours, shares(row.days, hundredths))
    return [*cells, *days, decimal_hours(hundredths), sum(row.days)]


def _title_columns(groups: tuple[Group, ...]) -> Iterator[Column]:
    if Group.WORK_ITEM in groups:
        yield Column("Title shown", 0, lambda row: "yes" if row.work_item and row.work_item.title is not None else "no")


def _type_columns(groups: tuple[Group, ...], listed_type: str | None) -> Iterator[Column]:
    if listed_type is not None:
        if Group.WORK_ITEM not in groups:
            yield Column("Type", 0, lambda row: listed_type if row.type_known else None)
        yield Column("Type known", 0, lambda row: "yes" if row.type_known else "no")


def _put(waiting: IO[str], chosen: list[Column], rows: Iterable[Row], hours: Shares) -> None:
    values, dates = [column.value for column in chosen], _dates(chosen)
    batch: list[list[Any]] = []
    for row in rows:
        line: list[Any] = [value(row) for value in values]
        for number in dates:
            line[number] = line[number].isoformat()
        hours.add(row.elapsed_ms)
        batch.append([*line, row.elapsed_ms, row.entries])
        if len(batch) == _AT_ONCE:
            waiting.write(json.dumps(batch) + "\n")
            batch = []
    waiting.write(json.dumps(batch) + "\n")


def _with_hours(waiting: IO[str], chosen: list[Column], hours: Shares) -> Iterator[list[Cell]]:
    dates = _dates(chosen)
    for batch in waiting:
        for line in json.loads(batch):
            for number in dates:
                line[number] = Unquoted(line[number])
            line.insert(-2, decimal_hours(hours.share(line[-2])))
            yield line


def _dates(chosen: list[Column]) -> list[int]:
    return [number for number, column in enumerate(chosen) if column.title == "Date"]
