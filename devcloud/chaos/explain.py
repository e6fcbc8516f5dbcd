"""Compares one person's history with what the database holds of them: each row has one cause, each answer its rows."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus

from devcloud.chaos.clocks import Clocks
from devcloud.chaos.history import STARTS, STOPS, History, Json, Operation, Outcome
from devcloud.chaos.stored import Kept, Row
from devcloud.chaos.violation import Violation, same, violation


@dataclass
class Explanation:
    """`causes`, by the row's number, are known when `violations` has looked."""

    history: History
    kept: Kept
    clocks: Clocks
    found: list[Violation] = field(default_factory=list)
    causes: dict[int, Operation] = field(default_factory=dict)

    def violations(self) -> list[Violation]:
        """Everything that is wrong for this person."""
        if self.kept.accounts > 1:
            self._wrong("doubled", f"{self.kept.accounts} accounts of {self.history.oid}")
        open_ = [each for each in self._written() if not self._settle(each)]
        self._explain_rest(open_)
        return self.found

    @cached_property
    def _rows(self) -> dict[tuple[str, str, int], Row]:
        return {(row.event, row.timer, row.version): row for row in self.kept.done}

    @cached_property
    def _versions(self) -> dict[tuple[str, int], Row]:
        return {(row.timer, row.version): row for row in self.kept.done if row.version}

    @cached_property
    def _notes(self) -> dict[str, str | None]:
        """By timer: its note, which is the mark of its start."""
        running = {str(each.public_id): each.note for each in self.kept.running}
        return running | {row.timer: row.note for row in self.kept.done if row.after is not None}

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
            if asked.key is not None and asked.key not in self.kept.answers:
                self._wrong("lost", "the answer kept for an Idempotency-Key is gone", asked)
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
            entry = asked.path.partition("/")[2].partition("?")[0]
            row = self._deleted.get(entry)
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
        differs = [name for name in ("startedAt", "stoppedAt", "elapsedMs") if not same(row.after[name], entry[name])]
        if differs:
            self._wrong("changed", f"{', '.join(differs)} of what was acknowledged", asked, row)
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

    def _explain_rest(self, unknown: list[Operation]) -> None:
        """Every other row needs a cause of its own among the operations of which nobody knows."""
        rest = list(self._unclaimed())
        for row in [each for each in rest if each.event == "corrected" and each.reason is None and each.reported_late]:
            beside = [
                each for each in self.kept.done if each.received_at == row.received_at and each.event == "started"
            ]
            if any(each.reported_late for each in beside):
                rest.remove(row)  # what ran on made room for a start that was told late
        taken: dict[tuple[int, str], Row] = {}
        for row in rest:
            if not self._find_cause(row, unknown, taken, set()):
                self._wrong("invented", "a row that nobody asked for", row)

    def _find_cause(
        self, row: Row, unknown: list[Operation], taken: dict[tuple[int, str], Row], tried: set[tuple[int, str]]
    ) -> bool:
        """An augmenting path of a matching: a cause that another row holds is had, if that row finds another."""
        for asked in unknown:
            cause = (asked.number, row.event)
            if cause in tried or not self._may_explain(asked, row):
                continue
            tried.add(cause)
            if cause not in taken or self._find_cause(taken[cause], unknown, taken, tried):
                taken[cause] = row
                return True
        return False

    def _may_explain(self, asked: Operation, row: Row) -> bool:
        return self._in_time(asked, row) and self._could_make(asked, row)

    def _could_make(self, asked: Operation, row: Row) -> bool:
        body, starts = asked.body or {}, asked.kind in STARTS
        if row.event == "started":
            named = body.get("timerId", row.timer)
            return starts and named == row.timer and self._notes.get(row.timer) in {None, asked.mark}
        if row.event == "stopped":
            return asked.kind in STOPS or (starts and asked.kind != "start")
        if row.event == "discarded":
            return asked.kind == "discard"
        if row.event == "entered":
            return asked.kind == "enter" and row.note == asked.mark
        if row.reason is None:
            return asked.kind == "late stop" and body["timerId"] == row.timer
        return asked.kind in {"correct", "delete"} and row.reason == asked.mark

    def _in_time(self, asked: Operation, row: Row) -> bool:
        """Whether the service can have received it then, by clocks that may be off."""
        first, last = self.clocks.span(asked.sent_at, asked.done_by)
        return first <= row.received_at <= last

    def _unclaimed(self) -> Iterator[Row]:
        return (row for row in self.kept.done if row.number not in self.causes)

    def _wrong(self, what: str, detail: str, *about: Operation | Row | str) -> None:
        self.found.append(violation(self.history, what, detail, *about))
