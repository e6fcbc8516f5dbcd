"""The time of a work item and a day on the wire."""

import datetime as dt
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from shared.http.wire import ElapsedMs, Problem, Reason, WireModel
from shared.tenancy.model import Organization
from timers.entries.schemas import MAX_ELAPSED_MS
from timers.schemas import ProjectName, TimeEntry
from timers.work_item_days import service


_MAX_INTEGER: Final = 2**53 - 1  # of JSON, as its readers have it
_DAY: Final[JsonDict] = {
    "project": "Website",
    "elapsedMs": 5_400_000,
    "expectedMs": 3_600_000,
    "reason": "The review took longer",
}


class SetWorkItemDay(WireModel):
    model_config = ConfigDict(json_schema_extra={"examples": [_DAY]})

    project: ProjectName = Field(description="project of an entry that is added", examples=["Website"])
    elapsed_ms: Annotated[int, Field(ge=0, le=MAX_ELAPSED_MS)] = Field(
        description="the new time, in whole milliseconds; at most 24 hours"
    )
    expected_ms: Annotated[int, Field(ge=0, le=_MAX_INTEGER)] = Field(
        description="the present time as you read it: the sum of the entries of all projects, without the running timer"
    )
    reason: Reason | None = Field(
        None,
        description="reason for less time, or for a longer entry; without it more time becomes an entry of its own",
    )
    user_id: str | None = Field(None, description="id of the person, for admins; yourself if omitted")

    def to_work_item_day(self, day: dt.date, organization: Organization, work_item_id: int) -> service.WorkItemDay:
        return service.WorkItemDay(
            day=day,
            organization=organization,
            project=self.project,
            work_item_id=work_item_id,
            elapsed_ms=self.elapsed_ms,
            expected_ms=self.expected_ms,
            reason=self.reason,
        )


class WorkItemDay(WireModel):
    date: dt.date
    organization: str
    work_item_id: int
    user_id: str
    elapsed_ms: ElapsedMs
    entries: list[TimeEntry] = Field(description="entries with time on that day, by start")


class DayChangedProblem(Problem):
    code: Literal["day_changed"]
    elapsed_ms: ElapsedMs = Field(description="the present time")
