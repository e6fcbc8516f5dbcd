"""Brings Completed Work of a work item to what its entries say, so that each hour is written once, whatever gets lost.

A write is pinned to the revision that was read, and put down before it is sent. Where its answer is lost, the work
item's history tells whether it landed, by its mark; nothing is computed anew before that is known. Each step is a
transaction of its own, and none is open while Azure DevOps is asked.
"""

import datetime as dt
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum, auto
from typing import Final, TypeVar

import sqlalchemy as sa

from shared.app import App
from shared.db.retry import for_requests
from shared.jobs import transact
from shared.restore.flow import find_active_installation
from shared.restore.model import Installation
from shared.tenancy.model import Tenant
from timers.azure_devops.client import AzureDevOpsSession
from timers.azure_devops.errors import (
    AzureDevOpsError,
    AzureDevOpsForbidden,
    AzureDevOpsUnavailable,
    OutcomeUnknown,
    Rejected,
    Throttled,
    WorkItemChanged,
    WorkItemNotFound,
)
from timers.azure_devops.model import WorkItem
from timers.write_back import adoption_store
from timers.write_back import item_store as store
from timers.write_back.check_flow import History, NotVerified, first_epoch
from timers.write_back.item_store import Item, Outcome, Place, Turn
from timers.write_back.model import Attempt, Remaining, WriteBack, attempt_at, remaining_after, spelled, to_places


T = TypeVar("T")
CLAIM: Final = dt.timedelta(seconds=60)  # longer than anybody waits for Azure DevOps
_PINS: Final = 2  # a write that met somebody else's is computed anew once
_SENDS: Final = 4
_ROUNDS: Final = 20  # of changes that others make meanwhile; theirs are taken along
_ZERO: Final = Decimal(0)
# Of a sign-in page nobody knows whether it came in the place of the answer; these say that nothing was written.
_SURELY_REFUSED: Final = (AzureDevOpsForbidden, WorkItemNotFound, Rejected, Throttled, AzureDevOpsUnavailable)


class Fate(Enum):
    """What became of a write: another revision took its place, or it may still land."""

    LOST = auto()
    OPEN = auto()


