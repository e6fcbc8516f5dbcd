"""Rules of offline events: valid instants, and the place of a timer among the entries that are known; pure."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace
from typing import Final
from zoneinfo import ZoneInfo

from shared.errors import Conflict, FieldError, InvalidRequest, RetryableConflict
from shared.tenancy.organization_store import organization_key
from timers.days import elapsed_ms, split
from timers.model import RunningTimer, Source, TimeEntry
from timers.running.model import Start


MAX_AGE: Final = dt.timedelta(hours=24)
MAX_SKEW: Final = dt.timedelta(minutes=2)


class OverlapConflict(Conflict):
    """Has the timer or the entry that prevents the change, for the response."""

    def __init__(self, detail: str, *, timer: RunningTimer | None = None, entry: TimeEntry | None = None) -> None:
        super().__init__(detail)
        self.timer, self.entry = timer, entry


class TimerAlreadyRunning(OverlapConflict):
    """Final for a start now; an offline start may only be early, and is sent again."""

    code = "timer_already_running"

    def __init__(self, timer: RunningTimer, *, is_final: bool) -> None:
        super().__init__(
            f"Your timer is running on work item {timer.work_item.work_item_id}. Stop it first, or switch to the new "
            "work item, which stops it too.",
            timer=timer,
        )
        self.is_final = is_final


class OtherTimerRunning(OverlapConflict):
    """The running timer is not the one that the request names."""

    code = "other_timer_running"

    def __init__(self, timer: RunningTimer) -> None:
        super().__init__(
            f"Meanwhile another timer was started, on work item {timer.work_item.work_item_id}. It was left as it is.",
            timer=timer,
        )


class OverlapsEntry(OverlapConflict, RetryableConflict):
    """Without a timer and an entry where the overlapping one is deleted."""

    code = "inside_another_entry"

    def __init__(self, other: TimeEntry | RunningTimer | None) -> None:
        subject = "Another timer" if other is None else f"A timer on work item {other.work_item.work_item_id}"
        super().__init__(
            f"{subject} ran at that time, and time is counted once. If this came from a device that was offline, let "
            "it send its earlier starts and stops first; otherwise correct the time entry.",
            timer=other if isinstance(other, RunningTimer) else None,
            entry=other if isinstance(other, TimeEntry) else None,
        )


class TimerAlreadyEnded(OverlapConflict):
    """Without an entry where the timer was discarded or its entry deleted."""

    code = "timer_already_ended"

    def __init__(self, entry: TimeEntry | None, *, advice: str) -> None:
        super().__init__(f"This timer has already ended. {advice}", entry=entry)


def checked_instant(instant: dt.datetime, now: dt.datetime, *, field: str, advice: str) -> dt.datetime:
    """The instant of an offline event; one slightly in the future is now, since the client's clock may be fast.

    Raises:
        InvalidRequest: `in_the_future`, or `too_long_ago` with the advice.
    """
    if instant > now + MAX_SKEW:
        wrong = FieldError(field, "must not be in the future")
        raise InvalidRequest(
            "The time is in the future. Check the clock of your device.", code="in_the_future", errors=[wrong]
        )
    if instant < now - MAX_AGE:
        wrong = FieldError(field, "must not be more than 24 hours ago")
        raise InvalidRequest(f"The time is more than 24 hours ago. {advice}", code="too_long_ago", errors=[wrong])
    return min(instant, now)


def is_on_same_item(running: RunningTimer, start: Start) -> bool:
    """Whether a timer runs on the work item of a start; the project may have been renamed since."""
    item = running.work_item
    same_organization = organization_key(item.organization) == organization_key(start.organization)
    return same_organization and item.work_item_id == start.work_item_id


def first_after(
    started_at: dt.datetime, running: RunningTimer | None, entry: TimeEntry | None
) -> TimeEntry | RunningTimer | None:
    """The first to start after an instant: the running timer, or the first entry after the instant."""
    if running is not None and running.started_at > started_at:
        return running if entry is None or running.started_at < entry.started_at else entry
    return entry


def shorten(at: dt.datetime, entries: Iterable[TimeEntry], *, limit_ms: int) -> tuple[tuple[TimeEntry, TimeEntry], ...]:
    """Ends the entries that cover a start at that start; returns pairs of old and new version.

    Raises:
        OverlapsEntry: one of them has an explicit end, or started at the same instant.
    """
    entries = tuple(entries)
    for entry in entries:
        if not entry.end_inferred or entry.started_at == at:
            raise OverlapsEntry(entry)
    return tuple((entry, with_end(entry, at, end_inferred=True, limit_ms=limit_ms)) for entry in entries)


def end_of_running(timer: RunningTimer, at: dt.datetime, *, is_named: bool, following: TimeEntry | None) -> dt.datetime:
    """The end of a running timer for a stop at `at`.

    The instant may be slightly before the start, which has the server's time, if the client's clock is slow. Then the
    end is the start, provided that the stop names the timer.

    Raises:
        RetryableConflict: `stop_before_start`.
        OverlapsEntry: another timer started before that instant.
    """
    latest = None if following is None else following.started_at
    return _valid_end(timer.started_at, at, is_named=is_named, latest=latest, other=following)


def end_of_entry(
    entry: TimeEntry, at: dt.datetime, *, is_named: bool, following: TimeEntry | RunningTimer | None
) -> dt.datetime:
    """The end of an entry with an inferred end, for a stop at `at`.

    After a switch the end can only be earlier; after a stop by the job it can be later, up to the next start.

    Raises:
        RetryableConflict, OverlapsEntry: as `end_of_running`.
    """
    latest = None if following is None else following.started_at
    if entry.source is not Source.AUTO_STOPPED:
        latest = entry.stopped_at
    return _valid_end(entry.started_at, at, is_named=is_named, latest=latest, other=following)


def with_end(entry: TimeEntry, at: dt.datetime, *, end_inferred: bool, limit_ms: int) -> TimeEntry:
    """The next version of an entry, with another end; above the limit it needs a review."""
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


def _valid_end(
    started_at: dt.datetime,
    at: dt.datetime,
    *,
    is_named: bool,
    latest: dt.datetime | None,
    other: TimeEntry | RunningTimer | None,
) -> dt.datetime:
    if at < started_at and not (is_named and started_at - at <= MAX_SKEW):
        raise stop_before_start()
    if latest is not None and at > latest:
        raise OverlapsEntry(other)
    return max(at, started_at)


def no_running_timer() -> RetryableConflict:
    return RetryableConflict("No timer is running, so there is nothing to stop.", code="no_running_timer")


def stop_before_start() -> RetryableConflict:
    return RetryableConflict(
        "The running timer started after that time, so it cannot have been stopped then. Check which timer you mean.",
        code="stop_before_start",
    )
