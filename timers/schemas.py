"""What the extension sends to start a timer, and what it gets back."""

from decimal import Decimal

from pydantic import Field

from shared.http.wire import WireModel, text
from shared.tracking.schemas import Organization, RunningTimer, TimeEntry, WorkItemId
from timers import service


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
