"""The running timer and the time entry, as frozen values."""

import datetime as dt
import uuid
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Self

from shared.calendar import Month
from shared.work import Work


class Source(StrEnum):
    TIMER = "timer"
    MANUAL = "manual"
    AUTO_STOPPED = "autoStopped"


class EventKind(StrEnum):
    STARTED = "started"
    CHANGED = "changed"  # the note or the start of a running timer
    STOPPED = "stopped"
    DISCARDED = "discarded"
    ENTERED = "entered"
    CORRECTED = "corrected"
    CONFIRMED = "confirmed"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class WorkItem:
    """A work item with its project. `organization_id` and `project_id` are our rows; names are as in Azure DevOps."""

    organization_id: int
    project_id: int
    organization: str
    project: str
    work_item_id: int


@dataclass(frozen=True, slots=True)
class RunningTimer:
    id: uuid.UUID
    user_id: int
    work_item: WorkItem
    started_at: dt.datetime
    existing_hours: Decimal | None
    note: str | None


@dataclass(frozen=True, slots=True)
class DayPiece:
    """The part of an entry that lies on one calendar day of the tenant's time zone, in whole milliseconds."""

    date: dt.date
    elapsed_ms: int

    @property
    def month(self) -> Month:
        return Month.of_day(self.date)


@dataclass(frozen=True, slots=True)
class TimeEntry:
    id: uuid.UUID
    user_id: int
    work_item: WorkItem
    started_at: dt.datetime
    stopped_at: dt.datetime
    elapsed_ms: int
    existing_hours: Decimal | None
    note: str | None
    source: Source
    needs_review: bool
    time_zone: str  # of the tenant at the stop; it defines the days, also after a correction
    end_inferred: bool  # ended by a switch or a job, not by the person
    version: int
    days: tuple[DayPiece, ...]


@dataclass(frozen=True, slots=True)
class TimerEvent:
    """One event of the timer log.

    `entry_version` is the version of the entry that it created; of a change of a running timer its number, else 0.
    """

    kind: EventKind
    timer_id: uuid.UUID
    user_id: int
    actor_id: int | None  # None for the service
    work_item: WorkItem
    happened_at: dt.datetime
    received_at: dt.datetime
    entry_version: int = 0
    elapsed_ms: int | None = None
    reported_late: bool = False
    reason: str | None = None
    is_adjustment: bool = False
    before: TimeEntry | RunningTimer | None = None
    after: TimeEntry | RunningTimer | None = None

    @classmethod
    def of(
        cls,
        work: Work,
        kind: EventKind,
        *,
        before: TimeEntry | None = None,
        after: TimeEntry | None = None,
        happened_at: dt.datetime | None = None,
        reported_late: bool = False,
        reason: str | None = None,
        is_adjustment: bool = False,
    ) -> Self:
        """An event of an entry: `before` is the version that it replaces or deletes, `after` the one that it creates.

        It happened now, unless an instant is given.
        """
        entry = after or before
        assert entry is not None, "an event is about an entry"  # noqa: S101 - narrows the type
        return cls(
            kind,
            entry.id,
            entry.user_id,
            work.actor.user_id,
            entry.work_item,
            happened_at=happened_at or work.now,
            received_at=work.now,
            entry_version=entry.version if after else entry.version + 1,
            elapsed_ms=entry.elapsed_ms,
            reported_late=reported_late,
            reason=reason,
            is_adjustment=is_adjustment,
            before=before,
            after=after,
        )

    @classmethod
    def of_timer(
        cls, work: Work, kind: EventKind, timer: RunningTimer, *, happened_at: dt.datetime, reported_late: bool = False
    ) -> Self:
        """An event of a running timer."""
        return cls(
            kind,
            timer.id,
            timer.user_id,
            work.actor.user_id,
            timer.work_item,
            happened_at=happened_at,
            received_at=work.now,
            reported_late=reported_late,
        )

    @classmethod
    def of_change(cls, work: Work, before: RunningTimer, after: RunningTimer, *, number: int) -> Self:
        """A change of a running timer, with its number among those of the timer; it happened at the timer's start."""
        event = cls.of_timer(work, EventKind.CHANGED, after, happened_at=after.started_at)
        return replace(event, entry_version=number, before=before, after=after)
