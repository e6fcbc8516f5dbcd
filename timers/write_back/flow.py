"""Writes the pending hours of work items to Completed Work in Azure DevOps, each hour once also after lost responses.

A write is conditional on the revision that was read, and its attempt is recorded before it is sent. If the response is
lost, the work item's history tells whether the attempt landed, by its mark; a new value is computed only after that.
Each step has a transaction of its own, and none is open during a request to Azure DevOps.
"""

import datetime as dt
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
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
from timers.write_back.check_flow import History, NotVerified, epoch_of_new_item
from timers.write_back.item_store import Claim, ClaimedItem, Outcome, WorkItemRef
from timers.write_back.model import (
    Attempt,
    AttemptState,
    Remaining,
    WriteBack,
    format_hours,
    plan_attempt,
    remaining_after,
    to_places,
)


T = TypeVar("T")
CLAIM: Final = dt.timedelta(seconds=60)  # longer than any wait for Azure DevOps
_MAX_ATTEMPTS: Final = 2  # the second if another change took the revision of the first
_MAX_SENDS: Final = 4
_MAX_ROUNDS: Final = 20  # each writes the changes that other processes added meanwhile
_ZERO: Final = Decimal(0)
# Errors after which certainly nothing was written; a sign-in page may have replaced the response to a write.
_NOT_WRITTEN: Final = (AzureDevOpsForbidden, WorkItemNotFound, Rejected, Throttled, AzureDevOpsUnavailable)
_DONE: Final = Outcome(WriteBack.DONE, settles=True)
_SHORT: Final = Outcome(WriteBack.SHORT, "short", settles=True)
_INTERRUPTED: Final = Outcome(WriteBack.PENDING, "interrupted")
_CONFLICT: Final = Outcome(WriteBack.PENDING, WorkItemChanged.code)
_NOT_TAKEN: Final = Outcome(WriteBack.FAILED, "not_taken")
_NOT_VERIFIED: Final = Outcome(WriteBack.FAILED, "not_verified")
_NO_FIELD: Final = Outcome(WriteBack.NO_FIELD, "no_field")
OpenSession = Callable[[str], AzureDevOpsSession]


@dataclass(frozen=True, slots=True)
class WriteBackOptions:
    """A person's choices for one write-back of a work item.

    `takes_short`: also subtract the short hours. `trusts_written`: they have compared Completed Work with the written
    hours, so the history need not be checked.
    """

    takes_short: bool = False
    trusts_written: bool = False


_DEFAULTS: Final = WriteBackOptions()


def write_back(app: App, tenant: Tenant, entry_id: uuid.UUID, open_session: OpenSession) -> None:
    """Writes the pending hours of an entry's work items, as far as possible now; the result is in the database.

    `open_session` opens a session with the caller's token in the organization of that name.
    """
    items = _transact(app, tenant, lambda tx: store.find_pending_items(tx, tenant.id, entry_id), reads_only=True)
    for item in items:
        write_back_item(app, tenant, item, open_session)


def write_back_item(
    app: App,
    tenant: Tenant,
    item: WorkItemRef,
    open_session: OpenSession,
    options: WriteBackOptions = _DEFAULTS,
) -> None:
    """Writes the pending hours of a work item, unless the database is a restored one that is not accepted yet."""
    if not item.is_active or not tenant.write_back:
        return
    installation = find_active_installation(app)
    if installation is None:
        return
    public_id = uuid.uuid5(tenant.public_id, f"{item.organization_id}/{item.number}")
    claim = Claim(tenant.id, item, public_id, app.new_id())
    session = open_session(item.organization)
    _Writer(app, tenant, claim, session, installation, options, options.takes_short).run()


class _NoField(Exception):
    """The type of the work item has no Completed Work."""


class _ClaimLost(Exception):
    """The claim expired and another process took it; that one continues."""


