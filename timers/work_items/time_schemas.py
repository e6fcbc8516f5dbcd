"""The time on a work item on the wire."""

from typing import Self

from pydantic import Field

from shared.http.wire import ElapsedMs, Instant, WireModel
from timers.team.schemas import RunningTimerOfUser
from timers.work_items import time_store


MAX_RUNNING = 50


class TimeTotal(WireModel):
    elapsed_ms: ElapsedMs
    entries: int
    last_stopped_at: Instant | None = Field(None, description="latest end of an entry; absent without entries")

    @classmethod
    def of(cls, total: time_store.TimeTotal) -> Self:
        return cls(elapsed_ms=total.elapsed_ms, entries=total.entries, last_stopped_at=total.last_stopped_at)


class WorkItemTime(WireModel):
    organization: str
    work_item_id: int
    own: TimeTotal
    everyone: TimeTotal | None = Field(None, description="for admins; your own time included")
    running_timers: list[RunningTimerOfUser] = Field(
        description=f"yours, for admins everyone's; the longest first, at most {MAX_RUNNING}. Not part of the totals"
    )
