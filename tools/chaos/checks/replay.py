"""Replays one person's log: one running timer at a time, and the same entries as stored and shown."""

from dataclasses import dataclass, field

from tools.chaos.checks.database import LogRow, PersonRows, starts_ended_at_once
from tools.chaos.checks.violation import Violation, are_equal, build_violation
from tools.chaos.clients.history import IN_FLIGHT, STARTS, STOPS, History, Operation, Outcome


@dataclass
class LogReplay:
    history: History
    rows: PersonRows
    violations_found: list[Violation] = field(default_factory=list)

    def violations(self) -> list[Violation]:
        """The differences of log, database and responses."""
        self._replay()
        self._compare_reads()
        return self.violations_found

    def _replay(self) -> None:
        """One timer runs at a time; the result of the log is stored."""
        running: str | None = None
        last_versions: dict[str, LogRow] = {}
        ended_starts = starts_ended_at_once(self.rows.log)
        for row in self.rows.log:
            if row.event == "started" and row.number not in ended_starts:
                if running is not None:
                    self._add_violation("doubled", "a timer was started while another ran", row)
                running = row.timer
            elif row.event in {"stopped", "discarded"} and row.timer == running:
                running = None
            if row.version:
                last_versions[row.timer] = row
        self._compare_entries({timer: row for timer, row in last_versions.items() if row.event != "deleted"})
        stored = [str(each.public_id) for each in self.rows.running]
        if stored != ([] if running is None else [running]):
            self._add_violation("changed", f"by the log {running} runs, in the database {stored}")

    def _compare_entries(self, last_versions: dict[str, LogRow]) -> None:
        for timer in sorted(last_versions.keys() ^ self.rows.entries.keys()):
            self._add_violation(
                "lost" if timer in last_versions else "invented",
                f"the entry {timer} is not in both log and database",
                timer,
            )
        for timer in last_versions.keys() & self.rows.entries.keys():
            entry, after = self.rows.entries[timer], last_versions[timer].after or {}
            is_same = (
                are_equal(entry.started_at.isoformat(), after["startedAt"])
                and are_equal(entry.stopped_at.isoformat(), after["stoppedAt"])
                and entry.elapsed_ms == after["elapsedMs"]
                and entry.version == after["version"]
                and entry.note == after["note"]
                and entry.source == after["source"]
                and entry.needs_review == after["needsReview"]
                and entry.time_zone == after["timeZone"]
            )
            if not is_same:
                self._add_violation("changed", f"the entry {timer} differs from its last log row", last_versions[timer])

    def _compare_reads(self) -> None:
        """Without unknown results, a client knows its running timer; each response must show it."""
        running, unknown_until = None, self.history.operations[0].sent_at if self.history.operations else None
        for operation in self.history.operations:
            answer = operation.answer or {}
            if operation.outcome is Outcome.UNKNOWN and operation.writes:
                unknown_until = operation.ended_at + IN_FLIGHT
            elif operation.outcome is not Outcome.ACKNOWLEDGED:
                continue
            elif operation.kind == "running":
                if running != answer.get("id") and unknown_until is not None and operation.sent_at > unknown_until:
                    self._add_violation("changed", f"{running} must run, but {answer.get('id')} was shown", operation)
                running = answer.get("id")
            elif operation.kind in STARTS and "ended" not in answer:
                running = answer["id"]
            elif operation.kind == "discard" or (operation.kind in STOPS and answer["id"] == running):
                running = None

    def _add_violation(self, kind: str, detail: str, *about: Operation | LogRow | str) -> None:
        self.violations_found.append(build_violation(self.history, kind, detail, *about))
