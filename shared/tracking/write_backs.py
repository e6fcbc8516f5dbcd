"""What an entry owes to the Completed Work of its work item, in words: the debt, its state, the attempt."""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from shared.tracking.model import WorkItem


_MS_PER_HOUR: Final = 3_600_000
_PLACES: Final = Decimal("0.0001")  # of an hour: a third of a second


class WriteBack(StrEnum):
    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


_URGENCY: Final = (WriteBack.FAILED, WriteBack.PENDING, WriteBack.DONE)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A write that may have landed: Completed Work from `before` to `after`, as the revision after `revision`."""

    revision: int
    before: Decimal
    after: Decimal


@dataclass(frozen=True, slots=True)
class Debt:
    """Time of an entry that is owed to a work item, or to be taken from it when `delta_ms` is negative."""

    id: uuid.UUID
    entry_id: uuid.UUID
    work_item: WorkItem
    delta_ms: int
    state: WriteBack
    attempt: Attempt | None
    claimed_until: dt.datetime | None

    @property
    def mark(self) -> str:
        """What tells this write from any other in the work item's history."""
        return self.id.hex

    def attempt_at(self, revision: int, completed: Decimal | None) -> Attempt:
        """The write that pays this debt; Completed Work never goes below 0."""
        before = completed or Decimal(0)
        after = (before + Decimal(self.delta_ms) / _MS_PER_HOUR).quantize(_PLACES)
        return Attempt(revision, before, max(Decimal(0), after))


@dataclass(frozen=True, slots=True)
class Standing:
    """How far hours are; `reason` is a stable code, `detail` a sentence for the person."""

    state: WriteBack
    reason: str | None = None
    detail: str | None = None


NOT_SENT: Final = Standing(
    WriteBack.PENDING,
    "not_sent",
    "Not written to Azure DevOps yet. Send X-AzureDevOps-Token to have it written.",
)


def worst(standings: Sequence[Standing]) -> Standing:
    """Of all that an entry owes or owed, the one to look at: first what needs a person, then what is not done yet."""
    return min(standings, key=lambda each: _URGENCY.index(each.state))
