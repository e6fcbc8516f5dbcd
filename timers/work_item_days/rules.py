"""Reduces the time of entries on a day by exact milliseconds; pure."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from timers.model import Source, TimeEntry


@dataclass(frozen=True, slots=True)
class Reduction:
    """An entry and its new start or end; with neither the entry is deleted."""

    entry: TimeEntry
    started_at: dt.datetime | None = None
    stopped_at: dt.datetime | None = None

    @property
    def deletes(self) -> bool:
        return self.started_at is None and self.stopped_at is None


def time_on(entry: TimeEntry, day: dt.date) -> int:
    """The milliseconds of an entry on a day."""
    return sum(piece.elapsed_ms for piece in entry.days if piece.date == day)


def reduce(entries: Iterable[TimeEntry], day: dt.date, elapsed_ms: int) -> list[Reduction] | None:
    """Takes a time from the day, and from no other day: first from entries by hand, the latest first.

    None if that is not possible, since an entry begins before the day and ends after it.
    """
    reductions = []
    for entry in sorted(entries, key=lambda each: (each.source is Source.MANUAL, each.started_at), reverse=True):
        taken = min(elapsed_ms, time_on(entry, day))
        if taken and (reduction := _reduce(entry, day, taken)) is not None:
            reductions.append(reduction)
            elapsed_ms -= taken
    return None if elapsed_ms else reductions


def _reduce(entry: TimeEntry, day: dt.date, taken_ms: int) -> Reduction | None:
    taken = dt.timedelta(milliseconds=taken_ms)
    if entry.days[-1].date == day:
        return (
            Reduction(entry) if taken_ms == entry.elapsed_ms else Reduction(entry, stopped_at=entry.stopped_at - taken)
        )
    return Reduction(entry, started_at=entry.started_at + taken) if entry.days[0].date == day else None


def find_extendable(entries: Iterable[TimeEntry], day: dt.date, time_zone: str) -> list[TimeEntry]:
    """The entries by hand that may get longer on a day: those that end on it. The latest first.

    An entry of another time zone has other days, so it stays.
    """
    found = [
        each
        for each in entries
        if each.source is Source.MANUAL and each.time_zone == time_zone and each.days[-1].date == day
    ]
    return sorted(found, key=lambda each: each.stopped_at, reverse=True)
