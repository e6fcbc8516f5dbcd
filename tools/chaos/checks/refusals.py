"""Checks the refusals of one person: each must have been true at some moment of the request."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from tools.chaos.checks.database import ItemKey, LogRow
from tools.chaos.checks.violation import Violation, build_violation
from tools.chaos.clients.history import History, Operation, Outcome
from tools.chaos.clients.timeline import Timeline


NOT_RUNNING: Final = "no_running_timer"
NOT_STARTED: Final = "timer_not_started"
RUNNING: Final = "timer_already_running"
NOT_FOUND: Final = "not_found"
_CONCURRENT: Final = {"conflict"}
_LATE: Final = {"inside_another_entry"}
_CHANGED: Final = {"invalid_times", NOT_FOUND, "precondition_failed"}
_UNPAID_STATUSES: Final = {HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN}
# Possible refusals of people whose plan is in order. Other kinds of operations are not checked.
_POSSIBLE: Final[Mapping[str, set[str]]] = {
    "start": {RUNNING, *_CONCURRENT},
    "named start": _CONCURRENT,
    "switch": _CONCURRENT,
    "late start": {RUNNING, *_CONCURRENT, *_LATE},
    "stop": {NOT_RUNNING, *_CONCURRENT},
    "named stop": {NOT_RUNNING, NOT_STARTED, *_CONCURRENT},
    "late stop": {NOT_RUNNING, NOT_STARTED, "stop_before_start", *_CONCURRENT, *_LATE},
    "discard": set(),
    "enter": set(),
    "correct": _CHANGED,
    "delete": _CHANGED,
    "entry": _CHANGED,
    "running": set(),
    "entries": set(),
    "report": set(),
    "sign-in": set(),
}


@dataclass
class RefusalChecks:
    """`deleted` are the ids of all deleted entries; people who pay may be refused for lack of a plan."""

    history: History
    timeline: Timeline
    deleted: set[str]
    is_paying: bool

    def violations(self) -> Iterator[Violation]:
        for operation in self.history.operations:
            if not operation.is_refused or (self.is_paying and operation.status in _UNPAID_STATUSES):
                continue
            code = (operation.answer or {}).get("code", "")
            if code not in _POSSIBLE.get(operation.kind, {code}) or not self._is_possible(operation, code):
                yield build_violation(
                    self.history, "refused", f"{operation.status} {code}, which was never true", operation
                )

    def _is_possible(self, operation: Operation, code: str) -> bool:
        timer_id: str | None = (operation.body or {}).get("timerId")
        if code == NOT_STARTED:
            return self.timeline.can_follow(operation, timer_id or "")
        if code == NOT_RUNNING and timer_id is not None:
            return self.timeline.can_precede(operation, {"discarded", "deleted"}, timer_id)
        if code == NOT_RUNNING:
            return None in self.timeline.running(operation)
        if code == RUNNING:
            return any(_conflicts(operation, running) for running in self.timeline.running(operation))
        if code == NOT_FOUND:
            return operation.entry in self.deleted
        return code not in _CONCURRENT or self._has_concurrent_unknown(operation)

    def _has_concurrent_unknown(self, operation: Operation) -> bool:
        """Whether another request with an unknown result may have been processed at the same time."""
        unknown_operations = (
            each for each in self.history.operations if each.writes and each.outcome is Outcome.UNKNOWN
        )
        return any(
            each.sent_at <= operation.ended_at and operation.sent_at <= each.done_by for each in unknown_operations
        )


def _conflicts(operation: Operation, running: LogRow | None) -> bool:
    if running is None or operation.body is None:
        return False
    reported = (operation.answer or {}).get("runningTimer", {}).get("id")
    item: ItemKey = (operation.body["project"], operation.body["workItemId"])
    return running.timer == reported and (operation.kind != "start" or running.item != item)
