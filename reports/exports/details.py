"""The sheet of all pieces of time, with dates and durations that a spreadsheet can filter and sum."""

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from reports.exports.columns import Names
from reports.exports.heading import Heading
from reports.exports.workbook import MS_PER_DAY, Sheet, Workbook
from reports.piece_store import Piece


_DAY: Final = dt.timedelta(days=1)
_MS_PER_HOUR: Final = 3_600_000
_SOURCES: Final = {"timer": "timer", "manual": "entered by hand", "autoStopped": "stopped automatically"}
_WRAPPED: Final = {"wrapped", "note"}
_SUMMED: Final = {"Duration": "sum_duration", "Hours": "sum_hours"}
_HEADS: Final = {
    **dict.fromkeys(("time", "duration", "hours"), "head_right"),
    **dict.fromkeys(("id", "note"), "head_indented"),
}
Value = str | float | dt.date | dt.datetime | None


@dataclass(frozen=True, slots=True)
class _Column:
    """Printed columns come first, so that a printed page stays readable."""

    title: str
    width: float
    look: str
    value: Callable[[Piece, Names], Value]
    is_printed: bool = True
    for_customer: bool = True


_COLUMNS: Final = (
    _Column("Date", 11.0, "date", lambda piece, _: piece.date),
    _Column("Person", 20.0, "text", lambda piece, names: names.of(piece.user)),
    _Column("Project", 18.0, "wrapped", lambda piece, _: piece.project),
    _Column("Work item", 12.0, "id", lambda piece, _: piece.work_item.id),
    _Column("Title", 34.0, "wrapped", lambda piece, _: piece.work_item.title),
    _Column("Start", 9.0, "time", lambda piece, _: clock_times(piece)[0]),
    _Column("Stop", 9.0, "time", lambda piece, _: clock_times(piece)[1]),
    _Column("Duration", 11.0, "duration", lambda piece, _: piece.elapsed_ms / MS_PER_DAY),
    _Column("Hours", 9.0, "hours", lambda piece, _: piece.elapsed_ms / _MS_PER_HOUR),
    _Column("Note", 30.0, "note", lambda piece, _: piece.note),
    _Column("E-mail", 28.0, "text", lambda piece, _: piece.user.email, is_printed=False, for_customer=False),
    _Column("Organization", 18.0, "text", lambda piece, _: piece.organization, is_printed=False),
    _Column("Type", 14.0, "text", lambda piece, _: piece.work_item.type, is_printed=False),
    _Column("State", 12.0, "text", lambda piece, _: piece.work_item.state, is_printed=False),
    _Column("Time zone", 20.0, "text", lambda piece, _: piece.time_zone, is_printed=False),
    _Column("Source", 21.0, "text", lambda piece, _: _SOURCES[piece.source], is_printed=False, for_customer=False),
    _Column(
        "Needs review",
        13.0,
        "text",
        lambda piece, _: "yes" if piece.needs_review else None,
        is_printed=False,
        for_customer=False,
    ),
)


def add(workbook: Workbook, heading: Heading, pieces: Iterable[Piece]) -> None:
    """Writes pieces while they are read, and their total; hours are exact, not rounded."""
    columns = [column for column in _COLUMNS if column.for_customer or not heading.for_customer]
    sheet = workbook.sheet("Details")
    sheet.widths([column.width for column in columns])
    for number, column in enumerate(columns):
        sheet.text(0, number, column.title, _HEADS.get(column.look, "head"))
    wrapped = [number for number, column in enumerate(columns) if column.look in _WRAPPED]
    row, total_ms = 1, 0
    for piece in pieces:
        values = [column.value(piece, heading.names) for column in columns]
        sheet.set_height(row, ((str(values[number] or ""), columns[number].width) for number in wrapped))
        for number, (column, value) in enumerate(zip(columns, values, strict=True)):
            _cell(sheet, row, number, value, column.look)
        total_ms += piece.elapsed_ms
        row += 1
    totals = {"Duration": total_ms / MS_PER_DAY, "Hours": total_ms / _MS_PER_HOUR}
    for number, column in enumerate(columns):
        if column.title in totals:
            sheet.subtotal((row, number), 1, totals[column.title], _SUMMED[column.title])
        else:
            sheet.text(row, number, "" if number else "Total", "sum")
    sheet.file.freeze_panes(1, 0)
    sheet.file.repeat_rows(0)
    sheet.file.autofilter(0, 0, max(1, row - 1), len(columns) - 1)
    sheet.file.print_area(0, 0, row, sum(column.is_printed for column in columns) - 1)


def _cell(sheet: Sheet, row: int, number: int, value: Value, look: str) -> None:
    if isinstance(value, dt.datetime):
        sheet.instant(row, number, value, look)
    elif isinstance(value, dt.date):
        sheet.date(row, number, value)
    elif isinstance(value, int | float):
        sheet.number(row, number, value, look)
    elif value:
        sheet.text(row, number, value, look)


def clock_times(piece: Piece) -> tuple[dt.datetime, dt.datetime]:
    """Start and stop of the piece as local times in the time zone of the entry's days."""
    zone = ZoneInfo(piece.time_zone)
    start, stop = (at.astimezone(zone).replace(tzinfo=None) for at in (piece.started_at, piece.stopped_at))
    midnight = dt.datetime.combine(piece.date, dt.time())
    return max(start, midnight), min(stop, midnight + _DAY)
