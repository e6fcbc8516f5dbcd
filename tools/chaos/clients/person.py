"""One test user: random actions, and the user's knowledge of the running timer and of entries."""

import datetime as dt
import itertools
import random
from dataclasses import dataclass, field
from typing import Any, Final

from shared import clock
from shared.work import NewId
from tools.chaos.clients.history import History, Json, Operation, Outcome
from tools.chaos.clients.http import Client, StopCondition


PROJECTS: Final = {"Website": (42, 44, 57, 62, 63, 64), "Billing": (75, 76, 79, 88, 91), "Mobile": (104, 105, 106, 112)}
ORGANIZATION: Final = "contoso"
KEY_SHARE: Final = 0.8  # share of POST requests with an Idempotency-Key
RETRY_SHARE: Final = 0.7  # share of requests repeated after an unknown result
MAX_TRIES: Final = 6
WEIGHTS: Final = {
    "start": 20,
    "named start": 10,
    "switch": 12,
    "stop": 30,
    "named stop": 6,
    "discard": 2,
    "late work": 4,
    "enter": 8,
    "correct": 6,
    "delete": 3,
    "running": 6,
    "entries": 2,
    "report": 1,
    "sign-in": 3,
}
MARK: Final = "{mark}"  # placeholder for the mark of an operation
_MS: Final = dt.timedelta(milliseconds=1)


def iso(at: dt.datetime) -> str:
    return at.isoformat(timespec="milliseconds")


