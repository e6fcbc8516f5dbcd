"""The possible states of one person's timers at the time of each request.

A person sends one request at a time, so time is counted in request numbers. An acknowledged request made its rows at
its own number; a request with an unknown result between its own number and the last one sent while it was in flight.
"""

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import inf

from tools.chaos.checks.database import LogRow, PersonRows, starts_ended_at_once
from tools.chaos.clients.history import STARTS, History, Operation, Outcome


@dataclass
class Timeline:
    """`causes` are the requests of the rows, found by `Attribution`."""

    history: History
    rows: PersonRows
    causes: Mapping[int, Operation]

    def of(self, operation: Operation) -> Iterator[int]:
        """The possible numbers of rows in the log at the time of the request."""
        earliest, latest = self._bounds
        last = bisect_right(earliest, operation.number)
        return (position for position in range(bisect_left(latest, operation.number), last))

    def running(self, operation: Operation) -> Iterator[LogRow | None]:
        """The start of the running timer, or None, at each possible time of the request."""
        return (self._running_after[position] for position in self.of(operation))

    def can_precede(self, operation: Operation, events: Iterable[str], timer: str) -> bool:
        """Whether the log can have had a row of the timer with one of these events."""
        places = [place for place, row in enumerate(self._rows) if row.timer == timer and row.event in events]
        return bool(places) and any(position > places[0] for position in self.of(operation))

    def can_follow(self, operation: Operation, timer: str) -> bool:
        """Whether the timer may not have been started yet."""
        starts = (place for place, row in enumerate(self._rows) if row.event == "started" and row.timer == timer)
        first = next(starts, inf)
        return any(position <= first for position in self.of(operation))

    @cached_property
    def _rows(self) -> list[LogRow]:
        return [row for row in self.rows.log if row.event in {"started", "stopped", "discarded", "deleted"}]

    @cached_property
    def _running_after(self) -> list[LogRow | None]:
        """The running timer after each number of rows, from zero."""
        running: LogRow | None = None
        states: list[LogRow | None] = [None]
        ended = starts_ended_at_once(self._rows)
        for row in self._rows:
            if row.event == "started":
                running = running if row.number in ended else row
            elif running is not None and running.timer == row.timer:
                running = None
            states.append(running)
        return states

    @cached_property
    def _bounds(self) -> tuple[list[float], list[float]]:
        """By number of rows: the earliest time with all of them, and the latest time without the others."""
        spans = [self._span(row) for row in self._rows]
        earliest = list(accumulate((first for first, _ in spans), max, initial=-inf))
        latest = list(accumulate((last for _, last in reversed(spans)), min, initial=inf))
        return earliest, latest[::-1]

    def _span(self, row: LogRow) -> tuple[float, float]:
        """The first and last possible number of a row. A stop by timer id may return an entry that ended before."""
        operation = self.causes.get(row.number)
        if operation is None or row.event in {"discarded", "deleted"}:
            return -inf, inf
        first = operation.number if operation.kind in STARTS or operation.kind == "stop" else -inf
        if operation.outcome is Outcome.ACKNOWLEDGED:
            return first, operation.number
        return first, self._numbers[bisect_right(self._sent, operation.done_by) - 1]

    @cached_property
    def _numbers(self) -> list[int]:
        return [each.number for each in self.history.operations]

    @cached_property
    def _sent(self) -> list[dt.datetime]:
        return [each.sent_at for each in self.history.operations]
