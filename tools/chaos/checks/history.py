"""Compares one person's history with what the database holds of them: each row has one cause, each answer its rows."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus

from tools.chaos.checks.database import Kept, Logged, Row
from tools.chaos.checks.unacknowledged import Deeds
from tools.chaos.checks.violation import Violation, same, violation
from tools.chaos.clients.history import STARTS, STOPS, History, Json, Operation, Outcome
from tools.chaos.cloud.clocks import Clocks


@dataclass
class Explanation:
    """`causes`, by the row's number, are known when `violations` has looked."""

    history: History
    kept: Kept
    logged: Logged
    clocks: Clocks
    found: list[Violation] = field(default_factory=list)
    causes: dict[int, Operation] = field(default_factory=dict)

    def violations(self) -> list[Violation]:
        """Everything that is wrong for this person."""
        if self.kept.accounts > 1:
            self._wrong("doubled", f"{self.kept.accounts} accounts of {self.history.oid}")
        unknown = [each for each in self._written() if not self._settle(each)]
        for deed in Deeds(self.kept, self.logged, unknown, self._in_time).without_cause(self.causes):
            self._wrong("invented", f"{' and '.join(deed.events)}, which nobody asked for", *deed.rows)
        return self.found

    @cached_property
    def _rows(self) -> dict[tuple[str, str, int], Row]:
        return {(row.event, row.timer, row.version): row for row in self.kept.done}

    @cached_property
    def _versions(self) -> dict[tuple[str, int], Row]:
        return {(row.timer, row.version): row for row in self.kept.done if row.version}

    @cached_property
    def _deleted(self) -> dict[str, Row]:
        return {row.timer: row for row in self.kept.done if row.event == "deleted"}

    def _written(self) -> list[Operation]:
        return [each for each in self.history.operations if each.writes and each.kind != "sign-in"]

    def _settle(self, asked: Operation) -> bool:
        """Whether it is known what became of it; then what it left behind has been looked at."""
        if asked.outcome is Outcome.REFUSED:
            return True
        if asked.outcome is Outcome.ACKNOWLEDGED:
            self._expect(asked, asked.status or 0, asked.answer or {})
            return True
        if asked.key is None:
            return False
        done = self.kept.answer_to(asked)
        if done is not None:  # the answer that never arrived says what
            self._expect(asked, *done)
        return True

    def _expect(self, asked: Operation, status: int, answer: Json) -> None:
        """Looks for the rows that an answer promises."""
        if asked.kind in STARTS:
            if status == HTTPStatus.CREATED:
                self._claim(asked, self._rows.get(("started", answer["id"], 0)), answer["startedAt"])
            for entry in (answer.get("stopped"), answer.get("ended")):
                if entry is not None:
                    self._claim_version(asked, entry, made=True)
        elif asked.kind in STOPS:
            self._claim_version(asked, answer, made=asked.kind == "stop")
        elif asked.kind in {"enter", "correct"}:
            self._claim_version(asked, answer, made=True)
        elif asked.kind == "delete":
            row = self._deleted.get(asked.entry)
            self._claim(asked, row if row is not None and row.reason == asked.mark else None, None)
        elif asked.kind == "discard":
            row = next(
                (each for each in self._unclaimed() if each.event == "discarded" and self._in_time(asked, each)), None
            )
            if row is not None:  # where none ran nothing was thrown away
                self.causes[row.number] = asked

    def _claim_version(self, asked: Operation, entry: Json, *, made: bool) -> None:
        """The row that made this version of an entry; unless it `made` it itself, another may have, at another time."""
        row = self._versions.get((entry["id"], entry["version"]))
        if row is None or row.after is None:
            self._wrong("lost", "an acknowledged entry is not in the log", asked)
            return
        if made or (row.number not in self.causes and self._in_time(asked, row)):
            self._claim(asked, row, None)

    def _claim(self, asked: Operation, row: Row | None, happened_at: str | None) -> None:
        if row is None:
            self._wrong("lost", f"an acknowledged {asked.kind} left no row", asked)
            return
        cause = self.causes.setdefault(row.number, asked)
        if cause is not asked:
            self._wrong("doubled", "two answers promise one row", cause, asked, row)
        if happened_at is not None and not same(row.happened_at.isoformat(), happened_at):
            self._wrong("changed", "the instant of what was acknowledged", asked, row)
        if not self._in_time(asked, row):
            self._wrong("changed", "done at a time when nobody asked for it", asked, row)

    def _in_time(self, asked: Operation, row: Row) -> bool:
        """Whether the service can have received it then, by clocks that may be off."""
        first, last = self.clocks.span(asked.sent_at, asked.done_by)
        return first <= row.received_at <= last

    def _unclaimed(self) -> Iterator[Row]:
        return (row for row in self.kept.done if row.number not in self.causes)

    def _wrong(self, what: str, detail: str, *about: Operation | Row | str) -> None:
        self.found.append(violation(self.history, what, detail, *about))
