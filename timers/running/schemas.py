"""Starts, stops and changes of a timer on the wire."""

import datetime as dt
import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from shared.http.wire import InstantInput, Note, Problem, WireModel, allow_null
from timers.running.model import Start, StartResult, Stop, TimerChange
from timers.schemas import Organization, ProjectName, RunningTimer, TimeEntry, WorkItemId


_OMITTED: Final = "omitted in a repeat if the first response is withheld"


class StartTimer(WireModel):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"organization": "contoso", "project": "Website", "workItemId": 42}]}
    )

    organization: Organization
    project: ProjectName = Field(examples=["Website"])
    work_item_id: WorkItemId
    existing_hours: float | None = Field(
        None, ge=0, le=1_000_000, description="Completed Work of the work item, in hours"
    )
    note: Note | None = None
    switch: bool = Field(default=False, description="stop the running timer first")
    started_at: InstantInput | None = Field(None, description="at most 24 hours ago; now if omitted")
    timer_id: uuid.UUID | None = Field(None, description="the timer's id, a random UUID of the client")

    def to_start(self) -> Start:
        hours = None if self.existing_hours is None else Decimal(str(self.existing_hours))
        return Start(
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
    stopped: TimeEntry | None = Field(None, description="entry of the timer that `switch` stopped")
    ended: TimeEntry | None = Field(None, description="entry of this timer, which a later start ended")

    @classmethod
    def of_result(
        cls, result: StartResult, entries: Mapping[uuid.UUID, TimeEntry], *, user: uuid.UUID, now: dt.datetime
    ) -> Self:
        """`entries` are the result's entries by id, `user` is the person's id on the wire."""
        timer = RunningTimer.of(result.timer, user=user, now=now if result.ended is None else result.ended.stopped_at)
        return cls(
            **dict(timer),
            stopped=None if result.stopped is None else entries[result.stopped.id],
            ended=None if result.ended is None else entries[result.ended.id],
        )


class StopTimer(WireModel):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{}, {"note": "Review"}, {"stoppedAt": "2026-11-23T09:30:00Z"}]}
    )

    stopped_at: InstantInput | None = Field(None, description="at most 24 hours ago; now if omitted")
    timer_id: uuid.UUID | None = Field(None, description="id of the timer to stop; the running one if omitted")
    note: Note | None = Field(None, description="note of the entry; the timer's if omitted")

    def to_stop(self) -> Stop:
        return Stop(stopped_at=self.stopped_at, timer_id=self.timer_id, note=self.note)


class ChangeTimer(WireModel):
    """Omitted fields stay as they are; null deletes the note."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"startedAt": "2026-11-23T08:45:00Z"}]})

    note: Note | None = Field(None, description="null deletes it", json_schema_extra=allow_null)
    started_at: InstantInput | None = Field(None, description="at most 24 hours ago")
    timer_id: uuid.UUID | None = Field(None, description="id of the timer to change; the running one if omitted")

    @model_validator(mode="after")
    def _require_change(self) -> Self:
        if not self.model_fields_set - {"timer_id"}:
            raise ValueError("must change something")
        return self

    def to_change(self) -> TimerChange:
        return TimerChange(
            timer_id=self.timer_id,
            started_at=self.started_at,
            note=self.note,
            clears_note="note" in self.model_fields_set and self.note is None,
        )


class DiscardTimerQuery(WireModel):
    timer_id: uuid.UUID | None = Field(None, description="id of the timer to discard; the running one if omitted")


class TimerAlreadyRunningProblem(Problem):
    code: Literal["timer_already_running"]
    running_timer: RunningTimer | None = Field(None, description=f"the running timer; {_OMITTED}")


class OtherTimerRunningProblem(Problem):
    code: Literal["other_timer_running"]
    running_timer: RunningTimer = Field(description="the running timer")


class TimerAlreadyEndedProblem(Problem):
    code: Literal["timer_already_ended"]
    entry: TimeEntry | None = Field(None, description="entry of the timer; omitted if it was discarded or deleted")


class InsideAnotherEntryProblem(Problem):
    code: Literal["inside_another_entry"]
    running_timer: RunningTimer | None = Field(None, description="the overlapping timer, if it is running")
    entry: TimeEntry | None = Field(None, description="the overlapping entry, unless it was deleted")
