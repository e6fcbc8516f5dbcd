"""Finds a cause for whatever no answer promises: one transaction each for the requests of which nobody knows."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from tools.chaos.checks.database import Kept, Logged, Row
from tools.chaos.checks.violation import same
from tools.chaos.checks.work_items import item_of
from tools.chaos.clients.history import STOPS, Operation


Events = tuple[str, ...]
_STARTED: Final = ("started",)
_STOPPED: Final = ("stopped",)
# The rows that one request can leave, in their order. Time that a late start cut short is left out of it.
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
class Deed:
    """What one transaction left that no answer promises."""

    rows: tuple[Row, ...]

    @property
    def events(self) -> Events:
        return tuple(row.event for row in self.rows)


@dataclass
class Deeds:
    """`in_time` tells whether a request can have been received when a row was."""

    kept: Kept
    logged: Logged
    unknown: list[Operation]
    in_time: Callable[[Operation, Row], bool]
    _taken: dict[int, Deed] = field(default_factory=dict)

    def without_cause(self, claimed: Mapping[int, Operation]) -> Iterator[Deed]:
        """Those that no request explains, when none explains more than one."""
        for deed in self._left(claimed):
            if not self._find_cause(deed, set()):
                yield deed

    def _left(self, claimed: Mapping[int, Operation]) -> Iterator[Deed]:
        """A transaction looks at the clock once, so that its rows follow each other and have one instant."""
        for _, together in itertools.groupby(self.kept.done, lambda row: row.received_at):
            rows = list(together)
            left = [row for row in rows if row.number not in claimed and not self._made_room(row, rows)]
            if left:
                yield Deed(tuple(left))

    def _made_room(self, row: Row, beside: list[Row]) -> bool:
        """Whether what ran on, since nobody had said its end, was ended by a start that was told late."""
        before = self.logged.versions.get((row.timer, row.version - 1))
        if row.event != "corrected" or row.reason is not None or row.after is None or before is None:
            return False
        return any(
            start.event == "started"
            and start.reported_late
            and same(row.after["stoppedAt"], start.happened_at.isoformat())
            and _holds(before, start)
            for start in beside
        )

    def _find_cause(self, deed: Deed, tried: set[int]) -> bool:
        """An augmenting path of a matching: a cause that another deed holds is had, if that deed finds another."""
        for asked in self.unknown:
            if asked.number in tried or not self._may_explain(asked, deed):
                continue
            tried.add(asked.number)
            held = self._taken.get(asked.number)
            if held is None or self._find_cause(held, tried):
                self._taken[asked.number] = deed
                return True
        return False

    def _may_explain(self, asked: Operation, deed: Deed) -> bool:
        return deed.events in _POSSIBLE.get(asked.kind, set()) and all(
            self.in_time(asked, row) and self._could_make(asked, row) for row in deed.rows
        )

    def _could_make(self, asked: Operation, row: Row) -> bool:
        named = (asked.body or {}).get("timerId")
        if row.event == "started":
            is_named = named in {None, row.timer} and item_of(asked.body or {}) == row.item
            return is_named and self._notes.get(row.timer) in {None, asked.mark}
        if row.event == "stopped":
            ends_itself = asked.kind == "late start" or asked.kind in STOPS
            return named is None or (named == row.timer) == ends_itself
        if row.event == "entered":
            return row.note == asked.mark
        if row.event == "corrected" and row.reason is None:
            return bool(named == row.timer)
        return row.event == "discarded" or row.reason == asked.mark

    @cached_property
    def _notes(self) -> dict[str, str | None]:
        """By timer: its note, which is the mark of its start."""
        running = {str(each.public_id): each.note for each in self.kept.running}
        return running | {row.timer: row.note for row in self.kept.done if row.after is not None}


def _holds(entry: Row, start: Row) -> bool:
    """Whether an entry ran when something else was started."""
    began, ended = entry.instant("startedAt"), entry.instant("stoppedAt")
    return began is not None and ended is not None and began <= start.happened_at <= ended
