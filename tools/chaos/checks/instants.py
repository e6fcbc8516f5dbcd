"""Compares the instants of one person's time with when they asked, and with those they said themselves."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Final

from tools.chaos.checks.database import Kept, Row
from tools.chaos.checks.violation import Violation, violation
from tools.chaos.clients.history import History, Json, Operation


_MS: Final = dt.timedelta(milliseconds=1)


@dataclass
class Instants:
    """That a row was received while its cause was asked for is for the Explanation to see."""

    history: History
    kept: Kept

    def violations(self) -> Iterator[Violation]:
        for row in self.kept.log:
            yield from self._of_row(row)
        for asked in self.history.operations:
            yield from self._said(asked)

    def _of_row(self, row: Row) -> Iterator[Violation]:
        """Who did not say when it was means now; and an entry lasts from its start to its end."""
        began, ended = row.instant("startedAt"), row.instant("stoppedAt")
        if row.event == "started" and not row.reported_late and row.happened_at != row.received_at:
            yield self._wrong("a start was put at another instant than it came", row)
        if began is None or ended is None or row.after is None:
            return
        if (ended - began) // _MS != row.after["elapsedMs"]:
            yield self._wrong("an entry does not last from its start to its end", row)
        timed = row.event == "stopped" and not row.reported_late and row.after["source"] == "timer"
        if timed and ended != max(began, row.received_at):  # a clock that was set back makes no negative time
            yield self._wrong("a stop was put at another instant than it came", row)

    def _said(self, asked: Operation) -> Iterator[Violation]:
        """What a client says is kept as said; what lies ahead of the service's clock is its now."""
        status, answer = self.kept.answer_to(asked) or (HTTPStatus.NOT_FOUND, {})
        row = self._row_of(asked, answer)
        if row is None or (asked.kind == "late start" and status != HTTPStatus.CREATED):
            return
        for name in ("startedAt", "stoppedAt"):
            said = (asked.body or {}).get(name)
            if said is None:
                continue
            kept = dt.datetime.fromisoformat(answer[name])
            if kept != min(dt.datetime.fromisoformat(said), row.received_at):
                yield self._wrong(f"{name} is not kept as it was said", asked, row)

    def _row_of(self, asked: Operation, answer: Json) -> Row | None:
        """The row that says what was said: of a late stop none, where somebody had said the end before."""
        if asked.kind == "late start":
            return self._by_version.get((answer.get("id", ""), 0))
        row = self._by_version.get((answer.get("id", ""), answer.get("version", 0)))
        return row if row is None or asked.kind in {"enter", "correct"} or row.reported_late else None

    @cached_property
    def _by_version(self) -> dict[tuple[str, int], Row]:
        rows = (row for row in self.kept.done if row.version or row.event == "started")
        return {(row.timer, row.version): row for row in rows}

    def _wrong(self, detail: str, *about: Operation | Row) -> Violation:
        return violation(self.history, "changed", detail, *about)
