"""Lists and changes of time entries on the wire."""

import datetime as dt
import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.config import JsonDict

from shared.http.paging import NEXT_LINK, PageQuery
from shared.http.wire import (
    DateInput,
    Flag,
    Instant,
    InstantInput,
    Note,
    PersonName,
    Reason,
    Text64,
    WireModel,
    allow_null,
)
from timers.entries.free_time_rules import TimeRange
from timers.entries.free_time_service import DayDuration
from timers.entries.service import Correction, ManualEntry
from timers.model import Source
from timers.schemas import MAX_WORK_ITEM_ID, Organization, ProjectName, TimeEntry, WorkItemId


MAX_DAYS = 366
_ENTRY: Final[JsonDict] = {
    "organization": "contoso",
    "project": "Website",
    "workItemId": 42,
    "startedAt": "2026-11-23T08:00:00Z",
    "stoppedAt": "2026-11-23T09:30:00Z",
    "note": "Review of the design",
}
_ENTRY_BY_DURATION: Final[JsonDict] = {
    "organization": "contoso",
    "project": "Website",
    "workItemId": 42,
    "date": "2026-11-23",
    "elapsedMs": 5_400_000,
}
MAX_ELAPSED_MS: Final = 24 * 60 * 60 * 1000
_MOST_ITEMS: Final = 50
_NUMBER: Final = re.compile(r"\A0*[1-9][0-9]{0,9}\Z")


def _parse_work_items(value: Any) -> tuple[int, ...]:  # noqa: ANN401 - input before validation
    words = str(value).split(",")
    if len(words) > _MOST_ITEMS or not all(_NUMBER.match(word) and int(word) <= MAX_WORK_ITEM_ID for word in words):
        raise ValueError(f"must be numbers of work items, at most {_MOST_ITEMS}, separated by commas")
    return tuple(sorted({int(word) for word in words}))


WorkItemIds = Annotated[
    tuple[int, ...],
    PlainValidator(_parse_work_items),
    PlainSerializer(lambda ids: ",".join(map(str, ids)), return_type=str),
    WithJsonSchema(
        {
            "type": "array",
            "items": {"type": "integer", "minimum": 1, "maximum": MAX_WORK_ITEM_ID},
            "minItems": 1,
            "maxItems": _MOST_ITEMS,
        }
    ),
]


class EntriesQuery(PageQuery):
    user: str | None = Field(None, description="`me`, or for admins the id of a person; only their entries")
    organization: Organization | None = Field(
        None, description="name of an Azure DevOps organization; only its entries"
    )
    project: Text64 | None = Field(
        None, description="name of a project; only its entries, and those of projects joined with it"
    )
    work_item_id: WorkItemIds | None = Field(
        None,
        description="number of a work item, or several, separated by commas; only their entries",
        examples=[42, "42,57"],
    )
    from_: DateInput | None = Field(
        None,
        alias="from",
        description="first day; the range has at most 366 days, and an entry is in it if one of its days is",
    )
    to: DateInput | None = Field(None, description="last day; required with `from`", validate_default=True)
    needs_review: Flag | None = None
    write_back: Literal["pending", "failed", "short", "noField"] | None = Field(
        None, description="only entries whose write-back has this status"
    )

    source: Source | None = None
    changed_since: InstantInput | None = Field(
        None,
        description="only entries that were added or changed since this time, oldest change first; for synchronization",
    )

    @property
    def days(self) -> tuple[dt.date, dt.date] | None:
        return None if self.from_ is None or self.to is None else (self.from_, self.to)

    @field_validator("to", mode="after")
    @classmethod
    def _range(cls, to: dt.date | None, info: ValidationInfo) -> dt.date | None:
        first = info.data.get("from_")
        if (first is None) != (to is None):
            raise ValueError("must be given together with from")
        if first is not None and to is not None and not 0 <= (to - first).days < MAX_DAYS:
            raise ValueError(f"must be from 0 to {MAX_DAYS - 1} days after from")
        return to


class EntryOfUser(TimeEntry):
    user: PersonName

    @classmethod
    def of_listed(cls, entry: TimeEntry, name: str) -> Self:
        """An entry in a list, with its person's name."""
        return cls(**dict(entry), user=PersonName(id=entry.user_id, display_name=name))


class EntriesPage(WireModel):
    items: list[EntryOfUser]
    next_link: str | None = NEXT_LINK
    next_changed_since: Instant | None = Field(
        None, description="`changedSince` of the next synchronization, on the first page of one"
    )


class AddEntry(WireModel):
    """Either `startedAt` and `stoppedAt`, or `date` and `elapsedMs`."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ENTRY, _ENTRY_BY_DURATION]})

    organization: Organization
    project: ProjectName = Field(examples=["Website"])
    work_item_id: WorkItemId
    date: DateInput | None = Field(None, description="day of the work, in the tenant's time zone")
    elapsed_ms: Annotated[int, Field(ge=1, le=MAX_ELAPSED_MS)] | None = Field(
        None, description="duration of the work on that day, in whole milliseconds"
    )
    started_at: InstantInput | None = None
    stopped_at: InstantInput | None = None
    note: Note | None = None
    user_id: str | None = Field(None, description="id of the person, for admins; yourself if omitted")

    @model_validator(mode="after")
    def _require_time(self) -> Self:
        given = [each is not None for each in (self.started_at, self.stopped_at, self.date, self.elapsed_ms)]
        if given not in ([True, True, False, False], [False, False, True, True]):
            raise ValueError("must have either startedAt and stoppedAt, or date and elapsedMs")
        return self

    def to_manual_entry(self) -> ManualEntry:
        return ManualEntry(self.organization, self.project, self.work_item_id, self._time, self.note)

    @property
    def _time(self) -> TimeRange | DayDuration:
        if self.date is not None and self.elapsed_ms is not None:
            return DayDuration(self.date, self.elapsed_ms)
        assert self.started_at is not None, "required without a date"  # noqa: S101 - narrows the type
        assert self.stopped_at is not None, "required without a date"  # noqa: S101 - as above
        return TimeRange(self.started_at, self.stopped_at)


class CorrectEntry(WireModel):
    """Omitted fields stay as they are, except that null deletes the note."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"note": "Review of the design", "reason": "The note was missing"}]}
    )

    started_at: InstantInput | None = None
    stopped_at: InstantInput | None = None
    project: ProjectName | None = None
    work_item_id: WorkItemId | None = None
    note: Note | None = Field(None, description="null deletes it", json_schema_extra=allow_null)
    needs_review: Literal[False] | None = Field(None, description="confirms that the entry is correct")
    reason: Reason | None = Field(
        None, description="reason of the correction; optional for a confirmation, and for the note of your own entry"
    )

    @model_validator(mode="after")
    def _require_change(self) -> Self:
        if not self.model_fields_set - {"reason"}:
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
    reason: Reason = Field(description="reason of the deletion, for the timer log")


class DeleteEntryQuery(WireModel):
    reason: Reason = Field(description="reason of the deletion, for the timer log")
