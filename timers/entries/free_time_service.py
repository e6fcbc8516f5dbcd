"""Finds free time of a person on a day of the tenant's time zone, for entries by duration."""

import datetime as dt
from dataclasses import dataclass
from typing import Final

from shared.calendar import day_text, first_instant
from shared.errors import Conflict, FieldError, InvalidRequest
from shared.tenancy import people
from shared.work import Work
from timers import store
from timers.entries import free_time_store
from timers.entries.free_time_rules import TimeRange, find_free_time, free_times


_DAY: Final = dt.timedelta(days=1)
_MINUTE: Final = dt.timedelta(minutes=1)
_START_OF_WORK: Final = dt.time(9)
# The first instant that a correction accepts.
_EARLIEST: Final = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class DayDuration:
    """A duration in milliseconds on a day, without a start."""

    day: dt.date
    elapsed_ms: int


def find(work: Work, user_id: int, wanted: DayDuration, *, field: str) -> TimeRange:
    """The first free time of the duration from 9:00 on, otherwise from the beginning of the day on.

    The person is locked. `field` is the name of the date in the request.

    Raises:
        InvalidRequest: the day is in the future.
        Conflict: no free time of the day is long enough.
    """
    free = read_free_times(work, user_id, wanted.day, field=field)
    length = dt.timedelta(milliseconds=wanted.elapsed_ms)
    nine = dt.datetime.combine(wanted.day, _START_OF_WORK, tzinfo=work.tenant.zone).astimezone(dt.UTC)
    found = find_free_time(free, length, preferred_start=nine)
    if found is None:
        raise _no_free_time(work, wanted.day, free)
    return found


def read_free_times(work: Work, user_id: int, day: dt.date, *, field: str) -> list[TimeRange]:
    """The free times of a person on a day until now, in order; the person is locked.

    Raises:
        InvalidRequest: the day is in the future.
        Conflict: the day has too many entries.
    """
    if user_id != work.actor.user_id:  # the caller is locked already
        people.lock(work.tx, work.tenant.id, user_id)
    first, end = (first_instant(each, work.tenant.zone) for each in (day, day + _DAY))
    if first > work.now:
        raise InvalidRequest(
            "Time cannot be entered for a day in the future. Choose today or an earlier day.",
            code="invalid_times",
            errors=[FieldError(field, "must not be in the future")],
        )
    whole = TimeRange(max(first, _EARLIEST), min(end, work.now))
    busy = free_time_store.find_times(work.tx, work.tenant.id, user_id, whole)
    if len(busy) > free_time_store.MAX_ENTRIES:
        raise Conflict(
            f"{day_text(day)} has too many entries to find free time. Enter the start and the end of the work.",
            code="too_many_entries",
        )
    timer = store.find_running(work.tx, work.tenant.id, user_id)
    if timer is not None and timer.started_at < whole.stopped_at:
        busy.append(TimeRange(timer.started_at, whole.stopped_at))
    return list(free_times(whole, busy))


def _no_free_time(work: Work, day: dt.date, free: list[TimeRange]) -> Conflict:
    longest = max((each.length for each in free), default=dt.timedelta())
    hours, minutes = divmod(longest // _MINUTE, 60)
    until_now = " until now" if day == work.now.astimezone(work.tenant.zone).date() else ""
    return Conflict(
        f"{day_text(day)} has not enough free time{until_now}: the longest is {hours} h {minutes} min. Enter less "
        "time, or the start and the end of the work.",
        code="no_free_time",
    )
