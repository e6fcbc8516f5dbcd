"""Judges what one person was told of what ran: at some moment while they asked, it must have been right.

The log of their time, with what is known of when each of its rows came to be, tells what ran at any moment. A person
asks for one thing at a time, so moments are counted by the numbers of what they asked for: what was answered was done
at its own number, and what nobody knows of may have been done up to the last one that was sent within its time.
"""

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from itertools import accumulate
from math import inf
from typing import Final

from devcloud.chaos.history import STARTS, History, Operation, Outcome
from devcloud.chaos.stored import Item, Kept, Row, ended_at_once
from devcloud.chaos.violation import Violation, violation


NOT_RUNNING: Final = "no_running_timer"
NOT_STARTED: Final = "timer_not_started"
RUNNING: Final = "timer_already_running"
_MEANWHILE: Final = {"conflict"}
_LATE: Final = {"inside_another_entry"}
_CHANGED: Final = {"invalid_times", "not_found", "precondition_failed"}
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
    """`causes` are those of the rows, as an Explanation has found them; `pays` is whoever may be kept from working."""

    history: History
    kept: Kept
    causes: Mapping[int, Operation]
    pays: bool

    def violations(self) -> Iterator[Violation]:
        for asked in self.history.operations:
            if asked.kind in {"start", "switch"} and asked.status == HTTPStatus.OK and not self._ran(asked):
                yield violation(self.history, "invented", "what was running already did at no time run", asked)
            if not asked.is_refused or (self.pays and asked.status in _UNPAID):
                continue
            code = (asked.answer or {}).get("code", "")
            if code not in _POSSIBLE.get(asked.kind, {code}) or not self._can_be(asked, code):
                yield violation(self.history, "refused", f"{asked.status} {code}, which was at no time so", asked)

    def _can_be(self, asked: Operation, code: str) -> bool:
        named: str | None = (asked.body or {}).get("timerId")
        if code == NOT_STARTED:
            return any(cut <= self._begun.get(named or "", inf) for cut in self._moments(asked))
        if code == NOT_RUNNING and named is not None:
            return named in self._gone
        if code == NOT_RUNNING:
            return any(self._states[cut] is None for cut in self._moments(asked))
        if code == RUNNING:
            return any(self._is_in_the_way(asked, self._states[cut]) for cut in self._moments(asked))
        return True

    def _ran(self, asked: Operation) -> bool:
        states = (self._states[cut] for cut in self._moments(asked))
        return any(running is not None and running.timer == (asked.answer or {}).get("id") for running in states)

    def _is_in_the_way(self, asked: Operation, running: Row | None) -> bool:
        if running is None or asked.body is None:
            return False
        told = (asked.answer or {}).get("runningTimer", {}).get("id")
        item: Item = (asked.body["project"], asked.body["workItemId"])
        return running.timer == told and (asked.kind != "start" or running.item != item)

    def _moments(self, asked: Operation) -> Iterator[int]:
        """After how many rows of the log they can have been refused."""
        least, most = self._bounds
        last = bisect_right(least, asked.number)
        return (cut for cut in range(bisect_left(most, asked.number), last))

    @cached_property
    def _rows(self) -> list[Row]:
        return [row for row in self.kept.log if row.event in {"started", "stopped", "discarded"}]

    @cached_property
    def _states(self) -> list[Row | None]:
        """What runs after each number of rows, from none on."""
        running: Row | None = None
        states: list[Row | None] = [None]
        ended = ended_at_once(self._rows)
        for row in self._rows:
            if row.event == "started":
                running = running if row.number in ended else row
            elif running is not None and running.timer == row.timer:
                running = None
            states.append(running)
        return states

    @cached_property
    def _bounds(self) -> tuple[list[float], list[float]]:
        """By number of rows: the least moment by which all these are done, and the last before all others are."""
        spans = [self._span(row) for row in self._rows]
        least = list(accumulate((first for first, _ in spans), max, initial=-inf))
        most = list(accumulate((last for _, last in reversed(spans)), min, initial=inf))
        return least, most[::-1]

    def _span(self, row: Row) -> tuple[float, float]:
        """The numbers between which a row came to be; a stop by name is answered with what ended before it, too."""
        cause = self.causes.get(row.number)
        if cause is None or row.event == "discarded":
            return -inf, inf
        first = cause.number if cause.kind in STARTS or cause.kind == "stop" else -inf
        if cause.outcome is Outcome.ACKNOWLEDGED:
            return first, cause.number
        return first, self._numbers[bisect_right(self._sent, cause.done_by) - 1]

    @cached_property
    def _numbers(self) -> list[int]:
        return [each.number for each in self.history.operations]

    @cached_property
    def _sent(self) -> list[dt.datetime]:
        return [each.sent_at for each in self.history.operations]

    @cached_property
    def _begun(self) -> dict[str, int]:
        """By timer: before how many rows it was started."""
        return {row.timer: place for place, row in enumerate(self._rows) if row.event == "started"}

    @cached_property
    def _gone(self) -> set[str]:
        """What was thrown away or deleted, ever."""
        return {row.timer for row in self.kept.log if row.event in {"discarded", "deleted"}}
