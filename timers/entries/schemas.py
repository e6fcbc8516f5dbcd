"""Entries on the wire: what is asked for, entered and corrected."""

import datetime as dt
from typing import Annotated, Literal, Self
from urllib.parse import urlencode

from pydantic import Field, ValidationInfo, field_validator, model_validator

from shared.http.wire import DateInput, InstantInput, Note, Reason, Text64, WireModel
from timers.cursor import PageEnd
from timers.entries.service import Correction, Work
from timers.schemas import Organization, ProjectName, TimeEntry, WorkItemId


MOST_DAYS = 366
_DAYS_MEANT = "Both ends count, at most 366 days; an entry is in the range when one of its own days is"


class EntriesQuery(WireModel):
    user: str | None = Field(None, description="only this person's; for admins")
    organization: Organization | None = Field(None, description="only work items of this Azure DevOps organization")
    project: Text64 | None = Field(
        None, description="of this project and those that count as one with it; entries show the name they were given"
    )
    work_item_id: WorkItemId | None = None
    from_: DateInput | None = Field(None, alias="from", description=f"the first day. {_DAYS_MEANT}, as in the reports")
    to: DateInput | None = Field(None, description="the last day; from and to go together", validate_default=True)
    needs_review: bool | None = None
    write_back: Literal["pending", "failed", "short", "noField"] | None = Field(
        None, description="entries whose hours are not all in Completed Work, in this state"
    )
    after: str | None = Field(None, description="where the page before ended; nextLink carries it")
    page_size: Annotated[int, Field(ge=1, le=200)] = 50

    @property
    def days(self) -> tuple[dt.date, dt.date] | None:
        return None if self.from_ is None or self.to is None else (self.from_, self.to)

    @field_validator("to", mode="after")
    @classmethod
    def _range(cls, to: dt.date | None, info: ValidationInfo) -> dt.date | None:
        first = info.data.get("from_")
        if (first is None) != (to is None):
            raise ValueError("must be given together with from")
        if first is not None and to is not None and not 0 <= (to - first).days < MOST_DAYS:
            raise ValueError(f"must not be before from, nor more than {MOST_DAYS} days of range, both ends counted")
        return to

    def link_after(self, last: TimeEntry) -> str:
        """Where the page after that entry is."""
        parameters = {
            "user": self.user,
            "organization": self.organization,
            "project": self.project,
            "workItemId": self.work_item_id,
            "from": self.from_,
            "to": self.to,
            "needsReview": None if self.needs_review is None else str(self.needs_review).lower(),
            "writeBack": self.write_back,
            "pageSize": self.page_size,
            "after": str(PageEnd(last.id, last.started_at)),
        }
        return "/api/entries?" + urlencode({name: value for name, value in parameters.items() if value is not None})


class EntriesPage(WireModel):
    items: list[TimeEntry]
    next_link: str | None = Field(None, description="the next page; absent on the last")


class AddEntry(WireModel):
    organization: Organization
    project: ProjectName = Field(examples=["Website"])
    work_item_id: WorkItemId
    started_at: InstantInput
    stopped_at: InstantInput
    note: Note | None = None
    user_id: str | None = Field(None, description="whose work it was, if not your own; for admins")

    def to_work(self) -> Work:
        return Work(
            organization=self.organization,
            project=self.project,
            work_item_id=self.work_item_id,
            started_at=self.started_at,
            stopped_at=self.stopped_at,
            note=self.note,
        )


class CorrectEntry(WireModel):
    """What is absent or null stays as it is, but for the note, which null takes away."""

    started_at: InstantInput | None = None
    stopped_at: InstantInput | None = None
    project: ProjectName | None = None
    work_item_id: WorkItemId | None = None
    note: Note | None = None
    needs_review: Literal[False] | None = Field(None, description="the entry is right now, and needs no more review")
    reason: Reason | None = Field(None, description="why; required, but not where needsReview is all that is sent")

    @model_validator(mode="after")
    def _something(self) -> Self:
        given = {name for name in self.model_fields_set if getattr(self, name) is not None or name == "note"}
        if not given - {"reason"}:
            raise ValueError("must change something")
        return self

    def to_correction(self) -> Correction:
        return Correction(
            started_at=self.started_at,
            stopped_at=self.stopped_at,
            project=self.project,
            work_item_id=self.work_item_id,
            note=self.note,
            clears_note="note" in self.model_fields_set and self.note is None,
            confirms=self.needs_review is False,
            reason=self.reason,
        )


class DeleteEntry(WireModel):
    reason: Reason = Field(description="why; the log keeps it")


class DeleteEntryQuery(WireModel):
    reason: Reason = Field(description="why; the log keeps it")
