"""The sheet that lists every piece of time, with real dates and durations, to be filtered and added up."""

import datetime as dt
from collections.abc import Iterable
from typing import Final
from zoneinfo import ZoneInfo

from reports.store_pieces import Piece
from reports.tables_book import Book, Sheet


_DAY: Final = dt.timedelta(days=1)
_COLUMNS: Final = (
    ("Date", 12.0),
    ("Person", 24.0),
    ("E-mail", 30.0),
    ("Project", 22.0),
    ("Work item", 10.0),
    ("Type", 14.0),
    ("Title", 44.0),
    ("State", 12.0),
    ("Start", 19.0),
    ("Stop", 19.0),
    ("Duration", 11.0),
    ("Hours", 9.0),
    ("Note", 40.0),
    ("Source", 21.0),
    ("Needs review", 13.0),
)
_DURATION: Final = 10
_SOURCES: Final = {"timer": "timer", "manual": "entered by hand", "autoStopped": "stopped automatically"}
_AMONG_THOSE_SHOWN: Final = "SUBTOTAL(109,"  # a sum over the rows that a filter leaves


def add(book: Book, pieces: Iterable[Piece]) -> None:
    """Writes the list while the pieces come, and their total below it."""
    sheet = book.sheet("Details")
    sheet.widths([width for _, width in _COLUMNS])
    for column, (title, _) in enumerate(_COLUMNS):
        sheet.text(0, column, title, "head")
    row, total_ms = 1, 0
    for piece in pieces:
        _line(sheet, row, piece)
        total_ms += piece.elapsed_ms
        row += 1
    for column in range(len(_COLUMNS)):
        sheet.text(row, column, "" if column else "Total", "sum")
    sheet.total_of(row, _DURATION, 1, total_ms, _AMONG_THOSE_SHOWN)
    sheet.file.freeze_panes(1, 0)
    sheet.file.repeat_rows(0)
    sheet.file.autofilter(0, 0, max(1, row - 1), len(_COLUMNS) - 1)


def _line(sheet: Sheet, row: int, piece: Piece) -> None:
    item = piece.work_item
    start, stop = hours_of_the_day(piece)
    sheet.date(row, 0, piece.date)
    sheet.text(row, 1, piece.user.display_name)
    sheet.text(row, 2, piece.user.email)
    sheet.text(row, 3, piece.project)
    sheet.number(row, 4, item.id)
    for column, text in ((5, item.type), (6, item.title), (7, item.state), (12, piece.note)):
        if text:
            sheet.text(row, column, text)
    sheet.instant(row, 8, start)
    sheet.instant(row, 9, stop)
    sheet.duration(row, _DURATION, piece.elapsed_ms)
    sheet.text(row, 13, _SOURCES[piece.source])
    if piece.needs_review:
        sheet.text(row, 14, "yes")


def hours_of_the_day(piece: Piece) -> tuple[dt.datetime, dt.datetime]:
    """When the piece began and ended by the clock of the tenant's zone, the one that made the entry's days."""
    zone = ZoneInfo(piece.time_zone)
    start, stop = (at.astimezone(zone).replace(tzinfo=None) for at in (piece.started_at, piece.stopped_at))
    midnight = dt.datetime.combine(piece.date, dt.time())
    return max(start, midnight), min(stop, midnight + _DAY)
