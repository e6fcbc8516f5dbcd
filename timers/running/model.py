"""Starts, stops and changes of a timer and their results, as frozen values."""

import datetime as dt
import uuid
from dataclasses import dataclass
from decimal import Decimal

from timers.model import RunningTimer, TimeEntry


@dataclass(frozen=True, slots=True)
class Start:
    """A request to start a timer, with the names of the work item as the client sent them."""

    organization: str
    project: str
    work_item_id: int
    existing_hours: Decimal | None = None
    note: str | None = None
    switch: bool = False
    started_at: dt.datetime | None = None
    timer_id: uuid.UUID | None = None

    @property
    def is_offline_event(self) -> bool:
        """Whether it names its timer or its instant, so that it may arrive late and in any order."""
        return self.started_at is not None or self.timer_id is not None


@dataclass(frozen=True, slots=True)
class Stop:
    """A request to stop a timer: the running one, now, unless it names a timer or an instant."""

    stopped_at: dt.datetime | None = None
    timer_id: uuid.UUID | None = None
    note: str | None = None  # None keeps the timer's

    @property
    def is_offline_event(self) -> bool:
        """As of a Start."""
        return self.stopped_at is not None or self.timer_id is not None


@dataclass(frozen=True, slots=True)
class TimerChange:
    """New values of the running timer; None keeps the old one, or with `clears_note` deletes the note."""

    timer_id: uuid.UUID | None = None
    started_at: dt.datetime | None = None
    note: str | None = None
    clears_note: bool = False


@dataclass(frozen=True, slots=True)
class ChangedTimer:
    """The timer after a change; `shortened` are entries that now end at its start."""

    timer: RunningTimer
    shortened: tuple[TimeEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class StartResult:
    """The timer of a start; `is_new` is False if it was running already.

    `stopped` is the entry of the timer that a switch ended; `ended` that of this timer, if a later start ended it.
    """

    timer: RunningTimer
    is_new: bool
    stopped: TimeEntry | None = None
    ended: TimeEntry | None = None

    @property
    def entries(self) -> tuple[TimeEntry, ...]:
        return tuple(entry for entry in (self.stopped, self.ended) if entry is not None)
