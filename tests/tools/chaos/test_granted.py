"""What was acknowledged or shown, and is not so, is found in histories made by hand; and nothing is in sound ones."""

import datetime as dt
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from tools.chaos.checks.all import of_person
from tools.chaos.checks.database import Kept, Logged, Row
from tools.chaos.clients.history import STARTS, Attempt, History, Json, Operation
from tools.chaos.cloud.clocks import Clocks


BEGAN = dt.datetime(2026, 11, 25, 9, tzinfo=dt.UTC)
MS = dt.timedelta(milliseconds=1)


def at(second: float) -> dt.datetime:
    return BEGAN + dt.timedelta(seconds=second)


def iso(instant: dt.datetime) -> str:
    return instant.isoformat(timespec="milliseconds")


def timer(name: str, second: float, item: int = 42) -> Json:
    """As it is answered, started in the middle of a request of that second."""
    started = iso(at(second) + 100 * MS)
    return {"id": name, "startedAt": started, "project": "Website", "workItemId": item, "note": f"m{second}."}


def entry(name: str, began: float, ended: float, item: int = 42, **more: Any) -> Json:  # noqa: ANN401 - any JSON
    times = {"stoppedAt": iso(at(ended) + 100 * MS), "elapsedMs": int((ended - began) * 1000)}
    kept = {"version": 1, "source": "timer", "needsReview": False}
    return {**timer(name, began, item), **times, **kept, **more}


@dataclass
class Day:
    """What somebody asked for and was told, and what is kept of it."""

    history: History = field(default_factory=lambda: History("firm", "ada"))
    kept: Kept = field(default_factory=lambda: Kept(accounts=1))

    def asks(self, second: int, kind: str, status: int | None, answer: Json | None = None, **more: Any) -> None:  # noqa: ANN401 - of a body
        item, key, path, method = (more.pop(name, None) for name in ("item", "key", "path", "method"))
        body = more or None
        if kind in STARTS:
            body = {"project": "Website", "workItemId": item or 42, "note": f"m{second}.", **more}
        asked = Operation(second, kind, method or "POST", path or "timers", body, f"m{second}.", key)
        asked.attempts = [Attempt(at(second), at(second) + 200 * MS, 0.2, status)]
        asked.answer = answer
        self.history.operations.append(asked)

    def leaves(self, second: float, event: str, name: str, **more: Any) -> None:  # noqa: ANN401 - a row's values
        received_at = at(second) + 100 * MS
        values = {"version": 0, "happened_at": received_at, "reported_late": False, "reason": None, "after": None}
        item = ("Website", more.pop("item", 42))
        rest = {"elapsed_ms": None, "received_at": received_at, "item": item}
        row = Row(number=len(self.kept.log) + 1, event=event, timer=name, **{**values, **rest, **more})
        self.kept.log.append(row)
        self.kept.done.append(row)

    def leaves_entry(self, second: float, event: str, kept: Json, **more: Any) -> None:  # noqa: ANN401 - as above
        after = {**{name: value for name, value in kept.items() if name != "id"}, "timeZone": "UTC"}
        self.leaves(second, event, kept["id"], version=kept["version"], after=after, item=kept["workItemId"], **more)
        self.kept.entries[kept["id"]] = SimpleNamespace(
            started_at=dt.datetime.fromisoformat(kept["startedAt"]),
            stopped_at=dt.datetime.fromisoformat(kept["stoppedAt"]),
            elapsed_ms=kept["elapsedMs"],
            note=kept["note"],
            source=kept["source"],
            needs_review=kept["needsReview"],
            existing_hours=None,
            time_zone="UTC",
            version=kept["version"],
        )

    def runs(self, name: str, second: float) -> None:
        self.kept.running.append(SimpleNamespace(public_id=name, note=f"m{second}.", existing_hours=None))

    def starts(self, second: int, name: str = "one", **more: Any) -> None:  # noqa: ANN401 - of a body
        self.asks(second, "start", 201, timer(name, second), **more)
        self.leaves(second, "started", name)

    def stops(self, second: int, began: int, name: str = "one") -> None:
        self.asks(second, "stop", 200, entry(name, began, second))
        self.leaves_entry(second, "stopped", entry(name, began, second))

    def wrong(self) -> list[str]:
        found = of_person(self.history, self.kept, Logged.of([self.kept]), Clocks(), pays=False)
        return [each.detail for each in found]


def test_a_day_on_which_all_is_well_has_nothing_wrong():
    day = Day()
    day.starts(1, key="first")
    day.kept.answers["first"] = (201, timer("one", 1))
    day.asks(2, "switch", 200, timer("one", 1))
    day.asks(3, "running", 200, timer("one", 1), method="GET")
    day.stops(5, 1)
    day.asks(6, "discard", 204, method="DELETE")
    day.asks(7, "entry", 200, entry("one", 1, 5), method="GET", path="entries/one")
    day.asks(8, "entries", 200, {"items": [entry("one", 1, 5)]}, method="GET")

    assert day.wrong() == []


def test_an_acknowledged_start_and_stop_that_left_nothing_are_missed():
    day = Day()
    day.asks(1, "start", 201, timer("one", 1))
    day.asks(5, "stop", 200, entry("one", 1, 5))

    assert {"an acknowledged start left no row", "an acknowledged entry is not in the log"} <= set(day.wrong())


