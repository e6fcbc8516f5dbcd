"""Finds causes for rows that no response promises: a request with an unknown result explains one transaction."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from tools.chaos.checks.database import LogRow, PersonRows, TimerLogIndex
from tools.chaos.checks.violation import are_equal
from tools.chaos.checks.work_items import item_of
from tools.chaos.clients.history import STOPS, Operation


Events = tuple[str, ...]
_STARTED: Final = ("started",)
_STOPPED: Final = ("stopped",)
# The rows of one request, in their order, without time that a late start shortened.
_POSSIBLE: Final[Mapping[str, set[Events]]] = {
    "start": {_STARTED},
    "switch": {_STARTED, ("stopped", "started")},
    "named start": {_STARTED, ("stopped", "started")},
    "late start": {_STARTED, ("started", "stopped")},
    "stop": {_STOPPED},
    "named stop": {_STOPPED},
    "late stop": {_STOPPED, ("corrected",)},
    "discard": {("discarded",)},
    "enter": {("entered",)},
    "correct": {("corrected",)},
    "delete": {("deleted",)},
}


@dataclass(frozen=True, slots=True)
class Transaction:
    """The rows of one transaction that no response promises."""

    rows: tuple[LogRow, ...]

    @property
    def events(self) -> Events:
        return tuple(row.event for row in self.rows)


@dataclass
class UnacknowledgedTransactions:
    """`can_be_received` tells whether a request can have been received at the time of a row."""

    rows: PersonRows
    log_index: TimerLogIndex
    operations: list[Operation]
    can_be_received: Callable[[Operation, LogRow], bool]
    _assigned: dict[int, Transaction] = field(default_factory=dict)

    def find_unexplained(self, claimed_rows: Mapping[int, Operation]) -> Iterator[Transaction]:
        """Transactions without a request; each request explains one at most."""
        for transaction in self._find_unclaimed(claimed_rows):
            if not self._find_cause(transaction, set()):
                yield transaction

    def _find_unclaimed(self, claimed_rows: Mapping[int, Operation]) -> Iterator[Transaction]:
        """Rows of one transaction are consecutive and have the same time."""
        for _, group in itertools.groupby(self.rows.done, lambda row: row.received_at):
            all_rows = list(group)
            unclaimed = [
                row for row in all_rows if row.number not in claimed_rows and not self._was_shortened(row, all_rows)
            ]
            if unclaimed:
                yield Transaction(tuple(unclaimed))

    def _was_shortened(self, row: LogRow, all_rows: list[LogRow]) -> bool:
        """Whether a late start shortened an entry without a known end."""
        before = self.log_index.versions.get((row.timer, row.version - 1))
        if row.event != "corrected" or row.reason is not None or row.after is None or before is None:
            return False
        return any(
            start.event == "started"
            and start.reported_late
            and are_equal(row.after["stoppedAt"], start.happened_at.isoformat())
            and _ran_at(before, start)
            for start in all_rows
        )

    def _find_cause(self, transaction: Transaction, tried_numbers: set[int]) -> bool:
        """Augmenting path of a matching: another transaction gives up its request if it finds a different one."""
        for operation in self.operations:
            if operation.number in tried_numbers or not self._may_explain(operation, transaction):
                continue
            tried_numbers.add(operation.number)
            assigned = self._assigned.get(operation.number)
            if assigned is None or self._find_cause(assigned, tried_numbers):
                self._assigned[operation.number] = transaction
                return True
        return False

    def _may_explain(self, operation: Operation, transaction: Transaction) -> bool:
        return transaction.events in _POSSIBLE.get(operation.kind, set()) and all(
            self.can_be_received(operation, row) and self._can_leave(operation, row) for row in transaction.rows
        )

    def _can_leave(self, operation: Operation, row: LogRow) -> bool:
        named = (operation.body or {}).get("timerId")
        if row.event == "started":
            is_named = named in {None, row.timer} and item_of(operation.body or {}) == row.item
            return is_named and self._notes.get(row.timer) in {None, operation.mark}
        if row.event == "stopped":
            ends_itself = operation.kind == "late start" or operation.kind in STOPS
            return named is None or (named == row.timer) == ends_itself
        if row.event == "entered":
            return row.note == operation.mark
        if row.event == "corrected" and row.reason is None:
            return bool(named == row.timer)
        return row.event == "discarded" or row.reason == operation.mark

    @cached_property
    def _notes(self) -> dict[str, str | None]:
        """By timer: its note, the mark of its start."""
        running = {str(each.public_id): each.note for each in self.rows.running}
        return running | {row.timer: row.note for row in self.rows.done if row.after is not None}


def _ran_at(entry: LogRow, start: LogRow) -> bool:
    """Whether an entry ran at the time of a start."""
    began, ended = entry.instant("startedAt"), entry.instant("stoppedAt")
    return began is not None and ended is not None and began <= start.happened_at <= ended
