"""The write-back as values: progress of entries, the balance of a work item, attempts to write. Hours are Decimal."""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Final


_MS_PER_HOUR: Final = 3_600_000
_PLACES: Final = Decimal("0.0001")  # of an hour: a third of a second
_ZERO: Final = Decimal(0)
_ROUNDED_ONE_BY_ONE: Final = Decimal("0.0005")  # writes before the ledger were rounded one by one
_NO_BATCH: Final = 0


class WriteBack(StrEnum):
    """The status of hours that are written to Completed Work."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    SHORT = "short"
    NO_FIELD = "noField"


class AttemptState(StrEnum):
    """The outcome of an attempt: `open` until it is known, `lost` if another revision took its place."""

    OPEN = "open"
    LANDED = "landed"
    LOST = "lost"


class Help(StrEnum):
    """The people who can solve a problem of the write-back."""

    ANYBODY = "anybody"  # by trying again
    SOMEBODY_ELSE = "somebodyElse"  # with permission to change the work item in Azure DevOps
    SUPER_ADMIN = "superAdmin"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class WriteBackProgress:
    """The status of a write-back; `reason` is a stable code, `detail` a text for the person."""

    state: WriteBack
    reason: str | None = None
    detail: str | None = None
    help: Help | None = None


_REASONS: Final[dict[str, tuple[WriteBack, Help, str]]] = {
    "not_sent": (
        WriteBack.PENDING,
        Help.ANYBODY,
        (
            "These hours are not in Azure DevOps yet. They are written with the next change of time on this work item, "
            "or when somebody opens the work item in Azure DevOps and retries."
        ),
    ),
    "interrupted": (
        WriteBack.PENDING,
        Help.ANYBODY,
        "Writing the hours to Azure DevOps was interrupted. Nothing is lost; try again.",
    ),
    "work_item_changed": (
        WriteBack.PENDING,
        Help.ANYBODY,
        "Other people kept changing this work item in Azure DevOps at the same moment. Nothing is lost; try again.",
    ),
    "azure_devops_throttled": (
        WriteBack.PENDING,
        Help.ANYBODY,
        "Azure DevOps has received too many requests. Try again in a few minutes.",
    ),
    "azure_devops_unavailable": (
        WriteBack.PENDING,
        Help.ANYBODY,
        "Azure DevOps is not responding. Nothing is lost; try again in a moment.",
    ),
    "azure_devops_outcome_unknown": (
        WriteBack.PENDING,
        Help.ANYBODY,
        "Azure DevOps did not confirm that it saved the hours. Try again; they are written only once.",
    ),
    "write_back_off": (
        WriteBack.PENDING,
        Help.SUPER_ADMIN,
        (
            "Writing hours to Azure DevOps is turned off for your organization. Once a super admin turns it on again, "
            "changes made in the meantime are written too."
        ),
    ),
    "organization_inactive": (
        WriteBack.FAILED,
        Help.SUPER_ADMIN,
        (
            "This work item belongs to an Azure DevOps organization that is no longer active in TimeTracker. A super "
            "admin can activate it again."
        ),
    ),
    "azure_devops_sign_in_required": (
        WriteBack.FAILED,
        Help.ANYBODY,
        (
            "Azure DevOps did not accept the sign-in of the last person who tried. Reload the page in Azure DevOps and "
            "try again."
        ),
    ),
    "azure_devops_forbidden": (
        WriteBack.FAILED,
        Help.SOMEBODY_ELSE,
        (
            "The last person who tried has no permission to change this work item in Azure DevOps. Ask somebody with "
            "that permission to retry."
        ),
    ),
    "work_item_not_found": (
        WriteBack.FAILED,
        Help.SOMEBODY_ELSE,
        (
            "Azure DevOps has no such work item, or the last person who tried has no permission to see it. Check the "
            "number, or ask somebody with permission to retry."
        ),
    ),
    "azure_devops_rejected": (
        WriteBack.FAILED,
        Help.SOMEBODY_ELSE,
        (
            "A rule of the project in Azure DevOps does not allow these hours on the work item. Ask the project's "
            "administrator, then try again."
        ),
    ),
    "not_taken": (
        WriteBack.FAILED,
        Help.SOMEBODY_ELSE,
        (
            "Azure DevOps accepted the change but did not change Completed Work. Ask the project's administrator which "
            "rule prevents it, then try again."
        ),
    ),
    "not_verified": (
        WriteBack.FAILED,
        Help.ANYBODY,
        (
            "TimeTracker was restored from a backup, and this work item has changed too often to tell which hours were "
            "written after that backup. Nothing was written. Compare Completed Work with the hours that TimeTracker "
            "shows as written, correct Completed Work, and confirm it on the work item."
        ),
    ),
    "no_field": (
        WriteBack.NO_FIELD,
        Help.NOBODY,
        "Work items of this type have no Completed Work in Azure DevOps. The hours stay in TimeTracker only.",
    ),
    "short": (
        WriteBack.SHORT,
        Help.ANYBODY,
        (
            "{short} h could not be subtracted, since Completed Work was already lower. Hours that other people add "
            "later stay, unless somebody chooses on the work item to subtract the rest."
        ),
    ),
}
_URGENCY: Final = (WriteBack.FAILED, WriteBack.PENDING, WriteBack.NO_FIELD, WriteBack.SHORT, WriteBack.DONE)
DONE: Final = WriteBackProgress(WriteBack.DONE)


def progress_for(reason: str, *, short: Decimal = _ZERO) -> WriteBackProgress:
    """The progress of hours that are not written, with the text for the reason; `short` is the number in its text."""
    state, help_, text = _REASONS.get(reason, _REASONS["interrupted"])
    return WriteBackProgress(state, reason, text.format(short=format_hours(short)), help_)


def hours_of(milliseconds: int) -> Decimal:
    """Hours with four places, as they are written to Completed Work."""
    return (Decimal(milliseconds) / _MS_PER_HOUR).quantize(_PLACES)


def to_places(hours: Decimal) -> Decimal:
    return hours.quantize(_PLACES)


def format_hours(hours: Decimal, *, signed: bool = False) -> str:
    text = f"{hours:+.4f}" if signed else f"{hours:.4f}"
    return text.rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class Balance:
    """A work item's target (the sum of its entries) and the hours that were written; hours have four places."""

    target_ms: int
    written: Decimal
    lowest: Decimal  # `written` when the field reached 0: hours in the field since then are other people's
    is_migrated: bool = False

    @property
    def pending(self) -> Decimal:
        """Hours not yet written; rounded once, on the sum."""
        return hours_of(self.target_ms) - self.written

    @property
    def short(self) -> Decimal:
        """Hours that could not be subtracted, less those added since."""
        return max(_ZERO, self.lowest - hours_of(self.target_ms))

    def to_send(self, *, takes_short: bool = False) -> Decimal:
        """Hours to add to Completed Work. Short hours are subtracted only if a person asks for it."""
        pending = self.pending
        if self.is_migrated and abs(pending) < _ROUNDED_ONE_BY_ONE:
            return _ZERO
        return pending if pending > 0 or takes_short else min(_ZERO, max(pending, self.lowest - self.written))

    def after(self, attempt: "Attempt", difference: Decimal) -> "Balance":
        """The balance after an attempt that changed the field by this difference."""
        written, lowest = self.written + difference, self.lowest
        if difference == attempt.difference and attempt.is_cut:
            lowest = written
        elif written < lowest:  # a person asked for the short hours, and all of them were in the field
            lowest = _ZERO
        return replace(self, written=written, lowest=lowest)