@pytest.mark.parametrize("kind", ["start", "switch"])
def test_what_ran_already_is_on_the_work_item_that_was_asked_for(kind):
    day = Day()
    day.starts(1)
    day.asks(5, kind, 200, timer("one", 1), item=44)
    day.stops(9, 1)

    assert day.wrong() == ["what was running already did at no time run"]


def test_what_ran_already_ran_when_it_was_asked_for():
    day = Day()
    day.starts(1)
    day.stops(5, 1)
    day.asks(7, "start", 200, timer("one", 1))

    assert day.wrong() == ["what was running already did at no time run"]


@pytest.mark.parametrize("kind", ["named start", "late start"])
def test_a_named_timer_that_ran_already_was_started(kind):
    day = Day()
    day.asks(1, kind, 200, timer("one", 1), timerId="one")
    day.asks(5, "named stop", 409, {"code": "timer_not_started"}, timerId="one")

    assert day.wrong() == ["what was running already did at no time run"]


def test_a_stop_by_name_is_answered_with_the_entry_of_that_name():
    day = Day()
    day.starts(1)
    day.stops(3, 1)
    day.starts(5, "two")
    day.runs("two", 5)
    day.asks(8, "named stop", 200, entry("one", 1, 3), timerId="two")

    assert day.wrong() == ["another timer was answered than the one that was named"]


@pytest.mark.parametrize("is_stopped", [True, False])
def test_a_timer_that_was_thrown_away_does_not_run_on(is_stopped):
    day = Day()
    day.starts(1)
    day.asks(3, "discard", 204, method="DELETE")
    if is_stopped:
        day.stops(9, 1)
    else:
        day.runs("one", 1)

    assert day.wrong() == ["an acknowledged discard let a timer run on"]


def test_half_a_switch_that_nobody_knows_of_is_found():
    day = Day()
    day.starts(1)
    day.asks(5, "switch", None, item=44)
    day.leaves_entry(5, "stopped", entry("one", 1, 5))
    assert day.wrong() == ["stopped, which nobody asked for"]

    day.leaves(5, "started", "two", item=44)
    day.runs("two", 5)
    assert day.wrong() == []


def test_a_stop_by_name_that_nobody_knows_of_stops_that_timer_only():
    day = Day()
    day.starts(1)
    day.asks(5, "named stop", None, timerId="two")
    day.leaves_entry(5, "stopped", entry("one", 1, 5))

    assert day.wrong() == ["stopped, which nobody asked for"]


def test_each_request_that_nobody_knows_of_explains_one_transaction():
    day = Day()
    for second in (1, 2):
        day.starts(second * 10, str(second))
        day.leaves_entry(second * 10 + 2, "stopped", entry(str(second), second * 10, second * 10 + 2))
    day.asks(12, "stop", None)
    assert day.wrong() == ["stopped, which nobody asked for"]

    day.asks(22, "stop", None)
    assert day.wrong() == []


@pytest.mark.parametrize(("began", "wrong"), [(6.1, []), (-5000.0, ["corrected, which nobody asked for"])])
def test_a_late_start_ends_what_ran_on_past_it_and_nothing_else(began, wrong):
    day = Day()
    day.starts(1)
    day.stops(9, 1)
    day.asks(12, "late start", 201, {**timer("two", began - 0.1), "note": "m12."}, timerId="two")
    day.leaves_entry(12, "corrected", {**entry("one", 1, 6), "version": 2}, reported_late=True)
    day.leaves(12, "started", "two", happened_at=at(began), reported_late=True)
    day.runs("two", 12)

    assert day.wrong() == wrong


@pytest.mark.parametrize(
    "changed",
    [{"note": None}, {"source": "manual"}, {"needsReview": True}, {"elapsedMs": 1}, {"stoppedAt": iso(at(2))}],
    ids=lambda changed: next(iter(changed)),
)
@pytest.mark.parametrize("kind", ["stop", "entry", "entries"])
def test_an_entry_is_shown_as_it_is_in_the_log(kind, changed):
    day, told = Day(), entry("one", 1, 5)
    day.starts(1)
    day.stops(5, 1)
    day.history.operations[-1].answer = {**told, **changed} if kind == "stop" else told
    day.asks(7, "entry", 200, {**told, **changed} if kind == "entry" else told, method="GET")
    day.asks(8, "entries", 200, {"items": [{**told, **changed} if kind == "entries" else told]}, method="GET")

    assert f"{next(iter(changed))} of an entry that was shown" in day.wrong()


def test_a_version_that_is_in_no_log_is_not_shown():
    day = Day()
    day.starts(1)
    day.stops(5, 1)
    day.asks(7, "entry", 200, entry("one", 1, 5, version=2), method="GET")

    assert day.wrong() == ["an entry that was shown is not in the log"]


@pytest.mark.parametrize(
    ("kept", "wrong"),
    [
        ((201, timer("one", 1)), []),
        ((201, {**timer("one", 1), "writeBack": "done"}), []),
        ((201, timer("two", 1)), ["another answer is kept for an Idempotency-Key than was given"]),
        ((200, timer("one", 1)), ["another answer is kept for an Idempotency-Key than was given"]),
        (None, ["the answer kept for an Idempotency-Key is gone"]),
    ],
    ids=["same", "hours got further", "another timer", "another status", "gone"],
)
def test_a_repeat_would_be_answered_as_the_first_was(kept, wrong):
    day = Day()
    day.starts(1, key="first")
    day.runs("one", 1)
    if kept is not None:
        day.kept.answers["first"] = kept

    assert day.wrong() == wrong
