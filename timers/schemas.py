"""What the extension sends to start a timer and read the log, and what it gets back."""

from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field

from shared.http.wire import ElapsedMs, Instant, WireModel, text
from shared.tracking.schemas import Organization, RunningTimer, TimeEntry, WorkItemId
from timers import service
from timers.store_log import LogRow


class StartTimer(WireModel):
    organization: Organization
    project: text(64) = Field(examples=["Website"])  # type: ignore[valid-type]
    work_item_id: WorkItemId
    existing_hours: float | None = Field(None, ge=0, le=1_000_000, description="Completed Work of the item, in hours")
    note: text(400, lines=True) | None = None  # type: ignore[valid-type]
    switch: bool = Field(default=False, description="stop what runs and start this, in one step")

    def to_start(self) -> service.Start:
        hours = None if self.existing_hours is None else Decimal(str(self.existing_hours))
        return service.Start(
            organization=self.organization,
            project=self.project,
            work_item_id=self.work_item_id,
            existing_hours=hours,
            note=self.note,
            switch=self.switch,
        )


class StartedTimer(RunningTimer):
    stopped: TimeEntry | None = Field(None, description="the entry that `switch` ended")


class TimerLogQuery(WireModel):
    user: str | None = Field(None, description="only this person's; for admins")
    after: str | None = Field(None, description="where the page before ended; nextLink carries it")
    page_size: Annotated[int, Field(ge=1, le=200)] = 50


class TimerLogItem(WireModel):
    timer_id: str
    event: str
    user_id: str
    actor_id: str | None = Field(None, description="who did it; absent when the service did")
    organization: str
    project: str
    work_item_id: int
    happened_at: Instant
    received_at: Instant
    elapsed_ms: ElapsedMs | None = None

    @classmethod
    def of(cls, row: LogRow) -> Self:
        return cls(
            timer_id=str(row.timer_id),
            event=row.event,
            user_id=str(row.user_id),
            actor_id=None if row.actor_id is None else str(row.actor_id),
            organization=row.organization,
            project=row.project,
            work_item_id=row.work_item_id,
            happened_at=row.happened_at,
            received_at=row.received_at,
            elapsed_ms=row.elapsed_ms,
        )


class TimerLogPage(WireModel):
    items: list[TimerLogItem]
    next_link: str | None = Field(None, description="the next page; absent on the last")
