"""Finds the request of each log row of one person, and the rows of each response."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus

from tools.chaos.checks.database import LogRow, PersonRows, TimerLogIndex
from tools.chaos.checks.unacknowledged import UnacknowledgedTransactions
from tools.chaos.checks.violation import Violation, are_equal, build_violation
from tools.chaos.clients.history import STARTS, STOPS, History, Json, Operation, Outcome
from tools.chaos.cloud.clocks import ClockOffsets


@dataclass
class Attribution:
    """`violations` fills `causes`: the request of each row, by the number of the row."""

    history: History
    rows: PersonRows
    log_index: TimerLogIndex
    clocks: ClockOffsets
    violations_found: list[Violation] = field(default_factory=list)
    causes: dict[int, Operation] = field(default_factory=dict)

    def violations(self) -> list[Violation]:
        """Rows without a request, and responses without their rows."""
        if self.rows.accounts > 1:
            self._add_violation("doubled", f"{self.rows.accounts} accounts of {self.history.oid}")
        unknown_operations = [each for each in self._writes() if not self._resolve(each)]
        transactions = UnacknowledgedTransactions(self.rows, self.log_index, unknown_operations, self._in_time)
        for each in transactions.find_unexplained(self.causes):
            self._add_violation("invented", f"{' and '.join(each.events)} without a request", *each.rows)
        return self.violations_found

    @cached_property
    def _rows(self) -> dict[tuple[str, str, int], LogRow]:
        return {(row.event, row.timer, row.version): row for row in self.rows.done}

    @cached_property
    def _versions(self) -> dict[tuple[str, int], LogRow]:
        return {(row.timer, row.version): row for row in self.rows.done if row.version}

    @cached_property
    def _deleted(self) -> dict[str, LogRow]:
        return {row.timer: row for row in self.rows.done if row.event == "deleted"}

    def _writes(self) -> list[Operation]:
        return [each for each in self.history.operations if each.writes and each.kind != "sign-in"]

    def _resolve(self, operation: Operation) -> bool:
        """Checks the rows of a request with a known result; False where the result is unknown."""
        if operation.outcome is Outcome.REFUSED:
            return True
        if operation.outcome is Outcome.ACKNOWLEDGED:
            self._check_rows(operation, operation.status or 0, operation.answer or {})
            return True
        if operation.key is None:
            return False
        stored = self.rows.response_to(operation)
        if stored is not None:  # the response that never arrived
            self._check_rows(operation, *stored)
        return True

    def _check_rows(self, operation: Operation, status: int, answer: Json) -> None:
        """Checks the rows that a response promises."""
        if operation.kind in STARTS:
            if status == HTTPStatus.CREATED:
                self._claim_row(operation, self._rows.get(("started", answer["id"], 0)), answer["startedAt"])
            for entry in (answer.get("stopped"), answer.get("ended")):
                if entry is not None:
                    self._claim_version(operation, entry, is_own=True)
        elif operation.kind in STOPS:
            self._claim_version(operation, answer, is_own=operation.kind == "stop")
        elif operation.kind in {"enter", "correct"}:
            self._claim_version(operation, answer, is_own=True)
        elif operation.kind == "delete":
            row = self._deleted.get(operation.entry)
            self._claim_row(operation, row if row is not None and row.reason == operation.mark else None, None)
        elif operation.kind == "discard":
            row = next(
                (
                    each
                    for each in self._unclaimed_rows()
                    if each.event == "discarded" and self._in_time(operation, each)
                ),
                None,
            )
            if row is not None:  # without a running timer there was nothing to discard
                self.causes[row.number] = operation

    def _claim_version(self, operation: Operation, entry: Json, *, is_own: bool) -> None:
        """The row of this version of an entry; unless `is_own`, another request may have made it."""
        row = self._versions.get((entry["id"], entry["version"]))
        if row is None or row.after is None:
            self._add_violation("lost", "an acknowledged entry is not in the log", operation)
            return
        if is_own or (row.number not in self.causes and self._in_time(operation, row)):
            self._claim_row(operation, row, None)

    def _claim_row(self, operation: Operation, row: LogRow | None, happened_at: str | None) -> None:
        if row is None:
            self._add_violation("lost", f"an acknowledged {operation.kind} left no row", operation)
            return
        cause = self.causes.setdefault(row.number, operation)
        if cause is not operation:
            self._add_violation("doubled", "two responses claim one row", cause, operation, row)
        if happened_at is not None and not are_equal(row.happened_at.isoformat(), happened_at):
            self._add_violation("changed", "the time of an acknowledged change", operation, row)
        if not self._in_time(operation, row):
            self._add_violation("changed", "done outside the time of its request", operation, row)

    def _in_time(self, operation: Operation, row: LogRow) -> bool:
        """Whether the service can have received the request then, with the offsets of the clocks."""
        first, last = self.clocks.possible_times(operation.sent_at, operation.done_by)
        return first <= row.received_at <= last

    def _unclaimed_rows(self) -> Iterator[LogRow]:
        return (row for row in self.rows.done if row.number not in self.causes)

    def _add_violation(self, kind: str, detail: str, *about: Operation | LogRow | str) -> None:
        self.violations_found.append(build_violation(self.history, kind, detail, *about))
