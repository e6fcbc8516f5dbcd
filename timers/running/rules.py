"""What a report that comes late may say, and where its time lies among what is known already; pure."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace
from typing import Final
from zoneinfo import ZoneInfo

from shared.errors import Conflict, FieldError, InvalidRequest, RetryableConflict
from timers.days import elapsed_ms, split
from timers.model import RunningTimer, Source, TimeEntry


LATEST: Final = dt.timedelta(hours=24)
SKEW: Final = dt.timedelta(minutes=2)


class TimeInTheWay(Conflict):
    """Carries the timer or the entry that is in the way, so that the caller need not ask for it."""

    def __init__(self, detail: str, *, timer: RunningTimer | None = None, entry: TimeEntry | None = None) -> None:
        super().__init__(detail)
        self.timer, self.entry = timer, entry


class AnotherRuns(TimeInTheWay):
    """Final for whoever starts now; who says when it was may be early, and sends the same once more."""

    code = "timer_already_running"

    def __init__(self, timer: RunningTimer, *, is_final: bool) -> None:
        super().__init__(
            f"A timer runs on work item {timer.work_item.work_item_id}. Stop it first, or switch, which "
            "stops it and starts this one in one step.",
            timer=timer,
        )
        self.is_final = is_final


class InsideAnother(TimeInTheWay, RetryableConflict):
    """What ran at that time may be there no more: then it carries nothing."""

    code = "inside_another_entry"

    def __init__(self, other: TimeEntry | RunningTimer | None) -> None:
        what = "Another timer" if other is None else f"A timer on work item {other.work_item.work_item_id}"
        super().__init__(
            f"{what} ran at that time, and time is counted once. Send the reports that came before this one first; if "
            "there are none, correct the entry.",
            timer=other if isinstance(other, RunningTimer) else None,
            entry=other if isinstance(other, TimeEntry) else None,
        )


class AlreadyEnded(TimeInTheWay):
    """Carries nothing when the timer was discarded, or its entry deleted."""

    code = "timer_already_ended"

    def __init__(self, entry: TimeEntry | None) -> None:
        super().__init__("This timer has ended. Start another one with a fresh random id.", entry=entry)


def said_at(said: dt.datetime, now: dt.datetime, *, field: str, instead: str) -> dt.datetime:
    """The instant that a client says, as it is taken; a little ahead of our clock is now.

    Raises:
        InvalidRequest: `in_the_future`, or `too_long_ago` with what to do instead.
    """
    if said > now + SKEW:
        wrong = FieldError(field, "must not lie in the future")
        raise InvalidRequest("That is still to come. Check the device's clock.", code="in_the_future", errors=[wrong])
    if said < now - LATEST:
        wrong = FieldError(field, "must not lie more than 24 hours back")
        raise InvalidRequest(f"That was more than 24 hours ago. {instead}", code="too_long_ago", errors=[wrong])
    return min(said, now)


def next_of(
    started_at: dt.datetime, running: RunningTimer | None, entry: TimeEntry | None
) -> TimeEntry | RunningTimer | None:
    """What began next after a start: the running timer, or the first entry that began after it."""
    if running is not None and running.started_at > started_at:
        return running if entry is None or running.started_at < entry.started_at else entry
    return entry


def make_room(
    at: dt.datetime, entries: Iterable[TimeEntry], *, limit_ms: int
) -> tuple[tuple[TimeEntry, TimeEntry], ...]:
    """What the entries around a start become, as pairs of old and new: they end where it began.

    Raises:
        InsideAnother: one of them ends where somebody said that it did, or began at the same instant.
    """
    entries = tuple(entries)
    for entry in entries:
        if not entry.end_inferred or entry.started_at == at:
            raise InsideAnother(entry)
    return tuple((entry, ended(entry, at, end_inferred=True, limit_ms=limit_ms)) for entry in entries)


def end_of_running(timer: RunningTimer, at: dt.datetime, *, named: bool, following: TimeEntry | None) -> dt.datetime:
    """When a running timer ends that is said to have ended at an instant.

    A device whose clock is a little behind may say an instant before the start that we gave: that is the start, as
    long as it names the timer.

    Raises:
        RetryableConflict: `stop_before_start`.
        InsideAnother: another timer began before that instant.
    """
    latest = None if following is None else following.started_at
    return _end(timer.started_at, at, named=named, latest=latest, other=following)


def end_of_entry(
    entry: TimeEntry, at: dt.datetime, *, named: bool, following: TimeEntry | RunningTimer | None
) -> dt.datetime:
    """When an entry ends whose end was inferred, and that is said to have ended at an instant.

    What a start ended did not go on after it; what a job ended may have, until the next start.

    Raises:
        RetryableConflict, InsideAnother: as `end_of_running`.
    """
    latest = None if following is None else following.started_at
    if entry.source is not Source.AUTO_STOPPED:
        latest = entry.stopped_at
    return _end(entry.started_at, at, named=named, latest=latest, other=following)


def ended(entry: TimeEntry, at: dt.datetime, *, end_inferred: bool, limit_ms: int) -> TimeEntry:
    """The next version of an entry, which ends at another instant; over the limit its person is asked."""
    elapsed = elapsed_ms(entry.started_at, at)
    return replace(
        entry,
        stopped_at=at,
        elapsed_ms=elapsed,
        days=split(entry.started_at, at, ZoneInfo(entry.time_zone)),
        needs_review=elapsed > limit_ms,
        end_inferred=end_inferred,
        version=entry.version + 1,
    )


def _end(
    started_at: dt.datetime,
    at: dt.datetime,
    *,
    named: bool,
    latest: dt.datetime | None,
    other: TimeEntry | RunningTimer | None,
) -> dt.datetime:
    if at < started_at and not (named and started_at - at <= SKEW):
        raise stop_before_start()
    if latest is not None and at > latest:
        raise InsideAnother(other)
    return max(at, started_at)


def nothing_ran() -> RetryableConflict:
    return RetryableConflict("No timer is running, so there is nothing to stop.", code="no_running_timer")


def stop_before_start() -> RetryableConflict:
    return RetryableConflict(
        "The timer started after that instant. Say which timer ended then.", code="stop_before_start"
    )
