"""Plays one person's log again: one timer at a time, it comes to what is kept, and what they saw is what it says."""

from dataclasses import dataclass, field

from tools.chaos.checks.database import Kept, Row, ended_at_once
from tools.chaos.checks.violation import Violation, same, violation
from tools.chaos.clients.history import IN_FLIGHT, STARTS, STOPS, History, Operation, Outcome


@dataclass
class Replay:
    history: History
    kept: Kept
    found: list[Violation] = field(default_factory=list)

    def violations(self) -> list[Violation]:
        """Everything in which log, database and reads differ."""
        self._replay()
        self._compare_reads()
        return self.found

    def _replay(self) -> None:
        """Goes through the log: one timer at a time, and what is kept is what the log comes to."""
        running: str | None = None
        last: dict[str, Row] = {}
        ended = ended_at_once(self.kept.log)
        for row in self.kept.log:
            if row.event == "started" and row.number not in ended:
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
            is_same = (
                same(entry.started_at.isoformat(), after["startedAt"])
                and same(entry.stopped_at.isoformat(), after["stoppedAt"])
                and entry.elapsed_ms == after["elapsedMs"]
                and entry.version == after["version"]
                and entry.note == after["note"]
                and entry.source == after["source"]
                and entry.needs_review == after["needsReview"]
                and entry.time_zone == after["timeZone"]
            )
            if not is_same:
                self._wrong("changed", f"the entry {timer} is not as last logged", last[timer])

    def _compare_reads(self) -> None:
        """Whoever knows what became of all they asked for sees just that."""
        running, blind_until = None, self.history.operations[0].sent_at if self.history.operations else None
        for asked in self.history.operations:
            answer = asked.answer or {}
            if asked.outcome is Outcome.UNKNOWN and asked.writes:
                blind_until = asked.ended_at + IN_FLIGHT
            elif asked.outcome is not Outcome.ACKNOWLEDGED:
                continue
            elif asked.kind == "running":
                if running != answer.get("id") and blind_until is not None and asked.sent_at > blind_until:
                    self._wrong("changed", f"{running} must run, and {answer.get('id')} is seen to", asked)
                running = answer.get("id")
            elif asked.kind in STARTS and "ended" not in answer:
                running = answer["id"]
            elif asked.kind == "discard" or (asked.kind in STOPS and answer["id"] == running):
                running = None

    def _wrong(self, what: str, detail: str, *about: Operation | Row | str) -> None:
        self.found.append(violation(self.history, what, detail, *about))
