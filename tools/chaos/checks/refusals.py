"""Judges what one person was refused: at some moment while they asked, it must have been right."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from tools.chaos.checks.database import Item, Row
from tools.chaos.checks.violation import Violation, violation
from tools.chaos.clients.history import History, Operation, Outcome
from tools.chaos.clients.timeline import Moments


NOT_RUNNING: Final = "no_running_timer"
NOT_STARTED: Final = "timer_not_started"
RUNNING: Final = "timer_already_running"
NOT_FOUND: Final = "not_found"
_MEANWHILE: Final = {"conflict"}
_LATE: Final = {"inside_another_entry"}
_CHANGED: Final = {"invalid_times", NOT_FOUND, "precondition_failed"}
_UNPAID: Final = {HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN}
# What can be answered to whom nobody keeps from working; kinds that are not here are not judged.
_POSSIBLE: Final[Mapping[str, set[str]]] = {
    "start": {RUNNING, *_MEANWHILE},
    "named start": _MEANWHILE,
    "switch": _MEANWHILE,
    "late start": {RUNNING, *_MEANWHILE, *_LATE},
    "stop": {NOT_RUNNING, *_MEANWHILE},
    "named stop": {NOT_RUNNING, NOT_STARTED, *_MEANWHILE},
    "late stop": {NOT_RUNNING, NOT_STARTED, "stop_before_start", *_MEANWHILE, *_LATE},
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
class Refusals:
    """`deleted` are everybody's entries that are; `pays` is whoever may be kept from working."""

    history: History
    moments: Moments
    deleted: set[str]
    pays: bool

    def violations(self) -> Iterator[Violation]:
        for asked in self.history.operations:
            if not asked.is_refused or (self.pays and asked.status in _UNPAID):
                continue
            code = (asked.answer or {}).get("code", "")
            if code not in _POSSIBLE.get(asked.kind, {code}) or not self._can_be(asked, code):
                yield violation(self.history, "refused", f"{asked.status} {code}, which was at no time so", asked)

    def _can_be(self, asked: Operation, code: str) -> bool:
        named: str | None = (asked.body or {}).get("timerId")
        if code == NOT_STARTED:
            return self.moments.can_follow(asked, named or "")
        if code == NOT_RUNNING and named is not None:
            return self.moments.can_precede(asked, {"discarded", "deleted"}, named)
        if code == NOT_RUNNING:
            return None in self.moments.running(asked)
        if code == RUNNING:
            return any(_is_in_the_way(asked, running) for running in self.moments.running(asked))
        if code == NOT_FOUND:
            return asked.entry in self.deleted
        return code not in _MEANWHILE or self._is_in_flight(asked)

    def _is_in_flight(self, asked: Operation) -> bool:
        """Whether something else of theirs, of which nobody knows, may have been done at the same time."""
        unknown = (each for each in self.history.operations if each.writes and each.outcome is Outcome.UNKNOWN)
        return any(each.sent_at <= asked.ended_at and asked.sent_at <= each.done_by for each in unknown)


def _is_in_the_way(asked: Operation, running: Row | None) -> bool:
    if running is None or asked.body is None:
        return False
    told = (asked.answer or {}).get("runningTimer", {}).get("id")
    item: Item = (asked.body["project"], asked.body["workItemId"])
    return running.timer == told and (asked.kind != "start" or running.item != item)