@dataclass
class Person:
    """`rng` decides the actions; `late_from` is the start of the time without offline events."""

    name: str
    history: History
    client: Client
    rng: random.Random
    stop: StopCondition
    late_from: dt.datetime
    new_id: NewId = clock.new_id
    running: str | None = None
    entries: dict[str, int] = field(default_factory=dict)  # by id: the last known version
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def work(self) -> None:
        """Performs random actions until the run is over."""
        while not self.stop.is_over:
            self.perform(self.rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0])
            self.stop.count()

    def perform(self, kind: str) -> None:
        """Performs one action of a kind."""
        getattr(self, f"_{kind.replace(' ', '_').replace('-', '_')}")()

    def request(self, kind: str, method: str, path: str, body: Json | None = None, **more: Any) -> Operation:  # noqa: ANN401
        """Sends one request; a random share is repeated while the result is unknown."""
        number = next(self._numbers)
        mark = f"{self.name}-{number}."
        key = str(self.new_id()) if method == "POST" and self.rng.random() < KEY_SHARE else None
        operation = Operation(number, kind, method, path.replace(MARK, mark), _fill_mark(body, mark), mark, key, **more)
        self.history.operations.append(operation)
        tries = MAX_TRIES if (key or method == "GET") and self.rng.random() < RETRY_SHARE else 1
        for _ in range(tries):
            self.client.send(operation)
            if operation.is_answered:
                break
            if self.stop.wait(self.rng.uniform(0.05, 0.4)):
                break
        return operation

    def _start(self) -> None:
        self._apply_start(self.request("start", "POST", "timers/start", self._item()))

    def _named_start(self) -> None:
        """A start with a timer id of the client, which stops by that id even after an unknown result."""
        timer = str(self.new_id())
        operation = self.request(
            "named start", "POST", "timers/start", {**self._item(), "timerId": timer, "switch": True}
        )
        self._apply_start(operation)
        if operation.outcome is Outcome.UNKNOWN:
            self.running = timer

    def _switch(self) -> None:
        self._apply_start(self.request("switch", "POST", "timers/start", {**self._item(), "switch": True}))

    def _stop(self) -> None:
        self._apply_stop(self.request("stop", "POST", "timers/stop"))

    def _named_stop(self) -> None:
        if self.running is not None:
            self._apply_stop(self.request("named stop", "POST", "timers/stop", {"timerId": self.running}))

    def _discard(self) -> None:
        operation = self.request("discard", "DELETE", "timers/running")
        if operation.outcome is Outcome.ACKNOWLEDGED:
            self.running = None

    def _late_work(self) -> None:
        """Sends offline work of the past that overlaps no other work."""
        started = self.late_from
        stopped = started + dt.timedelta(milliseconds=self.rng.randint(500, 4000))
        self.late_from = stopped + dt.timedelta(milliseconds=self.rng.randint(500, 2000))
        if self.late_from > clock.now() - dt.timedelta(hours=1):
            return
        timer = str(self.new_id())
        offline = {**self._item(), "timerId": timer, "startedAt": iso(started)}
        self.request("late start", "POST", "timers/start", offline)
        self._apply_stop(
            self.request("late stop", "POST", "timers/stop", {"timerId": timer, "stoppedAt": iso(stopped)})
        )

    def _enter(self) -> None:
        started = clock.now() - dt.timedelta(days=self.rng.randint(2, 20), seconds=self.rng.randint(0, 80_000))
        stopped = started + dt.timedelta(seconds=self.rng.randint(60, 7200))
        self._remember_response(
            self.request(
                "enter", "POST", "entries", {**self._item(), "startedAt": iso(started), "stoppedAt": iso(stopped)}
            )
        )

    def _correct(self) -> None:
        """Moves the end of a known entry to its middle."""
        if (picked := self._pick_entry()) is None:
            return
        entry, version = picked
        entry_now = self.request("entry", "GET", f"entries/{entry}").answer or {}
        if "stoppedAt" not in entry_now or entry_now["elapsedMs"] < 2:  # noqa: PLR2004 - too short to halve
            return
        stopped = dt.datetime.fromisoformat(entry_now["startedAt"]) + entry_now["elapsedMs"] // 2 * _MS
        body = {"stoppedAt": iso(stopped), "reason": MARK}
        is_fresh = self.rng.random() < 0.9  # noqa: PLR2004 - the others have an old version
        self._remember_response(
            self.request(
                "correct", "PATCH", f"entries/{entry}", body, version=entry_now["version"] if is_fresh else version
            )
        )

    def _delete(self) -> None:
        if (picked := self._pick_entry()) is None:
            return
        entry, version = picked
        operation = self.request("delete", "DELETE", f"entries/{entry}?reason={MARK}", version=version)
        if operation.outcome is Outcome.ACKNOWLEDGED:
            self.entries.pop(entry, None)

    def _running(self) -> None:
        operation = self.request("running", "GET", "timers/running")
        if operation.outcome is Outcome.ACKNOWLEDGED:
            self.running = (operation.answer or {}).get("id")

    def _entries(self) -> None:
        operation = self.request("entries", "GET", "entries?pageSize=20")
        for entry_now in (operation.answer or {}).get("items", []):
            self.entries[entry_now["id"]] = entry_now["version"]

    def _report(self) -> None:
        month = clock.now().strftime("%Y-%m")
        self.request("report", "GET", f"reports/month?month={month}&groupBy=project,workItem")

    def _sign_in(self) -> None:
        operation = self.request("sign-in", "POST", "sign-in")
        if operation.outcome is Outcome.ACKNOWLEDGED:
            self.running = ((operation.answer or {}).get("runningTimer") or {}).get("id")

    def _item(self) -> Json:
        project = self.rng.choice(list(PROJECTS))
        number = self.rng.choice(PROJECTS[project])
        return {"organization": ORGANIZATION, "project": project, "workItemId": number, "note": MARK}

    def _pick_entry(self) -> tuple[str, int] | None:
        if not self.entries:
            return None
        return self.rng.choice(list(self.entries.items()))

    def _apply_start(self, operation: Operation) -> None:
        if operation.outcome is Outcome.ACKNOWLEDGED and operation.answer is not None:
            self.running = operation.answer["id"]
            self._remember(operation.answer.get("stopped"))

    def _apply_stop(self, operation: Operation) -> None:
        if operation.outcome is Outcome.ACKNOWLEDGED and operation.answer is not None:
            self._remember(operation.answer)
            if operation.answer["id"] == self.running:
                self.running = None

    def _remember_response(self, operation: Operation) -> None:
        if operation.outcome is Outcome.ACKNOWLEDGED:
            self._remember(operation.answer)

    def _remember(self, entry: Json | None) -> None:
        if entry is not None:
            self.entries[entry["id"]] = entry["version"]
            if len(self.entries) > 60:  # noqa: PLR2004 - enough to choose from
                self.entries.pop(next(iter(self.entries)))


def _fill_mark(body: Json | None, mark: str) -> Json | None:
    if body is None:
        return None
    return {name: mark if value == MARK else value for name, value in body.items()}
