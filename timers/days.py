"""Splits the time between two instants into the calendar days of a time zone; pure."""

import datetime as dt
from zoneinfo import ZoneInfo

from shared.calendar import first_instant
from timers.model import DayPiece


_MS = dt.timedelta(milliseconds=1)
_DAY = dt.timedelta(days=1)


def elapsed_ms(started_at: dt.datetime, stopped_at: dt.datetime) -> int:
    """Whole milliseconds; negative if the clock was set back in between."""
    return (stopped_at - started_at) // _MS


def split(started_at: dt.datetime, stopped_at: dt.datetime, zone: ZoneInfo) -> tuple[DayPiece, ...]:
    """The days of [started_at, stopped_at) in a zone, first to last; together exactly the time between.

    No time at all is one piece of 0 ms on the day it happened. A day that a zone skipped has no piece.
    """
    pieces: list[DayPiece] = []
    begin, date = started_at, started_at.astimezone(zone).date()
    while True:
        end = min(stopped_at, first_instant(date + _DAY, zone))
        if end > begin or end == stopped_at:
            pieces.append(DayPiece(date, elapsed_ms(begin, end)))
        if end == stopped_at:
            return tuple(pieces)
        begin, date = end, date + _DAY
