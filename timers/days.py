"""How the time between two instants falls on the calendar days of a time zone; pure."""

import datetime as dt
from zoneinfo import ZoneInfo

from timers.model import DayPiece


_MS = dt.timedelta(milliseconds=1)
_DAY = dt.timedelta(days=1)


def elapsed_ms(started_at: dt.datetime, stopped_at: dt.datetime) -> int:
    """Whole milliseconds; negative when the clock was set back in between."""
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


def first_instant(date: dt.date, zone: ZoneInfo) -> dt.datetime:
    """When a calendar day begins. Its midnight may not exist: then it begins at the change of the clocks."""
    midnight = dt.datetime(date.year, date.month, date.day, tzinfo=zone)
    instant = midnight.astimezone(dt.UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return instant
    before, after = instant - _DAY, instant + _DAY
    while after - before > _MS:
        middle = before + (after - before) // _MS // 2 * _MS
        before, after = (before, middle) if middle.astimezone(zone).date() >= date else (middle, after)
    return after
