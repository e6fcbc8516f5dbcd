"""Compares one person's history with what the database holds of them: each row has one cause, each answer its rows."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from devcloud.chaos.history import History, Json, Operation, Outcome
from devcloud.chaos.stored import Kept, Row


IN_FLIGHT: Final = dt.timedelta(seconds=60)  # so long after its last sending a request may still be done
ROUNDED: Final = dt.timedelta(milliseconds=2)
STARTS: Final = {"start", "named start", "switch", "late start"}
STOPS: Final = {"stop", "named stop", "late stop"}


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken: which, what is wrong, and the lines of the history and the log that show it."""

    what: str
    detail: str
    lines: tuple[str, ...] = ()


@dataclass
class Explanation:
    """`off` is how far any worker's clock was off at the most."""

    history: History
    kept: Kept
    off: dt.timedelta
    found: list[Violation] = field(default_factory=list)
    _causes: dict[int, Operation] = field(default_factory=dict)  # by the row's number

    def violations(self) -> list[Violation]:
        """Everything that is wrong for this person."""
        self._rows = {(row.event, row.timer, row.version): row for row in self.kept.done}
        self._versions = {(row.timer, row.version): row for row in self.kept.done if row.version}
        if self.kept.accounts > 1:
            self._wrong("doubled", f"{self.kept.accounts} accounts of {self.history.oid}")
        open_ = [each for each in self._written() if not self._settle(each)]
        self._explain_rest(open_)
        self._replay()
        return self.found

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
        status, answer = self.kept.answers.get(asked.key, (404, {}))
        if status < 400:  # noqa: PLR2004 - done: the answer that never arrived says what
            self._expect(asked, status, answer)
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
            row = next((each for each in self.kept.done if each.event == "deleted" and each.timer == entry), None)
            self._claim(asked, row if row is not None and row.reason == asked.mark else None, None)
        elif asked.kind == "discard":
            row = next(
                (each for each in self._unclaimed() if each.event == "discarded" and self._in_time(asked, each)), None
            )
            if row is not None:  # where none ran nothing was thrown away
                self._causes[row.number] = asked

    def _claim_version(self, asked: Operation, entry: Json, *, made: bool) -> None:
        """The row that made this version of an entry; unless it `made` it itself, another may have."""
        row = self._versions.get((entry["id"], entry["version"]))
        if row is None or row.after is None:
            self._wrong("lost", "an acknowledged entry is not in the log", asked)
            return
        differs = [name for name in ("startedAt", "stoppedAt", "elapsedMs") if not _same(row.after[name], entry[name])]
        if differs:
            self._wrong("changed", f"{', '.join(differs)} of what was acknowledged", asked, row)
        if made or row.number not in self._causes:
            self._claim(asked, row, None)

    def _claim(self, asked: Operation, row: Row | None, happened_at: str | None) -> None:
        if row is None:
            self._wrong("lost", f"an acknowledged {asked.kind} left no row", asked)
            return
        cause = self._causes.setdefault(row.number, asked)
        if cause is not asked:
            self._wrong("doubled", "two answers promise one row", cause, asked, row)
        if happened_at is not None and not _same(row.happened_at.isoformat(), happened_at):
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
            return starts and named == row.timer and self._note(row.timer) in {None, asked.mark}
        if row.event == "stopped":
            return asked.kind in STOPS or (starts and asked.kind != "start")
        if row.event == "discarded":
            return asked.kind == "discard"
        if row.event == "entered":
            return asked.kind == "enter" and row.note == asked.mark
        if row.reason is None:
            return asked.kind == "late stop" and body["timerId"] == row.timer
        return asked.kind in {"correct", "delete"} and row.reason == asked.mark

    def _replay(self) -> None:
        """Goes through the log: one timer at a time, and what is kept is what the log comes to."""
        running: str | None = None
        last: dict[str, Row] = {}
        ends = {row.timer: row for row in self.kept.log if row.event == "stopped"}
        for row in self.kept.log:
            end = ends.get(row.timer)
            ends_at_once = end is not None and row.reported_late and end.received_at == row.received_at
            if row.event == "started" and not ends_at_once:
                if running is not None:
                    self._wrong("doubled", "a timer was started while another ran", row)
                running = row.timer
            elif row.event in {"stopped", "discarded"} and row.timer == running:
                running = None
            if row.version:
                last[row.timer] = row
        self._compare_entries({timer: row for timer, row in last.items() if row.event != "deleted"})
        kept = [str(each.public_id) for each in self.kept.running]
        if kept != ([] if running is None else [running]):
            self._wrong("changed", f"the log lets {running} run, the database {kept}")

    def _compare_entries(self, last: dict[str, Row]) -> None:
        for timer in sorted(last.keys() ^ self.kept.entries.keys()):
            self._wrong(
                "lost" if timer in last else "invented", f"the entry {timer} is not in both log and database", timer
            )
        for timer in last.keys() & self.kept.entries.keys():
            entry, after = self.kept.entries[timer], last[timer].after or {}
            same = (
                _same(entry.started_at.isoformat(), after["startedAt"])
                and _same(entry.stopped_at.isoformat(), after["stoppedAt"])
                and entry.elapsed_ms == after["elapsedMs"]
                and entry.version == after["version"]
            )
            if not same:
                self._wrong("changed", f"the entry {timer} is not as last logged", last[timer])

    def _in_time(self, asked: Operation, row: Row) -> bool:
        """Whether the service can have received it then, by clocks that may be off."""
        late = IN_FLIGHT if asked.outcome is Outcome.UNKNOWN else ROUNDED
        return asked.sent_at - self.off - ROUNDED <= row.received_at <= asked.ended_at + self.off + late

    def _note(self, timer: str) -> str | None:
        notes = [row.note for row in self.kept.done if row.timer == timer and row.after is not None]
        notes += [each.note for each in self.kept.running if str(each.public_id) == timer]
        return notes[0] if notes else None

    def _unclaimed(self) -> Iterator[Row]:
        return (row for row in self.kept.done if row.number not in self._causes)

    def _wrong(self, what: str, detail: str, *about: Operation | Row | str) -> None:
        named = [each.timer if isinstance(each, Row) else each for each in about if not isinstance(each, Operation)]
        near = [] if not named else self.history.near(*named)
        lines = [each if isinstance(each, str) else each.told() for each in about]
        self.found.append(Violation(what, detail, tuple(dict.fromkeys([*lines, *(each.told() for each in near)]))))


def _same(one: object, other: object) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return dt.datetime.fromisoformat(one) == dt.datetime.fromisoformat(other)
    return one == other
