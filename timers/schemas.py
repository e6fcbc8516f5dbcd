"""The running timer and the time entry on the wire."""

import datetime as dt
import uuid
from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field

from shared.http.wire import ElapsedMs, Instant, Text64, WireModel, json_schema_pattern
from shared.text import has_bidi_controls
from timers import model
from timers.azure_devops.model import ORGANIZATION
from timers.projects.store import project_name_key
from timers.write_back.model import Help, WriteBack, WriteBackProgress


MAX_WORK_ITEM_ID: Final = 2**31 - 1
WorkItemId = Annotated[int, Field(ge=1, le=MAX_WORK_ITEM_ID, description="number of the work item in Azure DevOps")]


def _organization(value: str) -> str:
    if not ORGANIZATION.match(value):
        raise ValueError("must be the name of an Azure DevOps organization: up to 50 letters, digits and inner hyphens")
    return value


Organization = Annotated[
    str,
    AfterValidator(_organization),
    Field(
        description="name of the Azure DevOps organization",
        max_length=50,
        examples=["contoso"],
        json_schema_extra={"pattern": json_schema_pattern(ORGANIZATION)},
    ),
]


def _project_name(value: str) -> str:
    if has_bidi_controls(value):
        raise ValueError("must not have characters that change the direction of text")
    if not project_name_key(value):
        raise ValueError("must have visible characters")
    return value


# Names that look alike are one project, so names that imitate another one are refused.
ProjectName = Annotated[Text64, AfterValidator(_project_name)]


class RunningTimer(WireModel):
    id: str
    user_id: str
    organization: str
    project: str
    work_item_id: int
    started_at: Instant
    existing_hours: float | None = None
    note: str | None = None
    elapsed_ms: ElapsedMs

    @classmethod
    def of(cls, timer: model.RunningTimer, *, user: uuid.UUID, now: dt.datetime) -> Self:
        """`user` is the person's id on the wire; the elapsed time is until `now`."""
        hours = timer.existing_hours
        return cls(
            id=str(timer.id),
            user_id=str(user),
            organization=timer.work_item.organization,
            project=timer.work_item.project,
            work_item_id=timer.work_item.work_item_id,
            started_at=timer.started_at,
            existing_hours=None if hours is None else float(hours),
            note=timer.note,
            elapsed_ms=max(0, (now - timer.started_at) // dt.timedelta(milliseconds=1)),
        )


class EntryDay(WireModel):
    date: dt.date
    elapsed_ms: ElapsedMs


class TimeEntry(WireModel):
    id: str
    user_id: str
    organization: str
    project: str
    work_item_id: int
    started_at: Instant
    stopped_at: Instant
    elapsed_ms: ElapsedMs
    existing_hours: float | None = None
    note: str | None = None
    source: model.Source
    needs_review: bool
    version: int = Field(description="also the ETag, for If-Match")
    days: list[EntryDay]
    overlaps_with: list[str] | None = Field(
        None, description="up to 20 other entries of the person that overlap this one; the time counts in each"
    )
    is_adjustment: Literal[True] | None = Field(None, description="in the response to a change in a closed month")
    write_back: WriteBack | None = Field(
        None, description="status of the write-back to Completed Work; omitted for entries that are not written back"
    )
    write_back_reason: str | None = Field(None, description="code of the problem")
    write_back_detail: str | None = Field(None, description="the problem in plain text, for the person")
    write_back_help: Help | None = Field(None, description="the people who can solve the problem")

    @classmethod
    def of(
        cls,
        entry: model.TimeEntry,
        *,
        user: uuid.UUID,
        overlaps: Iterable[uuid.UUID] = (),
        is_adjustment: bool = False,
        progress: WriteBackProgress | None = None,
    ) -> Self:
        """`user` is the person's id on the wire."""
        hours = entry.existing_hours
        return cls(
            id=str(entry.id),
            user_id=str(user),
            organization=entry.work_item.organization,
            project=entry.work_item.project,
            work_item_id=entry.work_item.work_item_id,
            started_at=entry.started_at,
            stopped_at=entry.stopped_at,
            elapsed_ms=entry.elapsed_ms,
            existing_hours=None if hours is None else float(hours),
            note=entry.note,
            source=entry.source,
            needs_review=entry.needs_review,
            version=entry.version,
            days=[EntryDay(date=piece.date, elapsed_ms=piece.elapsed_ms) for piece in entry.days],
            overlaps_with=[str(other) for other in overlaps] or None,
            is_adjustment=True if is_adjustment else None,
            **_write_back_fields(progress),
        )


def _write_back_fields(progress: WriteBackProgress | None) -> dict[str, Any]:
    if progress is None:
        return {}
    return {
        "write_back": progress.state,
        "write_back_reason": progress.reason,
        "write_back_detail": progress.detail,
        "write_back_help": progress.help,
    }
