"""What the extension sends to start a timer, and what it gets back."""

import datetime as dt
import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Self

from pydantic import Field

from shared.http.wire import InstantInput, Note, WireModel
from timers.running import service
from timers.schemas import Organization, ProjectName, RunningTimer, TimeEntry, WorkItemId


class StartTimer(WireModel):
    organization: Organization
    project: ProjectName = Field(examples=["Website"])
    work_item_id: WorkItemId
    existing_hours: float | None = Field(None, ge=0, le=1_000_000, description="Completed Work of the item, in hours")
    note: Note | None = None
    switch: bool = Field(default=False, description="stop what runs and start this, in one step")
    started_at: InstantInput | None = Field(None, description="when it was, at most 24 hours ago; now when absent")
    timer_id: uuid.UUID | None = Field(None, description="a random UUID of yours that becomes the timer's id")

    def to_start(self) -> service.Start:
        hours = None if self.existing_hours is None else Decimal(str(self.existing_hours))
        return service.Start(
            organization=self.organization,
            project=self.project,
            work_item_id=self.work_item_id,
            existing_hours=hours,
            note=self.note,
            switch=self.switch,
            started_at=self.started_at,
            timer_id=self.timer_id,
        )


class StartedTimer(RunningTimer):
    stopped: TimeEntry | None = Field(None, description="the entry that `switch` ended")
    ended: TimeEntry | None = Field(None, description="the entry that it became at once: a later start was known")

    @classmethod
    def of_started(
        cls, started: service.Started, made: Mapping[str, TimeEntry], *, user: uuid.UUID, now: dt.datetime
    ) -> Self:
        """As `of`, with the entries that the start made, as `stopped` or `ended`."""
        until = now if started.ended is None else started.ended.stopped_at
        return cls.of(started.timer, user=user, now=until).model_copy(update=dict(made))


class StopTimer(WireModel):
    stopped_at: InstantInput | None = Field(None, description="when it was, at most 24 hours ago; now when absent")
    timer_id: uuid.UUID | None = Field(None, description="stop this timer and no other")

    def to_stop(self) -> service.Stop:
        return service.Stop(stopped_at=self.stopped_at, timer_id=self.timer_id)
