"""One person of the fleet: what they do all day, by their own dice, and what they believe meanwhile."""

import datetime as dt
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from shared import clock
from tools.chaos.clients.history import History, Json, Operation, Outcome
from tools.chaos.clients.http import Client, Stop


PROJECTS: Final = {"Website": (42, 44, 57, 62, 63, 64), "Billing": (75, 76, 79, 88, 91), "Mobile": (104, 105, 106, 112)}
ORGANIZATION: Final = "contoso"
WITH_KEY: Final = 0.8  # so many of the requests that may carry an Idempotency-Key do
INSISTING: Final = 0.7  # so many are sent again when nobody knows what became of them; the others never
TRIES: Final = 6
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
MARK: Final = "{mark}"  # stands where an operation leaves its mark
_MS: Final = dt.timedelta(milliseconds=1)


def iso(at: dt.datetime) -> str:
    return at.isoformat(timespec="milliseconds")


@dataclass
class Person:
    """`dice` decide; `late_from` is where the past begins that nobody has told yet."""

    name: str
    history: History
    client: Client
    dice: random.Random
    stop: Stop
    late_from: dt.datetime
    new_id: Callable[[], Any] = clock.new_id
    running: str | None = None
    entries: dict[str, int] = field(default_factory=dict)  # by id: the version last seen
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def work(self) -> None:
        """Does one thing after another until the run is over."""
        while not self.stop.is_over:
            self.once(self.dice.choices(list(WEIGHTS), list(WEIGHTS.values()))[0])
            self.stop.count()

    def once(self, kind: str) -> None:
        """Does one thing of a kind."""
        getattr(self, f"_{kind.replace(' ', '_').replace('-', '_')}")()

    def ask(self, kind: str, method: str, path: str, body: Json | None = None, **more: Any) -> Operation:  # noqa: ANN401
        """Asks for one thing, and for the same again while nobody knows, if they are of those who insist."""
        number = next(self._numbers)
        mark = f"{self.name}-{number}."
        key = str(self.new_id()) if method == "POST" and self.dice.random() < WITH_KEY else None
        asked = Operation(number, kind, method, path.replace(MARK, mark), _marked(body, mark), mark, key, **more)
        self.history.operations.append(asked)
        again = TRIES if (key or method == "GET") and self.dice.random() < INSISTING else 1
        for _ in range(again):
            self.client.send(asked)
            if asked.is_answered:
                break
            if self.stop.wait(self.dice.uniform(0.05, 0.4)):
                break
        return asked

    def _start(self) -> None:
        self._started(self.ask("start", "POST", "timers/start", self._item()))

    def _named_start(self) -> None:
        """A client that keeps its own name for the timer; it stops by that name, whatever became of the start."""
        timer = str(self.new_id())
        asked = self.ask("named start", "POST", "timers/start", {**self._item(), "timerId": timer, "switch": True})
        self._started(asked)
        if asked.outcome is Outcome.UNKNOWN:
            self.running = timer

    def _switch(self) -> None:
        self._started(self.ask("switch", "POST", "timers/start", {**self._item(), "switch": True}))

    def _stop(self) -> None:
        self._stopped(self.ask("stop", "POST", "timers/stop"))

    def _named_stop(self) -> None:
        if self.running is not None:
            self._stopped(self.ask("named stop", "POST", "timers/stop", {"timerId": self.running}))

    def _discard(self) -> None:
        asked = self.ask("discard", "DELETE", "timers/running")
        if asked.outcome is Outcome.ACKNOWLEDGED:
            self.running = None

    def _late_work(self) -> None:
        """Tells a piece of work that was done offline, in the past and clear of everything told so far."""
        began = self.late_from
        ended = began + dt.timedelta(milliseconds=self.dice.randint(500, 4000))
        self.late_from = ended + dt.timedelta(milliseconds=self.dice.randint(500, 2000))
        if self.late_from > clock.now() - dt.timedelta(hours=1):
            return
        timer = str(self.new_id())
        late = {**self._item(), "timerId": timer, "startedAt": iso(began)}
        self.ask("late start", "POST", "timers/start", late)
        self._stopped(self.ask("late stop", "POST", "timers/stop", {"timerId": timer, "stoppedAt": iso(ended)}))

    def _enter(self) -> None:
        began = clock.now() - dt.timedelta(days=self.dice.randint(2, 20), seconds=self.dice.randint(0, 80_000))
        ended = began + dt.timedelta(seconds=self.dice.randint(60, 7200))
        self._seen(
            self.ask("enter", "POST", "entries", {**self._item(), "startedAt": iso(began), "stoppedAt": iso(ended)})
        )

    def _correct(self) -> None:
        """Makes the end of an entry earlier, by what is known of it."""
        if (known := self._known()) is None:
            return
        entry, version = known
        shown = self.ask("entry", "GET", f"entries/{entry}").answer or {}
        if "stoppedAt" not in shown or shown["elapsedMs"] < 2:  # noqa: PLR2004 - nothing to cut in half
            return
        ended = dt.datetime.fromisoformat(shown["startedAt"]) + shown["elapsedMs"] // 2 * _MS
        body = {"stoppedAt": iso(ended), "reason": MARK}
        fresh = self.dice.random() < 0.9  # noqa: PLR2004 - the others are likely to be refused
        self._seen(
            self.ask("correct", "PATCH", f"entries/{entry}", body, version=shown["version"] if fresh else version)
        )

    def _delete(self) -> None:
        if (known := self._known()) is None:
            return
        entry, version = known
        asked = self.ask("delete", "DELETE", f"entries/{entry}?reason={MARK}", version=version)
        if asked.outcome is Outcome.ACKNOWLEDGED:
            self.entries.pop(entry, None)

    def _running(self) -> None:
        asked = self.ask("running", "GET", "timers/running")
        if asked.outcome is Outcome.ACKNOWLEDGED:
            self.running = (asked.answer or {}).get("id")

    def _entries(self) -> None:
        asked = self.ask("entries", "GET", "entries?pageSize=20")
        for shown in (asked.answer or {}).get("items", []):
            self.entries[shown["id"]] = shown["version"]

    def _report(self) -> None:
        month = clock.now().strftime("%Y-%m")
        self.ask("report", "GET", f"reports/month?month={month}&groupBy=project,workItem")

    def _sign_in(self) -> None:
        asked = self.ask("sign-in", "POST", "sign-in")
        if asked.outcome is Outcome.ACKNOWLEDGED:
            self.running = ((asked.answer or {}).get("runningTimer") or {}).get("id")

    def _item(self) -> Json:
        project = self.dice.choice(list(PROJECTS))
        number = self.dice.choice(PROJECTS[project])
        return {"organization": ORGANIZATION, "project": project, "workItemId": number, "note": MARK}

    def _known(self) -> tuple[str, int] | None:
        if not self.entries:
            return None
        return self.dice.choice(list(self.entries.items()))

    def _started(self, asked: Operation) -> None:
        if asked.outcome is Outcome.ACKNOWLEDGED and asked.answer is not None:
            self.running = asked.answer["id"]
            self._remember(asked.answer.get("stopped"))

    def _stopped(self, asked: Operation) -> None:
        if asked.outcome is Outcome.ACKNOWLEDGED and asked.answer is not None:
            self._remember(asked.answer)
            if asked.answer["id"] == self.running:
                self.running = None

    def _seen(self, asked: Operation) -> None:
        if asked.outcome is Outcome.ACKNOWLEDGED:
            self._remember(asked.answer)

    def _remember(self, entry: Json | None) -> None:
        if entry is not None:
            self.entries[entry["id"]] = entry["version"]
            if len(self.entries) > 60:  # noqa: PLR2004 - nobody looks further back
                self.entries.pop(next(iter(self.entries)))


def _marked(body: Json | None, mark: str) -> Json | None:
    if body is None:
        return None
    return {name: mark if value == MARK else value for name, value in body.items()}
