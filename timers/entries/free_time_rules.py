"""Free time of a day between a person's entries; pure."""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TimeRange:
    """The time from `started_at` until before `stopped_at`."""

    started_at: dt.datetime
    stopped_at: dt.datetime

    @property
    def length(self) -> dt.timedelta:
        return self.stopped_at - self.started_at


def free_times(day: TimeRange, busy: Iterable[TimeRange]) -> Iterator[TimeRange]:
    """The parts of a day outside of all busy times, in order. A busy time without length divides a part too."""
    start = day.started_at
    for each in sorted(busy, key=lambda each: each.started_at):
        if each.started_at > start:
            yield TimeRange(start, each.started_at)
        start = max(start, each.stopped_at)
    if start < day.stopped_at:
        yield TimeRange(start, day.stopped_at)


def find_free_time(
    free: Iterable[TimeRange], length: dt.timedelta, *, preferred_start: dt.datetime
) -> TimeRange | None:
    """The first free time of a length that starts at `preferred_start` or later, otherwise the first of all."""
    free = list(free)
    preferred = [TimeRange(max(each.started_at, preferred_start), each.stopped_at) for each in free]
    found = next((each.started_at for each in (*preferred, *free) if each.length >= length), None)
    return None if found is None else TimeRange(found, found + length)
