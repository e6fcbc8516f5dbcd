"""The running timer and the time entry, as frozen values."""

import datetime as dt
import uuid
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Source(StrEnum):
    TIMER = "timer"
    MANUAL = "manual"
    AUTO_STOPPED = "autoStopped"


class EventKind(StrEnum):
    STARTED = "started"
    STOPPED = "stopped"
    DISCARDED = "discarded"
    ENTERED = "entered"
    CORRECTED = "corrected"
    CONFIRMED = "confirmed"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class WorkItem:
    """What is worked on. `organization_id` and `project_id` are ours; names are as Azure DevOps spells them."""

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
    def month_key(self) -> int:
        return self.date.year * 100 + self.date.month


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
    time_zone: str  # in force at the stop; it makes the days, also those of a correction
    end_inferred: bool  # nobody said when it ended: a switch or a job did
    version: int
    days: tuple[DayPiece, ...]


@dataclass(frozen=True, slots=True)
class TimerEvent:
    """One event of the timer log. `entry_version` is the version it made; a running timer has none, which is 0."""

    kind: EventKind
    timer_id: uuid.UUID
    user_id: int
    actor_id: int | None  # None is the service itself
    work_item: WorkItem
    happened_at: dt.datetime
    received_at: dt.datetime
    entry_version: int = 0
    elapsed_ms: int | None = None
    reported_late: bool = False
    reason: str | None = None
    is_adjustment: bool = False
    before: TimeEntry | None = None
    after: TimeEntry | None = None
