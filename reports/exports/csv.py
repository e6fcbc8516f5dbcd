"""Reports and timesheets as CSV. Hours add up to their rounded total; milliseconds are exact."""

import json
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any, Final

from reports.exports.columns import FULL_NAMES, Column, Names, build_columns
from reports.exports.hour_rules import Shares, decimal_hours, shares
from reports.rules import Group
from reports.service import PersonWeek, Timesheet
from reports.store import SumRow
from shared.spreadsheet import EXCEL_EN, Cell, Dialect, Unquoted, to_csv


_MOST_IN_MEMORY: Final = 2**20
_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class CsvFormat:
    """The format of a CSV. With `listed_type` it has rows of this type and, marked, of unknown types."""

    dialect: Dialect = EXCEL_EN
    names: Names = FULL_NAMES
    listed_type: str | None = None


def build_report_csv(groups: tuple[Group, ...], rows: Iterable[SumRow], csv_format: CsvFormat) -> bytes:
    """A line for each row, without totals, so that the sum of a column is right.

    Rows are kept in a temporary file until the hours of all are known, so that memory stays constant.
    """
    all_columns = [
        *build_columns(groups, csv_format.names),
        *_title_columns(groups),
        *_type_columns(groups, csv_format.listed_type),
    ]
    header = [*(column.title for column in all_columns), "Hours", "Milliseconds", "Entries"]
    hours = Shares()
    with tempfile.SpooledTemporaryFile(_MOST_IN_MEMORY, mode="w+", encoding="ascii") as file:
        _write_rows(file, all_columns, rows, hours)
        file.seek(0)
        return to_csv(header, _read_with_hours(file, all_columns, hours), csv_format.dialect)


def build_timesheet_csv(timesheet: Timesheet, csv_format: CsvFormat) -> bytes:
    """A line for each person, with hours by day, which add up to the person's hours."""
    header = ["Person", *(["E-mail"] if csv_format.names.with_addresses else [])]
    header += [
        *([] if csv_format.listed_type is None else ["Type", "Type known"]),
        *(day.isoformat() for day in timesheet.span),
    ]
    lines = _week_lines(timesheet.rows, csv_format, type_known=True)
    if csv_format.listed_type is not None:
        lines += _week_lines(timesheet.unknown_rows, csv_format, type_known=False)
    totals = shares([sum(row.days) for row, _ in lines])
    return to_csv(
        [*header, "Hours", "Milliseconds"],
        (_week_line(row, cells, hundredths) for (row, cells), hundredths in zip(lines, totals, strict=True)),
        csv_format.dialect,
    )


def _week_lines(
    rows: Iterable[PersonWeek], csv_format: CsvFormat, *, type_known: bool
) -> list[tuple[PersonWeek, list[Cell]]]:
    names, listed_type = csv_format.names, csv_format.listed_type
    types = [] if listed_type is None else [listed_type if type_known else "", "yes" if type_known else "no"]
    return [(row, [names.of(row.user), *([row.user.email] if names.with_addresses else []), *types]) for row in rows]


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


def _write_rows(file: IO[str], all_columns: list[Column], rows: Iterable[SumRow], hours: Shares) -> None:
    values, dates = [column.value for column in all_columns], _dates(all_columns)
    batch: list[list[Any]] = []
    for row in rows:
        line: list[Any] = [value(row) for value in values]
        for number in dates:
            line[number] = line[number].isoformat()
        hours.add(row.elapsed_ms)
        batch.append([*line, row.elapsed_ms, row.entries])
        if len(batch) == _BATCH:
            file.write(json.dumps(batch) + "\n")
            batch = []
    file.write(json.dumps(batch) + "\n")


def _read_with_hours(file: IO[str], all_columns: list[Column], hours: Shares) -> Iterator[list[Cell]]:
    dates = _dates(all_columns)
    for batch in file:
        for line in json.loads(batch):
            for number in dates:
                line[number] = Unquoted(line[number])
            line.insert(-2, decimal_hours(hours.share(line[-2])))
            yield line


def _dates(all_columns: list[Column]) -> list[int]:
    return [number for number, column in enumerate(all_columns) if column.title == "Date"]
