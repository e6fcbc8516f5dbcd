"""A reference model of time tracking in plain Python, which the product must agree with after every step."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any
from zoneinfo import ZoneInfo


QUARTER = dt.timedelta(minutes=15)
MS = dt.timedelta(milliseconds=1)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Running:
    id: str
    item: int
    started_at: dt.datetime
    note: str | None = None


@dataclass(frozen=True)
class Entry:
    id: str
    user: str
    item: int
    started_at: dt.datetime
    stopped_at: dt.datetime
    zone: str
    source: str
    needs_review: bool = False
    end_inferred: bool = False
    version: int = 1
    note: str | None = None

    @property
    def elapsed_ms(self) -> int:
        return (self.stopped_at - self.started_at) // MS

    @property
    def days(self) -> dict[dt.date, int]:
        """By quarters of an hour, since every midnight and every clock change is at one."""
        days: dict[dt.date, int] = defaultdict(int)
        at = self.started_at
        zone = ZoneInfo(self.zone)
        while at < self.stopped_at:
            end = min(self.stopped_at, EPOCH + ((at - EPOCH) // QUARTER + 1) * QUARTER)
            days[at.astimezone(zone).date()] += (end - at) // MS
            at = end
        return dict(days) or {self.started_at.astimezone(zone).date(): 0}


@dataclass
class Reference:
    """The expected data: running timers, entries, and (user, timer, event, version) of the log."""

    zone: str
    limit: dt.timedelta = dt.timedelta(hours=12)
    running: dict[str, Running] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    log: list[tuple[str, str, str, int]] = field(default_factory=list)

    def start(self, user: str, timer_id: str, item: int, now: dt.datetime) -> None:
        assert user not in self.running
        self.running[user] = Running(timer_id, item, now)
        self.log.append((user, timer_id, "started", 0))

    def move_start(self, user: str, at: dt.datetime) -> bool:
        """Moves the start of the running timer; False if the time is in an entry of another timer."""
        timer = self.running[user]
        timed = [entry for entry in self.entries.values() if entry.user == user and entry.source != "manual"]
        if at < timer.started_at:
            covering = [entry for entry in timed if entry.started_at <= at < entry.stopped_at]
            if any(at < entry.started_at < timer.started_at for entry in timed):
                return False
            if any(not entry.end_inferred or entry.started_at == at for entry in covering):
                return False
            for entry in sorted(covering, key=lambda each: each.started_at):
                over = at - entry.started_at > self.limit
                self._replace(entry, "corrected", stopped_at=at, needs_review=over)
        if at != timer.started_at:
            self.running[user] = replace(timer, started_at=at)
            self.log.append((user, timer.id, "changed", 0))
        return True

    def change_note(self, user: str, note: str | None) -> None:
        timer = self.running[user]
        if note != timer.note:
            self.running[user] = replace(timer, note=note)
            self.log.append((user, timer.id, "changed", 0))

    def note_at_stop(self, user: str, note: str | None) -> None:
        timer = self.running[user]
        self.running[user] = replace(timer, note=note or timer.note)

    def stop(self, user: str, now: dt.datetime, source: str = "timer", *, switched: bool = False) -> None:
        timer = self.running.pop(user)
        over = source == "autoStopped" or now - timer.started_at > self.limit
        span = timer.started_at, now, self.zone, source
        inferred = switched or source == "autoStopped"
        self.entries[timer.id] = Entry(timer.id, user, timer.item, *span, over, inferred, note=timer.note)
        self.log.append((user, timer.id, "stopped", 1))

    def discard(self, user: str) -> None:
        timer = self.running.pop(user)
        self.log.append((user, timer.id, "discarded", 0))

    def enter(self, user: str, entry_id: str, item: int, started_at: dt.datetime, stopped_at: dt.datetime) -> None:
        self.entries[entry_id] = Entry(entry_id, user, item, started_at, stopped_at, self.zone, "manual")
        self.log.append((user, entry_id, "entered", 1))

    def correct(self, entry_id: str, **changes: object) -> None:
        old = self.entries[entry_id]
        timed = {"started_at", "stopped_at"} & changes.keys()
        confirmed = {"needs_review": False, "end_inferred": False} if timed else {}
        self._replace(old, "corrected", **{**confirmed, **changes})

    def confirm(self, entry_id: str) -> None:
        self._replace(self.entries[entry_id], "confirmed", needs_review=False, end_inferred=False)

    def _replace(self, old: Entry, event: str, **changes: Any) -> None:  # noqa: ANN401 - the fields of an entry
        self.entries[old.id] = replace(old, **changes, version=old.version + 1)
        self.log.append((old.user, old.id, event, old.version + 1))

    def delete(self, entry_id: str) -> None:
        old = self.entries.pop(entry_id)
        self.log.append((old.user, entry_id, "deleted", old.version + 1))

    def stop_forgotten(self, now: dt.datetime) -> None:
        for user, timer in list(self.running.items()):
            if now - timer.started_at >= self.limit:
                self.stop(user, timer.started_at + self.limit, "autoStopped")

    def totals(self, of: str, user: str | None = None) -> dict[object, int]:
        """Milliseconds by day, item or user; of one user or of everyone."""
        sums: dict[object, int] = defaultdict(int)
        for entry in self.entries.values():
            if user in (None, entry.user):
                for date, ms in entry.days.items():
                    sums[{"day": date.isoformat(), "workItem": entry.item, "user": entry.user}[of]] += ms
        return dict(sums)
