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


@dataclass(frozen=True, slots=True)
class WorkItem:
    """What is worked on. `project_id` is ours; names are as Azure DevOps spells them."""

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
    version: int
    days: tuple[DayPiece, ...]
