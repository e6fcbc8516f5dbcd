"""Checks the responses to one person: possible at the time of the request, and equal to the stored data."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Any, Final

from tools.chaos.checks.database import LogRow, PersonRows, TimerLogIndex
from tools.chaos.checks.violation import Violation, are_equal, build_violation
from tools.chaos.checks.work_items import find_timers, item_of
from tools.chaos.clients.history import STARTS, History, Json, Operation, Outcome
from tools.chaos.clients.timeline import Timeline


_INSTANTS: Final = ("startedAt", "stoppedAt")
# The fields of an entry in the log, as on the wire
_LOGGED_FIELDS: Final = ("elapsedMs", "note", "source", "needsReview", "project", "workItemId")
_WRITE_BACK: Final = "writeBack"  # changes after the commit, with the progress of the write-back


@dataclass
class ResponseChecks:
    """Checks acknowledged requests; `Attribution` checks their rows."""

    history: History
    rows: PersonRows
    timeline: Timeline
    log_index: TimerLogIndex

    def violations(self) -> Iterator[Violation]:
        for operation in self.history.operations:
            if operation.outcome is Outcome.ACKNOWLEDGED:
                yield from self._check_stored_response(operation)
                yield from self._check_result(operation)
                yield from self._check_shown_entries(operation)

    def _check_stored_response(self, operation: Operation) -> Iterator[Violation]:
        """A repeat with the same Idempotency-Key would get the stored response."""
        if operation.key is None:
            return
        if operation.key not in self.rows.responses:
            yield self._violation("lost", "the stored response of an Idempotency-Key is missing", operation)
            return
        status, answer = self.rows.responses[operation.key]
        if status != operation.status or _without_write_back(answer) != _without_write_back(operation.answer or {}):
            yield self._violation(
                "changed", "the stored response of an Idempotency-Key differs from the one sent", operation
            )

    def _check_result(self, operation: Operation) -> Iterator[Violation]:
        answer, timer_id = operation.answer or {}, (operation.body or {}).get("timerId")
        if timer_id is not None and answer.get("id") != timer_id:
            yield self._violation("changed", "the response has another timer than the request", operation)
        if operation.kind in STARTS and operation.status == HTTPStatus.OK and not self._could_be_running(operation):
            yield self._violation("invented", "the timer reported as running never ran", operation)
        if (
            operation.kind == "discard"
            and operation.number not in self._causes
            and None not in self.timeline.running(operation)
        ):
            yield self._violation("lost", "a timer kept running after an acknowledged discard", operation)

    def _could_be_running(self, operation: Operation) -> bool:
        """Whether the reported timer can have run, on the requested work item."""
        timer, item = (operation.answer or {}).get("id"), item_of(operation.body or {})
        running = self.timeline.running(operation)
        return any(each is not None and (each.timer, each.item) == (timer, item) for each in running)

    def _check_shown_entries(self, operation: Operation) -> Iterator[Violation]:
        """Every version of an entry in a response is in the log with the same values."""
        for shown in find_timers(operation.answer):
            if "version" not in shown:
                continue  # a running timer
            row = self.log_index.versions.get((shown["id"], shown["version"]))
            if row is None:
                yield self._violation("lost", "a shown entry is not in the log", operation)
            elif differences := list(_find_differences(shown, row.after or {})):
                yield self._violation("changed", f"{', '.join(differences)} of a shown entry", operation, row)

    @cached_property
    def _causes(self) -> set[int]:
        return {each.number for each in self.timeline.causes.values()}

    def _violation(self, kind: str, detail: str, *about: Operation | LogRow) -> Violation:
        return build_violation(self.history, kind, detail, *about)


def _find_differences(shown: Json, after: Json) -> Iterator[str]:
    yield from (name for name in _INSTANTS if not are_equal(shown[name], after[name]))
    yield from (name for name in _LOGGED_FIELDS if shown.get(name) != after.get(name))


def _without_write_back(answer: Any) -> Any:  # noqa: ANN401 - any JSON
    """The response without the progress of the write-back."""
    if isinstance(answer, dict):
        return {name: _without_write_back(value) for name, value in answer.items() if not name.startswith(_WRITE_BACK)}
    return [_without_write_back(each) for each in answer] if isinstance(answer, list) else answer