@dataclass(frozen=True, slots=True)
class Remaining:
    """Remaining Work before and after a write."""

    before: Decimal
    after: Decimal

    def hours_from(self, shown: Decimal | None) -> Decimal:
        """Remaining Work to send, where the field shows this, maybe with more than four places."""
        return _ZERO if self.after == 0 else (shown or _ZERO) + self.after - self.before


@dataclass(frozen=True, slots=True)
class Attempt:
    """A write of the revision after `revision`, recorded before it is sent. Hours have four places."""

    number: int
    revision: int
    before: Decimal
    after: Decimal
    short_after: Decimal
    batch: int
    remaining: Remaining | None = None
    legacy_mark: uuid.UUID | None = None

    @property
    def difference(self) -> Decimal:
        return self.after - self.before

    @property
    def is_cut(self) -> bool:
        """Whether the field is set to 0, since it has fewer hours than are to be subtracted."""
        return self.after == 0 and self.short_after > 0

    def hours_from(self, shown: Decimal | None) -> Decimal:
        """Completed Work to send, where the field shows this, maybe with more than four places."""
        if self.is_cut:
            return _ZERO
        after = (shown or _ZERO) + self.difference
        return max(_ZERO, after) if self.difference < 0 else after  # the rounded difference may exceed the field


def plan_attempt(
    revision: int, shown: Decimal | None, send: Decimal, *, number: int, batch: int, short: Decimal
) -> Attempt:
    """The attempt that adds `send` to Completed Work, which shows `shown`; it never falls below 0.

    `short` is the hours that could not be subtracted before; the attempt adds its own to them.
    """
    before = shown or _ZERO
    if send > 0:
        difference = send
        short = _ZERO
    else:
        lowest = min(before, _ZERO)  # a negative value was entered by somebody and is not raised
        difference = to_places(max(lowest, before + send) - before)
        short += difference - send
    rounded = to_places(before)
    return Attempt(number, revision, rounded, rounded + difference, short, batch)


