"""A work item's write-back on the wire."""

from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field

from shared.http.wire import ElapsedMs, WireModel
from timers.write_back.model import DONE, Help, WriteBack, hours_of
from timers.write_back.summary_store import Page


class NotCounted(WireModel):
    """Time from before the write-back was turned on. It counts once somebody asks for its entries to be written."""

    entries: int
    elapsed_ms: ElapsedMs


class WorkItemWriteBack(WireModel):
    organization: str
    work_item_id: int
    state: WriteBack
    reason: str | None = Field(None, description="why not all is there, as a stable code")
    detail: str | None = Field(None, description="and in words, for the person")
    help: Help | None = Field(None, description="who can do something about it")
    target_hours: float = Field(description="the sum of the entries that count, rounded once")
    written_hours: float = Field(description="what was really added to Completed Work so far")
    missing_hours: float | None = Field(None, description="what could not be taken, since Completed Work was lower")
    shown_hours: float | None = Field(None, description="Completed Work in Azure DevOps now; with your token")
    drift_hours: float | None = Field(None, description="what others changed of it since the last write")
    not_counted: NotCounted

    @classmethod
    def of(cls, page: Page, *, is_on: bool, asked: bool, shown: Decimal | None) -> Self:
        """`shown` is Completed Work now, where Azure DevOps was asked."""
        standing = DONE if page.newest is None else page.newest.standing(is_on=is_on)
        missing = page.balance.missing
        drift = None if not asked or page.last_seen is None else float((shown or Decimal(0)) - page.last_seen)
        return cls(
            organization=page.place.organization,
            work_item_id=page.place.number,
            state=standing.state,
            reason=standing.reason,
            detail=standing.detail,
            help=standing.help,
            target_hours=float(hours_of(page.target_ms)),
            written_hours=float(page.balance.written),
            missing_hours=float(missing) if missing else None,
            shown_hours=float(shown) if asked and shown is not None else None,
            drift_hours=drift,
            not_counted=NotCounted(entries=page.uncounted_entries, elapsed_ms=page.uncounted_ms),
        )


class WriteBackWorkItem(WireModel):
    take_missing: Annotated[
        bool,
        Field(description="also take what could not be taken before: it may be hours that others entered since"),
    ] = False
    trust_written: Annotated[
        bool,
        Field(
            description="you have compared Completed Work with `writtenHours`: after a restore of the database the "
            "item's history is not looked through for hours that were written meanwhile"
        ),
    ] = False
