"""Carries hours to Completed Work so that each is written once, whatever gets lost on the way.

A write is pinned to the revision that was read, and put down before it is sent. Where its answer is lost, the work
item's history tells whether it landed, by the debt's mark; nothing is computed anew before that is known. Each step is
a transaction of its own, and none is open while Azure DevOps is asked.
"""

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeVar

import sqlalchemy as sa

from shared.app import App
from shared.azure_devops import Visit
from shared.azure_devops_errors import AzureDevOpsError, Changed, OutcomeUnknown, Throttled, Unreachable
from shared.db.retry import of_a_request
from shared.jobs import transact
from shared.tenancy.model import Tenant
from shared.tracking import store_write_backs as store
from shared.tracking.write_backs import Attempt, Debt, Standing, WriteBack


T = TypeVar("T")
CLAIM: Final = dt.timedelta(seconds=60)  # longer than anybody waits for Azure DevOps
_PINS: Final = 2  # a write that met somebody else's is computed anew once
_SENDS: Final = 4


class Fate(Enum):
    """What became of an attempt: it is in the history, another write took its place, or it may still land."""

    LANDED = auto()
    LOST = auto()
    OPEN = auto()


_DONE: Final = Standing(WriteBack.DONE)
_INTERRUPTED: Final = Standing(WriteBack.PENDING, "interrupted", "Writing the hours was interrupted. Try again.")
_CONFLICT: Final = Standing(WriteBack.PENDING, Changed.code, Changed.sentence)
_ELSEWHERE: Final = Standing(
    WriteBack.FAILED, "wrong_organization", "The time is on another Azure DevOps organisation than your present one."
)


def carry(app: App, tenant: Tenant, entry_id: uuid.UUID, azure: Visit) -> None:
    """Pays what an entry owes, as far as it can be paid now; what came of it is in the rows."""
    debts = _transact(app, tenant, lambda tx: store.debts(tx, tenant.id, entry_id), reads_only=True)
    owed = [debt for debt in debts if debt.state is not WriteBack.DONE]
    stuck: set[int] = set()
    for debt in owed:
        # What a correction takes away was added by an earlier debt: it waits until that one is paid.
        item = debt.work_item.work_item_id
        if item in stuck or not _Payment(app, tenant, azure).settle(debt):
            stuck.add(item)


@dataclass(frozen=True, slots=True)
class _Payment:
    app: App
    tenant: Tenant
    azure: Visit

    def settle(self, debt: Debt) -> bool:
        """Whether it is paid by this."""
        now = self.app.now()
        claimed = self._transact(lambda tx: store.claim(tx, self.tenant.id, debt, now=now, until=now + CLAIM))
        if claimed is None:
            return False  # paid meanwhile, or somebody else is at it
        outcome = _INTERRUPTED
        try:
            outcome = self._pay(claimed)
        finally:
            self._transact(lambda tx: store.end(tx, self.tenant.id, claimed, outcome, now=self.app.now()))
        return outcome.state is WriteBack.DONE

    def _pay(self, debt: Debt) -> Standing:
        if debt.work_item.organization.casefold() != self.tenant.organization.casefold():
            return _ELSEWHERE
        try:
            return self._write(debt)
        except AzureDevOpsError as error:
            passes = isinstance(error, Throttled | Unreachable)
            return Standing(WriteBack.PENDING if passes else WriteBack.FAILED, error.code, error.detail)

    def _write(self, debt: Debt) -> Standing:
        """Writes until it is known what became of it.

        Raises:
            AzureDevOpsError: it refused, or cannot be asked what became of the attempt.
        """
        attempt, pins = debt.attempt, 0
        fate = Fate.LOST if attempt is None else self._fate(debt, attempt)
        for _ in range(_SENDS):
            if fate is Fate.LANDED:
                return _DONE
            if fate is Fate.LOST:
                if pins == _PINS:
                    return _CONFLICT
                pins, attempt = pins + 1, self._pin(debt)
            if attempt is None:
                return _INTERRUPTED  # the claim ran out, and whoever took it over writes
            if attempt.after == attempt.before:
                return _DONE  # too little to show, or nothing left to take away
            try:
                self.azure.set_completed_work(
                    debt.work_item.work_item_id, revision=attempt.revision, hours=attempt.after, history=_note(debt)
                )
            except (Changed, OutcomeUnknown):
                fate = self._fate(debt, attempt)
            else:
                return _DONE
        return _CONFLICT

    def _pin(self, debt: Debt) -> Attempt | None:
        item = self.azure.work_item(debt.work_item.work_item_id)
        attempt = debt.attempt_at(item.rev, item.completed_hours)
        return attempt if self._transact(lambda tx: store.pin(tx, self.tenant.id, debt, attempt)) else None

    def _transact(self, work: Callable[[sa.Connection], T]) -> T:
        return _transact(self.app, self.tenant, work)

    def _fate(self, debt: Debt, attempt: Attempt) -> Fate:
        update = self.azure.update(debt.work_item.work_item_id, attempt.revision + 1)
        if update is None:
            return Fate.OPEN
        return Fate.LANDED if debt.mark in (update.history or "") else Fate.LOST


def _transact(app: App, tenant: Tenant, work: Callable[[sa.Connection], T], *, reads_only: bool = False) -> T:
    """Somebody waits for it, and each of these does the same when it is done twice."""
    return transact(app, tenant.id, work, reads_only=reads_only, patience=of_a_request())


def _note(debt: Debt) -> str:
    """The line in the work item's history; its end is what the write is known by."""
    hours = f"{debt.delta_ms / 3_600_000:+.4f}".rstrip("0").rstrip(".")
    return f"TimeTracker: {hours} h ({debt.mark})"