def remaining_after(before: Decimal, difference: Decimal, *, taken: Decimal) -> Decimal:
    """Remaining Work after a change of Completed Work: less by added hours, more by subtracted ones up to `taken`."""
    return max(_ZERO, before - difference) if difference > 0 else before + min(-difference, taken)


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an entry's time on a work item, with the item's status; None for an item without any attempt."""

    item: tuple[int, int]  # organization and work item
    delta_ms: int
    batch: int | None
    is_active: bool  # of the organization
    state: WriteBack | None
    reason: str | None
    settled_batch: int | None
    short_batch: int | None
    balance: Balance | None
    has_open_attempt: bool = False  # of the item

    @property
    def is_settled(self) -> bool:
        return self.batch is not None and self.batch <= (self.settled_batch or _NO_BATCH)

    def progress(self, *, is_on: bool) -> WriteBackProgress:
        """The progress of this change; `is_on` is the tenant's setting."""
        if self.is_settled:
            return self._short or DONE
        if not self.is_active:
            return progress_for("organization_inactive")
        if not is_on:
            return progress_for("write_back_off")
        was_tried = self.batch is not None and self.state not in {WriteBack.DONE, WriteBack.SHORT}
        if self.reason is None or not (was_tried or self.state is WriteBack.NO_FIELD):
            return progress_for("not_sent")  # the reason is of an attempt before this change
        return progress_for(self.reason)

    @property
    def _short(self) -> WriteBackProgress | None:
        """The progress of a subtraction that was cut at 0; None for any other change."""
        if self.balance is None or self.short_batch is None or self.batch is None:
            return None
        is_cut = self.delta_ms < 0 and self.batch >= self.short_batch
        return progress_for("short", short=self.balance.short) if is_cut and self.balance.short else None


def progress_of_entry(changes: Iterable[Change], *, is_on: bool) -> WriteBackProgress:
    """The most urgent progress among an entry's changes: first problems, then pending hours.

    Changes of one item that were never written and add up to 0 are done. If the changes are on several items, as of a
    moved entry, the detail names the item.
    """
    pending: dict[tuple[int, int], list[Change]] = defaultdict(list)
    all_progress: list[tuple[WriteBackProgress, tuple[int, int] | None]] = []
    items: set[tuple[int, int]] = set()
    for each in changes:
        items.add(each.item)
        if each.is_settled:
            all_progress.append((each.progress(is_on=is_on), each.item))
        else:
            pending[each.item].append(each)
    for of_item in pending.values():
        if sum(each.delta_ms for each in of_item) or any(each.has_open_attempt for each in of_item):
            all_progress += [(each.progress(is_on=is_on), each.item) for each in of_item]
    first, item = min(all_progress, key=lambda each: _URGENCY.index(each[0].state), default=(DONE, None))
    if item is None or first.detail is None or len(items) == 1:
        return first
    return replace(first, detail=f"Work item {item[1]}: {first.detail}")