@dataclass(slots=True)
class _Writer:
    app: App
    tenant: Tenant
    claim: Claim
    session: AzureDevOpsSession
    installation: Installation
    options: WriteBackOptions
    takes_short: bool

    def run(self) -> None:
        now = self.app.now()
        until, epoch = now + CLAIM, epoch_of_new_item(self.installation, now)
        if not self._transact(lambda tx: self.claim.acquire(tx, now=now, until=until, checked_epoch=epoch)):
            return  # the process with the claim also writes changes that are added meanwhile
        with suppress(_ClaimLost):
            self._write_until_settled()

    def _write_until_settled(self) -> None:
        """Writes until there are no new changes, then releases the claim with the outcome."""
        outcome, is_released = _INTERRUPTED, False
        try:
            item = self._transact(lambda tx: self._add_changes(tx)[0])
            for _ in range(_MAX_ROUNDS):
                outcome = self._write_target(item)
                if not outcome.settles:
                    return
                settled, outcome = outcome, _INTERRUPTED
                more = self._transact(lambda tx, of=item, as_=settled: self._release_unless_new(tx, of, as_))  # type: ignore[misc]
                if more is None:
                    is_released = True
                    return
                item = more
        finally:
            if not is_released:
                final = outcome
                self._transact(lambda tx: self.claim.release(tx, final, now=self.app.now()))

    def _write_target(self, item: ClaimedItem) -> Outcome:
        """Brings Completed Work to the item's target, if possible."""
        try:
            return self._write(self._check_history(self._finish_open_attempts(item)))
        except NotVerified:
            return _NOT_VERIFIED
        except _NoField:
            return _NO_FIELD
        except (Throttled, AzureDevOpsUnavailable) as error:
            return Outcome(WriteBack.PENDING, error.code)
        except AzureDevOpsError as error:
            return Outcome(WriteBack.FAILED, error.code)

    def _finish_open_attempts(self, item: ClaimedItem) -> ClaimedItem:
        """Finds out the outcome of every earlier attempt before anything new is sent.

        Raises:
            AzureDevOpsError: it cannot be found out now.
        """
        attempts = self._transact(lambda tx: self.claim.find_open_attempts(tx, item), reads_only=True)
        results = [(attempt, self._look_up(attempt)) for attempt in attempts]
        for attempt, result in results:
            if result is AttemptState.OPEN:
                shown = self.session.work_item(self.claim.item.number)
                is_next = shown.rev == attempt.revision
                with suppress(_NoField):  # the attempt is lost then
                    again = self._send(attempt, shown, was_sent=True) if is_next else self._look_up(attempt)
                    if again is AttemptState.OPEN:
                        raise OutcomeUnknown
        return self._transact(lambda tx: self._add_changes(tx)[0]) if attempts else item

    def _check_history(self, item: ClaimedItem) -> ClaimedItem:
        """Adds attempts that landed before a restore and are missing in the restored database.

        Raises:
            NotVerified: the history is too long to tell.
            AzureDevOpsError: it cannot be read now.
        """
        epoch = self.installation.mark.epoch
        if item.checked_epoch >= epoch:
            return item
        history = History(self.session, self.claim, self.installation)
        attempts = [] if self.options.trusts_written else history.find_missing_attempts(item)
        now = self.app.now()
        adopted = self._transact(lambda tx: adoption_store.adopt(tx, self.claim, attempts, epoch=epoch, now=now))
        if adopted is None:
            raise _ClaimLost
        return adopted

    def _write(self, item: ClaimedItem) -> Outcome:
        """Sends the pending hours.

        Raises:
            AzureDevOpsError: it refused, or does not tell the outcome of the attempt.
        """
        for _ in range(_MAX_ATTEMPTS):
            send = item.balance.to_send(takes_short=self.takes_short)
            if send == 0:
                break
            shown = self.session.work_item(self.claim.item.number)
            if shown.completed_hours is None and self.session.is_known_to_lack_completed_work(shown):
                return _NO_FIELD
            attempt = self._plan(item, shown, send)
            if attempt.difference == 0:  # nothing to subtract from
                item, self.takes_short = self._record_short(item), False
                break
            result = self._record_and_send(item, attempt, shown)
            if isinstance(result, Outcome):
                return result
            self.takes_short = self.takes_short and result is AttemptState.LOST
            item = result if isinstance(result, ClaimedItem) else replace(item, last_attempt=attempt.number)
        if item.balance.to_send(takes_short=self.takes_short):
            return _CONFLICT
        return _SHORT if item.balance.short else _DONE

    def _plan(self, item: ClaimedItem, shown: WorkItem, send: Decimal) -> Attempt:
        attempt = plan_attempt(
            shown.rev,
            shown.completed_hours,
            send,
            number=item.last_attempt + 1,
            batch=item.last_batch,
            short=_ZERO if self.takes_short else item.balance.short,
        )
        remaining = shown.remaining_hours
        if not self.tenant.lower_remaining_work or remaining is None or remaining < 0 or not attempt.difference:
            return attempt
        lowered = remaining_after(to_places(remaining), attempt.difference, taken=item.remaining_taken)
        if lowered == to_places(remaining) or self._is_closed(shown):
            return attempt
        return replace(attempt, remaining=Remaining(to_places(remaining), lowered))

    def _is_closed(self, shown: WorkItem) -> bool:
        """Whether the work item is closed; also True when Azure DevOps does not tell: Remaining Work stays then."""
        try:
            return self.session.is_closed(shown)
        except AzureDevOpsError:
            return True

    def _record_and_send(
        self, item: ClaimedItem, attempt: Attempt, shown: WorkItem
    ) -> "ClaimedItem | AttemptState | Outcome":
        """The item after an attempt that landed, LOST, or the outcome of a write that had no effect.

        Raises:
            AzureDevOpsError: it refused, or does not tell the outcome of the attempt.
        """
        if not self._transact(lambda tx: self.claim.add_attempt(tx, item, attempt, now=self.app.now())):
            raise _ClaimLost
        result = self._send(attempt, shown, was_sent=False)
        if result is AttemptState.OPEN:
            raise OutcomeUnknown
        if isinstance(result, ClaimedItem) and result.balance.written == item.balance.written:
            return _NO_FIELD if self._has_no_field(shown) else _NOT_TAKEN
        return result

    def _send(self, attempt: Attempt, shown: WorkItem, *, was_sent: bool) -> "ClaimedItem | AttemptState":
        """Sends an attempt, repeatedly while its outcome is unknown; `was_sent` if it may have been sent before.

        Raises:
            _NoField: the type of the work item has no Completed Work.
            AzureDevOpsError: it refused; an attempt that was certainly not written is marked as lost.
        """
        note = f"TimeTracker: {format_hours(attempt.difference, signed=True)} h ({self.claim.mark(attempt)})"
        remaining = None if attempt.remaining is None else attempt.remaining.hours_from(shown.remaining_hours)
        for _ in range(_MAX_SENDS):
            try:
                item = self.session.set_completed_work(
                    self.claim.item.number,
                    revision=attempt.revision,
                    hours=attempt.hours_from(shown.completed_hours),
                    remaining=remaining,
                    history=note,
                )
            except (WorkItemChanged, OutcomeUnknown) as error:
                was_sent = was_sent or isinstance(error, OutcomeUnknown)
            except _NOT_WRITTEN as error:
                has_no_field = isinstance(error, Rejected) and self._has_no_field(shown)
                if has_no_field or not was_sent:  # also an earlier request cannot write a field that does not exist
                    self._set_lost(attempt)
                if has_no_field:
                    raise _NoField from error
                raise
            else:
                if item.rev == attempt.revision + 1 and item.completed_hours is not None:
                    return self._set_landed(attempt, _difference(shown.completed_hours, item.completed_hours))
            if (result := self._look_up(attempt)) is not AttemptState.OPEN:
                return result
        return AttemptState.OPEN

    def _has_no_field(self, shown: WorkItem) -> bool:
        """Whether the type of the work item has no Completed Work."""
        return shown.completed_hours is None and self.session.lacks_completed_work(shown)

    def _look_up(self, attempt: Attempt) -> "ClaimedItem | AttemptState":
        """Reads the outcome of an attempt from the work item's history, and records it."""
        update = self.session.update(self.claim.item.number, attempt.revision + 1)
        if update is None:
            return AttemptState.OPEN
        if f"({self.claim.mark(attempt)})" in (update.history or ""):
            return self._set_landed(attempt, _difference(update.hours_before, update.hours_after))
        self._set_lost(attempt)
        return AttemptState.LOST

    def _set_landed(self, attempt: Attempt, difference: Decimal) -> ClaimedItem:
        item = self._transact(lambda tx: self.claim.set_landed(tx, attempt, difference, now=self.app.now()))
        if item is None:
            raise _ClaimLost
        return item

    def _set_lost(self, attempt: Attempt) -> None:
        self._transact(lambda tx: self.claim.set_lost(tx, attempt))

    def _record_short(self, item: ClaimedItem) -> ClaimedItem:
        at_zero = replace(item, balance=replace(item.balance, lowest=item.balance.written))
        self._transact(lambda tx: self.claim.set_short(tx, at_zero, now=self.app.now()))
        return at_zero

    def _add_changes(self, tx: sa.Connection, settled: int = 0) -> tuple[ClaimedItem, bool]:
        added = self.claim.add_changes_to_target(tx, settled=settled, now=self.app.now())
        if added is None:
            raise _ClaimLost
        return added

    def _release_unless_new(self, tx: sa.Connection, item: ClaimedItem, outcome: Outcome) -> ClaimedItem | None:
        """Releases the claim; or returns the item with new changes, which no other process would write now."""
        current, is_new = self._add_changes(tx, settled=item.last_batch)
        if is_new:
            return current
        if current.short != current.balance.short:
            self.claim.set_short(tx, current, now=self.app.now())
        self.claim.release(tx, outcome, now=self.app.now())
        return None

    def _transact(self, work: Callable[[sa.Connection], T], *, reads_only: bool = False) -> T:
        return _transact(self.app, self.tenant, work, reads_only=reads_only)


def _transact(app: App, tenant: Tenant, work: Callable[[sa.Connection], T], *, reads_only: bool = False) -> T:
    """With the retries of a request; every step is idempotent."""
    return transact(app, tenant.id, work, reads_only=reads_only, retry=for_requests())


def _difference(before: Decimal | None, after: Decimal | None) -> Decimal:
    return to_places((after or _ZERO) - (before or _ZERO))