_SETTLED: Final = Outcome(WriteBack.DONE, settles=True)
_SHORT: Final = Outcome(WriteBack.SHORT, "short", settles=True)
_INTERRUPTED: Final = Outcome(WriteBack.PENDING, "interrupted")
_CONFLICT: Final = Outcome(WriteBack.PENDING, WorkItemChanged.code)
_NOT_TAKEN: Final = Outcome(WriteBack.FAILED, "not_taken")
_NOT_VERIFIED: Final = Outcome(WriteBack.FAILED, "not_verified")
_NO_FIELD: Final = Outcome(WriteBack.NO_FIELD, "no_field")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asks for on a work item, in one try.

    `takes_missing`: what could not be taken before. `trusts_written`: they have compared Completed Work with what is on
    record as written, so that the history need not tell.
    """

    takes_missing: bool = False
    trusts_written: bool = False


_NOTHING_SPECIAL: Final = Asked()


def write_back(app: App, tenant: Tenant, entry_id: uuid.UUID, session: Callable[[str], AzureDevOpsSession]) -> None:
    """Brings the work items of an entry's changes up to date, as far as that goes now; the rows tell how far.

    `session` gives the caller's own way into an organization of that name, all within one time budget.
    """
    places = _transact(app, tenant, lambda tx: store.open_places(tx, tenant.id, entry_id), reads_only=True)
    for place in places:
        write_back_item(app, tenant, place, session)


def write_back_item(
    app: App,
    tenant: Tenant,
    place: Place,
    session: Callable[[str], AzureDevOpsSession],
    asked: Asked = _NOTHING_SPECIAL,
) -> None:
    """Brings one work item up to date, unless the database came back from a backup that nobody has accepted yet."""
    if not place.is_active or not tenant.write_back:
        return
    installation = find_active_installation(app)
    if installation is None:
        return
    public_id = uuid.uuid5(tenant.public_id, f"{place.organization_id}/{place.number}")
    turn = Turn(tenant.id, place, public_id, app.new_id())
    _Writing(app, tenant, turn, session(place.organization), installation, asked, asked.takes_missing).run()


class _NoField(Exception):
    """The type of the work item has no place for hours."""


class _NotMyTurn(Exception):
    """It took too long, and somebody else has taken over: they go on from the rows."""


@dataclass(slots=True)
class _Writing:
    app: App
    tenant: Tenant
    turn: Turn
    azure: AzureDevOpsSession
    installation: Installation
    asked: Asked
    takes_missing: bool

    def run(self) -> None:
        now = self.app.now()
        until, epoch = now + CLAIM, first_epoch(self.installation, now)
        if not self._transact(lambda tx: self.turn.begin(tx, now=now, until=until, checked_epoch=epoch)):
            return  # somebody else writes this item now, and takes along what is new
        with suppress(_NotMyTurn):
            self._rounds()

    def _rounds(self) -> None:
        """Writes until nothing is new, and gives the turn back with what came of it."""
        outcome, is_over = _INTERRUPTED, False
        try:
            item = self._transact(lambda tx: self._folded(tx)[0])
            for _ in range(_ROUNDS):
                outcome = self._settled(item)
                if not outcome.settles:
                    return
                end, outcome = outcome, _INTERRUPTED
                more = self._transact(lambda tx, of=item, as_=end: self._ended_unless_new(tx, of, as_))  # type: ignore[misc]
                if more is None:
                    is_over = True
                    return
                item = more
        finally:
            if not is_over:
                why = outcome
                self._transact(lambda tx: self.turn.end(tx, why, now=self.app.now()))

    def _settled(self, item: Item) -> Outcome:
        """What comes of having Completed Work show what is in the target."""
        try:
            return self._write(self._verified(self._resolved(item)))
        except NotVerified:
            return _NOT_VERIFIED
        except _NoField:
            return _NO_FIELD
        except (Throttled, AzureDevOpsUnavailable) as error:
            return Outcome(WriteBack.PENDING, error.code)
        except AzureDevOpsError as error:
            return Outcome(WriteBack.FAILED, error.code)

    def _resolved(self, item: Item) -> Item:
        """Finds out what became of the writes before; all are looked up before anything is sent.

        Raises:
            AzureDevOpsError: it cannot be found out now.
        """
        attempts = self._transact(lambda tx: self.turn.open_attempts(tx, item), reads_only=True)
        fates = [(attempt, self._fate(attempt)) for attempt in attempts]
        for attempt, fate in fates:
            if fate is Fate.OPEN:
                shown = self.azure.work_item(self.turn.place.number)
                is_next = shown.rev == attempt.revision
                again = self._sent(attempt, shown, was_sent=True) if is_next else self._fate(attempt)
                if again is Fate.OPEN:
                    raise OutcomeUnknown
        return self._transact(lambda tx: self._folded(tx)[0]) if attempts else item

    def _verified(self, item: Item) -> Item:
        """Counts what was written and then forgotten by a restore of the database.

        Raises:
            NotVerified: the work item's history does not tell.
            AzureDevOpsError: it cannot be read now.
        """
        epoch = self.installation.mark.epoch
        if item.checked_epoch >= epoch:
            return item
        is_trusted = self.asked.trusts_written
        found = [] if is_trusted else History(self.azure, self.turn, self.installation).forgotten(item)
        now = self.app.now()
        adopted = self._transact(lambda tx: adoption_store.adopt(tx, self.turn, found, epoch=epoch, now=now))
        if adopted is None:
            raise _NotMyTurn
        return adopted

    def _write(self, item: Item) -> Outcome:
        """Sends what is owed until nothing is.

        Raises:
            AzureDevOpsError: it refused, or cannot be asked what became of the attempt.
        """
        for _ in range(_PINS):
            send = item.balance.to_send(takes_missing=self.takes_missing)
            if send == 0:
                break
            shown = self.azure.work_item(self.turn.place.number)
            if shown.completed_hours is None and self.azure.is_known_to_lack_completed_work(shown):
                return _NO_FIELD
            attempt = self._planned(item, shown, send)
            if attempt.moves == 0:  # nothing is there to be taken
                item, self.takes_missing = self._fallen_short(item), False
                break
            fate = self._pinned_and_sent(item, attempt, shown)
            if isinstance(fate, Outcome):
                return fate
            self.takes_missing = self.takes_missing and fate is Fate.LOST
            item = fate if isinstance(fate, Item) else replace(item, last_attempt=attempt.number)
        if item.balance.to_send(takes_missing=self.takes_missing):
            return _CONFLICT
        return _SHORT if item.balance.missing else _SETTLED

    def _planned(self, item: Item, shown: WorkItem, send: Decimal) -> Attempt:
        attempt = attempt_at(
            shown.rev,
            shown.completed_hours,
            send,
            number=item.last_attempt + 1,
            batch=item.last_batch,
            short=_ZERO if self.takes_missing else item.balance.missing,
        )
        remaining = shown.remaining_hours
        if not self.tenant.lower_remaining_work or remaining is None or remaining < 0 or not attempt.moves:
            return attempt
        lowered = remaining_after(to_places(remaining), attempt.moves, taken=item.remaining_taken)
        if lowered == to_places(remaining) or self._is_closed(shown):
            return attempt
        return replace(attempt, remaining=Remaining(to_places(remaining), lowered))

    def _is_closed(self, shown: WorkItem) -> bool:
        """Whether nothing remains to be done; where Azure DevOps does not tell, Remaining Work is left alone."""
        try:
            return self.azure.is_closed(shown)
        except AzureDevOpsError:
            return True

    def _pinned_and_sent(self, item: Item, attempt: Attempt, shown: WorkItem) -> "Item | Fate | Outcome":
        """The item with the write that landed, or that it was lost, or why it makes no sense to go on.

        Raises:
            AzureDevOpsError: it refused, or cannot be asked what became of the attempt.
        """
        if not self._transact(lambda tx: self.turn.pin(tx, item, attempt, now=self.app.now())):
            raise _NotMyTurn
        fate = self._sent(attempt, shown, was_sent=False)
        if fate is Fate.OPEN:
            raise OutcomeUnknown
        if isinstance(fate, Item) and fate.balance.written == item.balance.written:
            return _NO_FIELD if self._has_no_field(shown) else _NOT_TAKEN
        return fate

    def _sent(self, attempt: Attempt, shown: WorkItem, *, was_sent: bool) -> "Item | Fate":
        """Sends a write, again while nobody knows what became of it; `was_sent` says that it may be under way.

        Raises:
            _NoField: the type of the work item has no Completed Work.
            AzureDevOpsError: as it is; a write that was surely refused is out of the way.
        """
        note = f"TimeTracker: {spelled(attempt.moves, signed=True)} h ({self.turn.mark(attempt)})"
        remaining = None if attempt.remaining is None else attempt.remaining.hours_from(shown.remaining_hours)
        for _ in range(_SENDS):
            try:
                answer = self.azure.set_completed_work(
                    self.turn.place.number,
                    revision=attempt.revision,
                    hours=attempt.hours_from(shown.completed_hours),
                    remaining=remaining,
                    history=note,
                )
            except (WorkItemChanged, OutcomeUnknown) as error:
                was_sent = was_sent or isinstance(error, OutcomeUnknown)
            except _SURELY_REFUSED as error:
                if not was_sent:
                    self._lost(attempt)
                if isinstance(error, Rejected) and self._has_no_field(shown):
                    raise _NoField from error
                raise
            else:
                if answer.rev == attempt.revision + 1 and answer.completed_hours is not None:
                    return self._landed(attempt, _moved(shown.completed_hours, answer.completed_hours))
            if (fate := self._fate(attempt)) is not Fate.OPEN:
                return fate
        return Fate.OPEN

    def _has_no_field(self, shown: WorkItem) -> bool:
        """Whether hours are not taken because the type of the work item has no place for them."""
        return shown.completed_hours is None and self.azure.lacks_completed_work(shown)

    def _fate(self, attempt: Attempt) -> "Item | Fate":
        """What became of a write, which is counted or put out of the way accordingly."""
        update = self.azure.update(self.turn.place.number, attempt.revision + 1)
        if update is None:
            return Fate.OPEN
        if f"({self.turn.mark(attempt)})" in (update.history or ""):
            return self._landed(attempt, _moved(update.hours_before, update.hours_after))
        self._lost(attempt)
        return Fate.LOST

    def _landed(self, attempt: Attempt, moved: Decimal) -> Item:
        item = self._transact(lambda tx: self.turn.land(tx, attempt, moved, now=self.app.now()))
        if item is None:
            raise _NotMyTurn
        return item

    def _lost(self, attempt: Attempt) -> None:
        self._transact(lambda tx: self.turn.lose(tx, attempt))

    def _fallen_short(self, item: Item) -> Item:
        at_zero = replace(item, balance=replace(item.balance, lowest=item.balance.written))
        self._transact(lambda tx: self.turn.fall_short(tx, at_zero, now=self.app.now()))
        return at_zero

    def _folded(self, tx: sa.Connection, settled: int = 0) -> tuple[Item, bool]:
        folded = self.turn.fold(tx, settled=settled, now=self.app.now())
        if folded is None:
            raise _NotMyTurn
        return folded

    def _ended_unless_new(self, tx: sa.Connection, item: Item, outcome: Outcome) -> Item | None:
        """Gives the turn back, unless there are changes that nobody else would write now: then the item with them."""
        current, is_new = self._folded(tx, settled=item.last_batch)
        if is_new:
            return current
        if current.short != current.balance.missing:
            self.turn.fall_short(tx, current, now=self.app.now())
        self.turn.end(tx, outcome, now=self.app.now())
        return None

    def _transact(self, work: Callable[[sa.Connection], T], *, reads_only: bool = False) -> T:
        return _transact(self.app, self.tenant, work, reads_only=reads_only)


def _transact(app: App, tenant: Tenant, work: Callable[[sa.Connection], T], *, reads_only: bool = False) -> T:
    """Somebody waits for it, and each of these does the same when it is done twice."""
    return transact(app, tenant.id, work, reads_only=reads_only, retry=for_requests())


def _moved(before: Decimal | None, after: Decimal | None) -> Decimal:
    """How far Completed Work went, as Azure DevOps shows it."""
    return to_places((after or _ZERO) - (before or _ZERO))
