"""A work item's write-back on the wire."""

from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field

from shared.http.wire import ElapsedMs, WireModel
from timers.write_back.model import DONE, Help, WriteBack, hours_of
from timers.write_back.summary_store import Summary


class NotCounted(WireModel):
    """Time from before the write-back was turned on. It counts once somebody requests the write-back of its entries."""

    entries: int
    elapsed_ms: ElapsedMs


class WorkItemWriteBack(WireModel):
    organization: str
    work_item_id: int
    state: WriteBack
    reason: str | None = Field(None, description="code of the problem")
    detail: str | None = Field(None, description="the problem in plain text, for the person")
    help: Help | None = Field(None, description="the people who can solve the problem")
    target_hours: float = Field(description="sum of the entries that count")
    written_hours: float = Field(description="hours added to Completed Work so far")
    missing_hours: float | None = Field(
        None, description="hours that could not be subtracted, since Completed Work was lower"
    )
    shown_hours: float | None = Field(
        None, description="Completed Work in Azure DevOps now; only with an Azure DevOps token"
    )
    drift_hours: float | None = Field(
        None, description="difference between Completed Work now and after the last write"
    )
    not_counted: NotCounted

    @classmethod
    def of(cls, summary: Summary, *, is_on: bool, was_read: bool, shown: Decimal | None) -> Self:
        """`shown` is Completed Work now, if it `was_read` from Azure DevOps."""
        progress = DONE if summary.newest is None else summary.newest.progress(is_on=is_on)
        short = summary.balance.short
        drift = None if not was_read or summary.last_seen is None else float((shown or Decimal(0)) - summary.last_seen)
        return cls(
            organization=summary.item.organization,
            work_item_id=summary.item.number,
            state=progress.state,
            reason=progress.reason,
            detail=progress.detail,
            help=progress.help,
            target_hours=float(hours_of(summary.target_ms)),
            written_hours=float(summary.balance.written),
            missing_hours=float(short) if short else None,
            shown_hours=float(shown) if was_read and shown is not None else None,
            drift_hours=drift,
            not_counted=NotCounted(entries=summary.uncounted_entries, elapsed_ms=summary.uncounted_ms),
        )


class WriteBackWorkItem(WireModel):
    take_missing: Annotated[
        bool,
        Field(description="also subtract the missing hours; they may be hours that other people entered since"),
    ] = False
    trust_written: Annotated[
        bool,
        Field(
            description="you have compared Completed Work with `writtenHours`, so that the item's history is not "
            "checked for hours that were written before a restore of the database"
        ),
    ] = False
