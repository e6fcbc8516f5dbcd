"""Compares the times in one person's log with the times of the requests, and with the times given in them."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Final

from tools.chaos.checks.database import LogRow, PersonRows
from tools.chaos.checks.violation import Violation, build_violation
from tools.chaos.clients.history import History, Json, Operation


_MS: Final = dt.timedelta(milliseconds=1)


@dataclass
class InstantChecks:
    """`Attribution` checks that a row was received during its request."""

    history: History
    rows: PersonRows

    def violations(self) -> Iterator[Violation]:
        for row in self.rows.log:
            yield from self._check_row(row)
        for operation in self.history.operations:
            yield from self._check_given(operation)

    def _check_row(self, row: LogRow) -> Iterator[Violation]:
        """Without a given time, the time of arrival counts. The duration is the end minus the start."""
        started, ended = row.instant("startedAt"), row.instant("stoppedAt")
        if row.event == "started" and not row.reported_late and row.happened_at != row.received_at:
            yield self._violation("a start has another time than its arrival", row)
        if started is None or ended is None or row.after is None:
            return
        if (ended - started) // _MS != row.after["elapsedMs"]:
            yield self._violation("the duration of an entry is not its end minus its start", row)
        is_timed = row.event == "stopped" and not row.reported_late and row.after["source"] == "timer"
        if is_timed and ended != max(started, row.received_at):  # a clock that was set back gives no negative time
            yield self._violation("a stop has another time than its arrival", row)

    def _check_given(self, operation: Operation) -> Iterator[Violation]:
        """A given time is stored as given; a time ahead of the service's clock becomes the service's time."""
        status, answer = self.rows.response_to(operation) or (HTTPStatus.NOT_FOUND, {})
        row = self._row_of(operation, answer)
        if row is None or (operation.kind == "late start" and status != HTTPStatus.CREATED):
            return
        for name in ("startedAt", "stoppedAt"):
            given = (operation.body or {}).get(name)
            if given is None:
                continue
            stored = dt.datetime.fromisoformat(answer[name])
            if stored != min(dt.datetime.fromisoformat(given), row.received_at):
                yield self._violation(f"{name} is not stored as given", operation, row)

    def _row_of(self, operation: Operation, answer: Json) -> LogRow | None:
        """The row with the given time; None for a late stop if the end was known before."""
        if operation.kind == "late start":
            return self._by_version.get((answer.get("id", ""), 0))
        row = self._by_version.get((answer.get("id", ""), answer.get("version", 0)))
        return row if row is None or operation.kind in {"enter", "correct"} or row.reported_late else None

    @cached_property
    def _by_version(self) -> dict[tuple[str, int], LogRow]:
        rows = (row for row in self.rows.done if row.version or row.event == "started")
        return {(row.timer, row.version): row for row in rows}

    def _violation(self, detail: str, *about: Operation | LogRow) -> Violation:
        return build_violation(self.history, "changed", detail, *about)
