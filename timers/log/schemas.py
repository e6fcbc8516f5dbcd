"""The timer log on the wire."""

from contextlib import suppress
from enum import StrEnum
from typing import Annotated, Literal, Self
from urllib.parse import urlencode

from pydantic import ConfigDict, Field, ValidationError

from shared.http.wire import ElapsedMs, Instant, WireModel
from timers.log.store import LogRow
from timers.model import EventKind, Source


class TimerLogQuery(WireModel):
    user: str | None = Field(None, description="only this person's; for admins")
    timer_id: str | None = Field(None, description="only this timer's, and of the entry it became: they share the id")
    after: str | None = Field(None, description="where the page before ended; nextLink carries it")
    page_size: Annotated[int, Field(ge=1, le=200)] = 50

    def link_after(self, last: "TimerLogItem") -> str:
        """Where the page after that row is."""
        parameters = {
            "user": self.user,
            "timerId": self.timer_id,
            "pageSize": self.page_size,
            "after": f"{last.timer_id}.{last.event.value}.{last.entry_version or 0}",
        }
        return "/api/timer-log?" + urlencode({name: value for name, value in parameters.items() if value is not None})


class LoggedEntry(WireModel):
    """A version of an entry, as the log keeps it."""

    model_config = ConfigDict(extra="ignore")  # what is on record stays as it was written

    organization: str
    project: str
    work_item_id: int
    started_at: Instant
    stopped_at: Instant
    elapsed_ms: ElapsedMs
    time_zone: str
    note: str | None = None
    source: Source
    needs_review: bool
    version: int

    @classmethod
    def of(cls, kept: object) -> Self | None:
        """The version; None where there is none.

        Raises:
            ValidationError: it cannot be read as one.
        """
        return None if kept is None else cls.model_validate(kept, strict=False, by_alias=True)


class LoggedVersion(StrEnum):
    BEFORE = "before"
    AFTER = "after"


class TimerLogItem(WireModel):
    timer_id: str = Field(description="of the timer, and of the entry it became")
    event: EventKind
    entry_version: int | None = Field(None, description="the version of the entry that this made; a removal is one too")
    user_id: str
    actor_id: str | None = Field(None, description="who did it; absent when the service did")
    organization: str
    project: str
    work_item_id: int
    happened_at: Instant
    received_at: Instant
    reported_late: Literal[True] | None = Field(None, description="the client said when it was")
    elapsed_ms: ElapsedMs | None = None
    reason: str | None = None
    is_adjustment: Literal[True] | None = Field(None, description="it touched a month that was closed")
    before: LoggedEntry | None = Field(None, description="the version that was replaced or deleted")
    after: LoggedEntry | None = Field(None, description="the version that was made")
    unreadable: list[LoggedVersion] | None = Field(
        None, description="the versions that cannot be read: they were damaged"
    )

    @classmethod
    def of(cls, row: LogRow) -> Self:
        """The row on the wire; a version that cannot be read is said to be so, and the rest is shown."""
        versions: dict[LoggedVersion, LoggedEntry | None] = {}
        for version, kept in ((LoggedVersion.BEFORE, row.before), (LoggedVersion.AFTER, row.after)):
            with suppress(ValidationError):
                versions[version] = LoggedEntry.of(kept)
        return cls(
            timer_id=str(row.timer_id),
            event=EventKind(row.event),
            entry_version=row.entry_version or None,
            user_id=str(row.user_id),
            actor_id=None if row.actor_id is None else str(row.actor_id),
            organization=row.organization,
            project=row.project,
            work_item_id=row.work_item_id,
            happened_at=row.happened_at,
            received_at=row.received_at,
            reported_late=row.reported_late or None,
            elapsed_ms=row.elapsed_ms,
            reason=row.reason,
            is_adjustment=row.is_adjustment or None,
            before=versions.get(LoggedVersion.BEFORE),
            after=versions.get(LoggedVersion.AFTER),
            unreadable=[version for version in LoggedVersion if version not in versions] or None,
        )


class TimerLogPage(WireModel):
    items: list[TimerLogItem]
    next_link: str | None = Field(None, description="the next page; absent on the last")
