"""What one person's timers were at the moments at which they asked, as far as it is known when each row came to be.

The log of their time, with what is known of when each of its rows came to be, tells what ran at any moment. A person
asks for one thing at a time, so moments are counted by the numbers of what they asked for: what was answered was done
at its own number, and what nobody knows of may have been done up to the last one that was sent within its time.
"""

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import inf

from tools.chaos.checks.database import Kept, Row, ended_at_once
from tools.chaos.clients.history import STARTS, History, Operation, Outcome


@dataclass
class Moments:
    """`causes` are those of the rows, as an Explanation has found them."""

    history: History
    kept: Kept
    causes: Mapping[int, Operation]

    def of(self, asked: Operation) -> Iterator[int]:
        """After how many rows it can have been done, or refused."""
        least, most = self._bounds
        last = bisect_right(least, asked.number)
        return (cut for cut in range(bisect_left(most, asked.number), last))

    def running(self, asked: Operation) -> Iterator[Row | None]:
        """What ran then, at each of these moments: the start of a timer, or None."""
        return (self._states[cut] for cut in self.of(asked))

    def can_precede(self, asked: Operation, events: Iterable[str], timer: str) -> bool:
        """Whether a row of one of these events of a timer can have been there."""
        places = [place for place, row in enumerate(self._rows) if row.timer == timer and row.event in events]
        return bool(places) and any(cut > places[0] for cut in self.of(asked))

    def can_follow(self, asked: Operation, timer: str) -> bool:
        """Whether a timer can have been started only later, or never."""
        begun = (place for place, row in enumerate(self._rows) if row.event == "started" and row.timer == timer)
        first = next(begun, inf)
        return any(cut <= first for cut in self.of(asked))

    @cached_property
    def _rows(self) -> list[Row]:
        return [row for row in self.kept.log if row.event in {"started", "stopped", "discarded", "deleted"}]

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
        if cause is None or row.event in {"discarded", "deleted"}:
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
