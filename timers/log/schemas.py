"""The timer log on the wire."""

from contextlib import suppress
from enum import StrEnum
from typing import Literal, Self

from pydantic import ConfigDict, Field, ValidationError

from shared.http.log_query import LogPageQuery
from shared.http.paging import NEXT_LINK
from shared.http.wire import ElapsedMs, Instant, PersonName, WireModel
from timers.log.store import LogRow
from timers.model import EventKind, Source


class TimerLogQuery(LogPageQuery):
    user: str | None = Field(None, description="`me`, or for admins the id of a person; only their events")
    event: EventKind | None = Field(None, description="only events of this kind")
    timer_id: str | None = Field(None, description="only events of this timer and of its entry, which have the same id")


class LoggedEntry(WireModel):
    """A version of an entry, as the log stores it."""

    model_config = ConfigDict(extra="ignore")  # rows of older releases

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
    def of(cls, stored: object) -> Self | None:
        """The version; None without one.

        Raises:
            ValidationError: it is damaged.
        """
        return None if stored is None else cls.model_validate(stored, strict=False, by_alias=True)


class LoggedTimer(WireModel):
    """A running timer, as the log stores it."""

    organization: str
    project: str
    work_item_id: int
    started_at: Instant
    note: str | None = None

    @classmethod
    def of(cls, stored: object) -> Self | None:
        """As `LoggedEntry.of`."""
        return None if stored is None else cls.model_validate(stored, strict=False, by_alias=True)


class LoggedVersion(StrEnum):
    BEFORE = "before"
    AFTER = "after"


class TimerLogItem(WireModel):
    timer_id: str = Field(description="id of the timer and of its entry")
    event: EventKind
    entry_version: int | None = Field(
        None, description="version of the entry that the event created; a deletion counts as one"
    )
    user_id: str
    user: PersonName
    actor_id: str | None = Field(None, description="id of the author; absent for the service")
    actor: PersonName | None = None
    organization: str
    project: str
    work_item_id: int
    happened_at: Instant
    received_at: Instant
    reported_late: Literal[True] | None = Field(None, description="true for an event that the client sent late")
    elapsed_ms: ElapsedMs | None = None
    reason: str | None = None
    is_adjustment: Literal[True] | None = Field(None, description="true if it changed a closed month")
    before: LoggedEntry | None = Field(None, description="version that was replaced or deleted")
    after: LoggedEntry | None = Field(None, description="version that was created")
    timer_before: LoggedTimer | None = Field(None, description="running timer before the change")
    timer_after: LoggedTimer | None = Field(None, description="running timer after the change")
    unreadable: list[LoggedVersion] | None = Field(None, description="versions that are damaged and left out")

    @classmethod
    def of(cls, row: LogRow) -> Self:
        """The row on the wire; a damaged version is listed as unreadable."""
        is_of_timer = row.event == EventKind.CHANGED
        versions: dict[LoggedVersion, LoggedEntry | None] = {}
        timers: dict[LoggedVersion, LoggedTimer | None] = {}
        for version, stored in ((LoggedVersion.BEFORE, row.before), (LoggedVersion.AFTER, row.after)):
            with suppress(ValidationError):
                if is_of_timer:
                    timers[version] = LoggedTimer.of(stored)
                else:
                    versions[version] = LoggedEntry.of(stored)
        return cls(
            timer_id=str(row.timer_id),
            event=EventKind(row.event),
            entry_version=None if is_of_timer else row.entry_version or None,
            user_id=str(row.user_id),
            user=PersonName(id=str(row.user_id), display_name=row.user_name),
            actor_id=None if row.actor_id is None else str(row.actor_id),
            actor=None if row.actor_id is None else PersonName(id=str(row.actor_id), display_name=row.actor_name),
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
            timer_before=timers.get(LoggedVersion.BEFORE),
            timer_after=timers.get(LoggedVersion.AFTER),
            unreadable=[version for version in LoggedVersion if version not in {**versions, **timers}] or None,
        )


class TimerLogPage(WireModel):
    items: list[TimerLogItem]
    next_link: str | None = NEXT_LINK
