"""The write-back in words and numbers: what is owed to a work item, the write that pays it, and how far an entry is."""

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
_ROUNDED_ONE_BY_ONE: Final = Decimal("0.0005")  # by writes that were rounded each, not on their sum
_NOTHING_SETTLED: Final = 0


class WriteBack(StrEnum):
    """How far hours are on their way to Completed Work."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    SHORT = "short"
    NO_FIELD = "noField"


class Help(StrEnum):
    """Who can do something about hours that are not written."""

    ANYBODY = "anybody"  # who asks again
    SOMEBODY_ELSE = "somebodyElse"  # who may change the work item in Azure DevOps
    SUPER_ADMIN = "superAdmin"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Standing:
    """How far hours are; `reason` is a stable code, `detail` a sentence for the person."""

    state: WriteBack
    reason: str | None = None
    detail: str | None = None
    help: Help | None = None


_REASONS: Final[dict[str, tuple[WriteBack, Help, str]]] = {
    "not_sent": (
        WriteBack.PENDING,
        Help.ANYBODY,
        (
            "These hours are not in Azure DevOps yet. They are written with the next change of time on the work item, "
            "or when somebody asks for it from the extension in Azure DevOps."
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
        "Others changed this work item in Azure DevOps at the same moment, each time. Nothing is lost; try again.",
    ),
    "azure_devops_throttled": (
        WriteBack.PENDING,
        Help.ANYBODY,
        "Azure DevOps has had too many requests and asks for a pause. Try again in a few minutes.",
    ),
    "azure_devops_unavailable": (
        WriteBack.PENDING,
        Help.ANYBODY,
        "Azure DevOps does not answer right now. Nothing is lost; try again in a moment.",
    ),
    "azure_devops_outcome_unknown": (
        WriteBack.PENDING,
        Help.ANYBODY,
        (
            "Azure DevOps did not say whether it took the hours. Try again: the work item's history tells, and "
            "nothing is written twice."
        ),
    ),
    "write_back_off": (
        WriteBack.PENDING,
        Help.SUPER_ADMIN,
        (
            "Your organization has turned the write-back to Azure DevOps off. What changed meanwhile is put right "
            "when a super admin turns it on again."
        ),
    ),
    "organization_inactive": (
        WriteBack.FAILED,
        Help.SUPER_ADMIN,
        (
            "This work item is in an Azure DevOps organization that is not active here any more; a super admin "
            "can activate it again."
        ),
    ),
    "azure_devops_sign_in_required": (
        WriteBack.FAILED,
        Help.ANYBODY,
        (
            "Azure DevOps did not accept the sign-in of whoever tried last. Reload the page in Azure DevOps and try "
            "again."
        ),
    ),
    "azure_devops_forbidden": (
        WriteBack.FAILED,
        Help.SOMEBODY_ELSE,
        (
            "Whoever tried last may not change this work item in Azure DevOps. Anybody who may can have the hours "
            "written."
        ),
    ),
    "work_item_not_found": (
        WriteBack.FAILED,
        Help.SOMEBODY_ELSE,
        (
            "Azure DevOps has no such work item, or whoever tried last may not see it. Check its number; anybody who "
            "may change it can have the hours written."
        ),
    ),
    "azure_devops_rejected": (
        WriteBack.FAILED,
        Help.SOMEBODY_ELSE,
        (
            "A rule of the project in Azure DevOps refuses the hours on this work item. Ask the project's "
            "administrator, then try again."
        ),
    ),
    "not_taken": (
        WriteBack.FAILED,
        Help.SOMEBODY_ELSE,
        (
            "Azure DevOps took the change and left Completed Work as it was. Ask the project's administrator for the "
            "rule that does so, then try again."
        ),
    ),
    "not_verified": (
        WriteBack.FAILED,
        Help.ANYBODY,
        (
            "TimeTracker's database was restored from a backup, and this work item has changed too often since to tell "
            "which hours were written to it meanwhile. Nothing was written. Compare Completed Work with the hours that "
            "TimeTracker says it has written, put it right, and say so on the work item."
        ),
    ),
    "no_field": (
        WriteBack.NO_FIELD,
        Help.NOBODY,
        (
            "Work items of this type have no Completed Work in Azure DevOps. The hours stay in TimeTracker, and "
            "nobody has to do anything."
        ),
    ),
    "short": (
        WriteBack.SHORT,
        Help.ANYBODY,
        (
            "{short} h could not be taken from Completed Work, which was lower already. Hours that others enter later "
            "stay theirs, unless somebody asks on the work item to have the rest taken."
        ),
    ),
}
_URGENCY: Final = (WriteBack.FAILED, WriteBack.PENDING, WriteBack.NO_FIELD, WriteBack.SHORT, WriteBack.DONE)
DONE: Final = Standing(WriteBack.DONE)


def because(reason: str, *, short: Decimal = _ZERO) -> Standing:
    """Where hours are that are not written for a reason, in the words for it; `short` are the hours of `short`."""
    state, help_, sentence = _REASONS.get(reason, _REASONS["interrupted"])
    return Standing(state, reason, sentence.format(short=spelled(short)), help_)


def hours_of(milliseconds: int) -> Decimal:
    """Hours as Completed Work has them, with four places."""
    return (Decimal(milliseconds) / _MS_PER_HOUR).quantize(_PLACES)


def to_places(hours: Decimal) -> Decimal:
    return hours.quantize(_PLACES)


def spelled(hours: Decimal, *, signed: bool = False) -> str:
    text = f"{hours:+.4f}" if signed else f"{hours:.4f}"
    return text.rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class Balance:
    """What entries say a work item has of theirs, and what was really written; hours have four places."""

    target_ms: int
    written: Decimal
    lowest: Decimal  # what was written when the field was taken to 0: what came there later is others'
    is_migrated: bool = False

    @property
    def owed(self) -> Decimal:
        """Rounded once, on the sum."""
        return hours_of(self.target_ms) - self.written

    @property
    def missing(self) -> Decimal:
        """What could not be taken, after what was added since is set against it."""
        return max(_ZERO, self.lowest - hours_of(self.target_ms))

    def to_send(self, *, takes_missing: bool = False) -> Decimal:
        """What to add to Completed Work. What was missing once is taken only when a person asks for it."""
        owed = self.owed
        if self.is_migrated and abs(owed) < _ROUNDED_ONE_BY_ONE:
            return _ZERO
        return owed if owed > 0 or takes_missing else min(_ZERO, max(owed, self.lowest - self.written))

    def landed(self, attempt: "Attempt", moved: Decimal) -> "Balance":
        """The balance after a write that moved the field by so much."""
        written, lowest = self.written + moved, self.lowest
        if moved == attempt.moves and attempt.is_cut:
            lowest = written
        elif written < lowest:  # a person asked for what was missing, and all of it was there
            lowest = _ZERO
        return replace(self, written=written, lowest=lowest)


@dataclass(frozen=True, slots=True)
class Remaining:
    """Remaining Work as it was read, and as it is to be."""

    before: Decimal
    after: Decimal

    def hours_from(self, shown: Decimal | None) -> Decimal:
        """Remaining Work to send where it shows this, maybe with more places than are kept."""
        return _ZERO if self.after == 0 else (shown or _ZERO) + self.after - self.before


@dataclass(frozen=True, slots=True)
class Attempt:
    """A write that may have landed, as the revision after `revision`. Its hours have four places and differ exactly."""

    number: int
    revision: int
    before: Decimal
    after: Decimal
    short_after: Decimal
    batch: int
    remaining: Remaining | None = None
    legacy_mark: uuid.UUID | None = None

    @property
    def moves(self) -> Decimal:
        return self.after - self.before

    @property
    def is_cut(self) -> bool:
        """Whether the field is taken to 0, and there is less in it than is to be taken."""
        return self.after == 0 and self.short_after > 0

    def hours_from(self, shown: Decimal | None) -> Decimal:
        """Completed Work to send where it shows this, maybe with more places than are kept."""
        if self.is_cut:
            return _ZERO
        after = (shown or _ZERO) + self.moves
        return max(_ZERO, after) if self.moves < 0 else after  # the move is rounded and may be more than there is


def attempt_at(
    revision: int, shown: Decimal | None, send: Decimal, *, number: int, batch: int, short: Decimal
) -> Attempt:
    """The write that adds `send` where Completed Work shows this; it never falls below 0.

    `short` is what could not be taken before and is not tried again; what the 0 cuts off comes on top.
    """
    before = shown or _ZERO
    if send > 0:
        moves = send
        short = _ZERO
    else:
        lowest = min(before, _ZERO)  # somebody may have typed less than 0, which is not ours to raise
        moves = to_places(max(lowest, before + send) - before)
        short += moves - send
    kept = to_places(before)
    return Attempt(number, revision, kept, kept + moves, short, batch)


def remaining_after(before: Decimal, moves: Decimal, *, taken: Decimal) -> Decimal:
    """Remaining Work once Completed Work moved: lowered by what is added, and given back what was taken, no more."""
    return max(_ZERO, before - moves) if moves > 0 else before + min(-moves, taken)


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an entry's time on a work item, with how far that item is; None for one that nothing was sent to."""

    item: tuple[int, int]  # organization and work item
    delta_ms: int
    batch: int | None
    is_active: bool  # whether hours are sent to the item's organization
    state: WriteBack | None
    reason: str | None
    settled_batch: int | None
    short_batch: int | None
    balance: Balance | None
    may_land: bool = False  # whether a write of the item is under way, for all that is known

    @property
    def is_settled(self) -> bool:
        return self.batch is not None and self.batch <= (self.settled_batch or _NOTHING_SETTLED)

    def standing(self, *, is_on: bool) -> Standing:
        """How far this change is, where the tenant has the write-back on or off."""
        if self.is_settled:
            return self._short or DONE
        if not self.is_active:
            return because("organization_inactive")
        if not is_on:
            return because("write_back_off")
        was_tried = self.batch is not None and self.state not in {WriteBack.DONE, WriteBack.SHORT}
        if self.reason is None or not (was_tried or self.state is WriteBack.NO_FIELD):
            return because("not_sent")  # what another person's try met is not this one's
        return because(self.reason)

    @property
    def _short(self) -> Standing | None:
        """Where this change took away what was not all there to be taken."""
        if self.balance is None or self.short_batch is None or self.batch is None:
            return None
        took = self.delta_ms < 0 and self.batch >= self.short_batch
        return because("short", short=self.balance.missing) if took and self.balance.missing else None


def standing_of(changes: Iterable[Change], *, is_on: bool) -> Standing:
    """Of all changes of an entry, the one to look at: first what needs a person, then what is not done yet.

    Changes of one item that were never written and cancel out have nothing to wait for. Where the changes are on more
    than one item, as of an entry that moved, the detail names the item.
    """
    waiting: dict[tuple[int, int], list[Change]] = defaultdict(list)
    standings: list[tuple[Standing, tuple[int, int] | None]] = []
    items: set[tuple[int, int]] = set()
    for each in changes:
        items.add(each.item)
        if each.is_settled:
            standings.append((each.standing(is_on=is_on), each.item))
        else:
            waiting[each.item].append(each)
    for of_item in waiting.values():
        if sum(each.delta_ms for each in of_item) or any(each.may_land for each in of_item):
            standings += [(each.standing(is_on=is_on), each.item) for each in of_item]
    first, item = min(standings, key=lambda each: _URGENCY.index(each[0].state), default=(DONE, None))
    if item is None or first.detail is None or len(items) == 1:
        return first
    return replace(first, detail=f"Work item {item[1]}: {first.detail}")
