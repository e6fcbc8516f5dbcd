"""The checks find wrong responses in handmade histories, and nothing in correct ones."""

import datetime as dt
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from tools.chaos.checks.all import check_person
from tools.chaos.checks.database import LogRow, PersonRows, TimerLogIndex
from tools.chaos.clients.history import STARTS, Attempt, History, Json, Operation
from tools.chaos.cloud.clocks import ClockOffsets


BEGAN = dt.datetime(2026, 11, 25, 9, tzinfo=dt.UTC)
MS = dt.timedelta(milliseconds=1)


def at(second: float) -> dt.datetime:
    return BEGAN + dt.timedelta(seconds=second)


def iso(instant: dt.datetime) -> str:
    return instant.isoformat(timespec="milliseconds")


def timer(name: str, second: float, item: int = 42) -> Json:
    """A timer in a response, started in the middle of the request of that second."""
    started = iso(at(second) + 100 * MS)
    return {"id": name, "startedAt": started, "project": "Website", "workItemId": item, "note": f"m{second}."}


def entry(name: str, began: float, ended: float, item: int = 42, **more: Any) -> Json:  # noqa: ANN401 - any JSON
    times = {"stoppedAt": iso(at(ended) + 100 * MS), "elapsedMs": int((ended - began) * 1000)}
    state = {"version": 1, "source": "timer", "needsReview": False}
    return {**timer(name, began, item), **times, **state, **more}


@dataclass
class Day:
    """Requests and responses of one person, and the stored rows."""

    history: History = field(default_factory=lambda: History("firm", "ada"))
    rows: PersonRows = field(default_factory=lambda: PersonRows(accounts=1))

    def request(self, second: int, kind: str, status: int | None, answer: Json | None = None, **more: Any) -> None:  # noqa: ANN401 - of a body
        item, key, path, method = (more.pop(name, None) for name in ("item", "key", "path", "method"))
        body = more or None
        if kind in STARTS:
            body = {"project": "Website", "workItemId": item or 42, "note": f"m{second}.", **more}
        operation = Operation(second, kind, method or "POST", path or "timers", body, f"m{second}.", key)
        operation.attempts = [Attempt(at(second), at(second) + 200 * MS, 0.2, status)]
        operation.answer = answer
        self.history.operations.append(operation)

    def add_log_row(self, second: float, event: str, name: str, **more: Any) -> None:  # noqa: ANN401 - a row's values
        received_at = at(second) + 100 * MS
        values = {"version": 0, "happened_at": received_at, "reported_late": False, "reason": None, "after": None}
        item = ("Website", more.pop("item", 42))
        rest = {"elapsed_ms": None, "received_at": received_at, "item": item}
        row = LogRow(number=len(self.rows.log) + 1, event=event, timer=name, **{**values, **rest, **more})
        self.rows.log.append(row)
        self.rows.done.append(row)

    def add_entry(self, second: float, event: str, shown: Json, **more: Any) -> None:  # noqa: ANN401 - as above
        after = {**{name: value for name, value in shown.items() if name != "id"}, "timeZone": "UTC"}
        self.add_log_row(
            second, event, shown["id"], version=shown["version"], after=after, item=shown["workItemId"], **more
        )
        self.rows.entries[shown["id"]] = SimpleNamespace(
            started_at=dt.datetime.fromisoformat(shown["startedAt"]),
            stopped_at=dt.datetime.fromisoformat(shown["stoppedAt"]),
            elapsed_ms=shown["elapsedMs"],
            note=shown["note"],
            source=shown["source"],
            needs_review=shown["needsReview"],
            existing_hours=None,
            time_zone="UTC",
            version=shown["version"],
        )

    def add_running(self, name: str, second: float) -> None:
        self.rows.running.append(SimpleNamespace(public_id=name, note=f"m{second}.", existing_hours=None))

    def add_start(self, second: int, name: str = "one", **more: Any) -> None:  # noqa: ANN401 - of a body
        self.request(second, "start", 201, timer(name, second), **more)
        self.add_log_row(second, "started", name)

    def add_stop(self, second: int, began: int, name: str = "one") -> None:
        self.request(second, "stop", 200, entry(name, began, second))
        self.add_entry(second, "stopped", entry(name, began, second))

    def details(self) -> list[str]:
        violations = check_person(
            self.history, self.rows, TimerLogIndex.of([self.rows]), ClockOffsets(), is_paying=False
        )
        return [each.detail for each in violations]


def test_a_correct_day_has_no_violation():
    day = Day()
    day.add_start(1, key="first")
    day.rows.responses["first"] = (201, timer("one", 1))
    day.request(2, "switch", 200, timer("one", 1))
    day.request(3, "running", 200, timer("one", 1), method="GET")
    day.add_stop(5, 1)
    day.request(6, "discard", 204, method="DELETE")
    day.request(7, "entry", 200, entry("one", 1, 5), method="GET", path="entries/one")
    day.request(8, "entries", 200, {"items": [entry("one", 1, 5)]}, method="GET")

    assert day.details() == []


def test_an_acknowledged_start_and_stop_without_rows_are_found():
    day = Day()
    day.request(1, "start", 201, timer("one", 1))
    day.request(5, "stop", 200, entry("one", 1, 5))

    assert {"an acknowledged start left no row", "an acknowledged entry is not in the log"} <= set(day.details())


@pytest.mark.parametrize("kind", ["start", "switch"])
def test_a_timer_reported_as_running_has_the_requested_work_item(kind):
    day = Day()
    day.add_start(1)
    day.request(5, kind, 200, timer("one", 1), item=44)
    day.add_stop(9, 1)

    assert day.details() == ["the timer reported as running never ran"]


def test_a_timer_reported_as_running_ran_during_the_request():
    day = Day()
    day.add_start(1)
    day.add_stop(5, 1)
    day.request(7, "start", 200, timer("one", 1))

    assert day.details() == ["the timer reported as running never ran"]


@pytest.mark.parametrize("kind", ["named start", "late start"])
def test_a_timer_id_reported_as_running_was_started(kind):
    day = Day()
    day.request(1, kind, 200, timer("one", 1), timerId="one")
    day.request(5, "named stop", 409, {"code": "timer_not_started"}, timerId="one")

    assert day.details() == ["the timer reported as running never ran"]


def test_a_stop_by_timer_id_returns_the_entry_of_that_id():
    day = Day()
    day.add_start(1)
    day.add_stop(3, 1)
    day.add_start(5, "two")
    day.add_running("two", 5)
    day.request(8, "named stop", 200, entry("one", 1, 3), timerId="two")

    assert day.details() == ["the response has another timer than the request"]


@pytest.mark.parametrize("is_stopped", [True, False])
def test_a_discarded_timer_does_not_keep_running(is_stopped):
    day = Day()
    day.add_start(1)
    day.request(3, "discard", 204, method="DELETE")
    if is_stopped:
        day.add_stop(9, 1)
    else:
        day.add_running("one", 1)

    assert day.details() == ["a timer kept running after an acknowledged discard"]


def test_half_a_switch_with_an_unknown_result_is_found():
    day = Day()
    day.add_start(1)
    day.request(5, "switch", None, item=44)
    day.add_entry(5, "stopped", entry("one", 1, 5))
    assert day.details() == ["stopped without a request"]

    day.add_log_row(5, "started", "two", item=44)
    day.add_running("two", 5)
    assert day.details() == []


def test_a_stop_by_timer_id_with_an_unknown_result_stops_that_timer_only():
    day = Day()
    day.add_start(1)
    day.request(5, "named stop", None, timerId="two")
    day.add_entry(5, "stopped", entry("one", 1, 5))

    assert day.details() == ["stopped without a request"]


def test_each_request_with_an_unknown_result_explains_one_transaction():
    day = Day()
    for second in (1, 2):
        day.add_start(second * 10, str(second))
        day.add_entry(second * 10 + 2, "stopped", entry(str(second), second * 10, second * 10 + 2))
    day.request(12, "stop", None)
    assert day.details() == ["stopped without a request"]

    day.request(22, "stop", None)
    assert day.details() == []


@pytest.mark.parametrize(("began", "details"), [(6.1, []), (-5000.0, ["corrected without a request"])])
def test_a_late_start_ends_only_the_timer_that_ran_at_its_time(began, details):
    day = Day()
    day.add_start(1)
    day.add_stop(9, 1)
    day.request(12, "late start", 201, {**timer("two", began - 0.1), "note": "m12."}, timerId="two")
    day.add_entry(12, "corrected", {**entry("one", 1, 6), "version": 2}, reported_late=True)
    day.add_log_row(12, "started", "two", happened_at=at(began), reported_late=True)
    day.add_running("two", 12)

    assert day.details() == details


@pytest.mark.parametrize(
    "changed",
    [{"note": None}, {"source": "manual"}, {"needsReview": True}, {"elapsedMs": 1}, {"stoppedAt": iso(at(2))}],
    ids=lambda changed: next(iter(changed)),
)
@pytest.mark.parametrize("kind", ["stop", "entry", "entries"])
def test_an_entry_equals_its_version_in_the_log(kind, changed):
    day, shown = Day(), entry("one", 1, 5)
    day.add_start(1)
    day.add_stop(5, 1)
    day.history.operations[-1].answer = {**shown, **changed} if kind == "stop" else shown
    day.request(7, "entry", 200, {**shown, **changed} if kind == "entry" else shown, method="GET")
    day.request(8, "entries", 200, {"items": [{**shown, **changed} if kind == "entries" else shown]}, method="GET")

    assert f"{next(iter(changed))} of a shown entry" in day.details()


def test_a_shown_version_is_in_the_log():
    day = Day()
    day.add_start(1)
    day.add_stop(5, 1)
    day.request(7, "entry", 200, entry("one", 1, 5, version=2), method="GET")

    assert day.details() == ["a shown entry is not in the log"]


@pytest.mark.parametrize(
    ("stored", "details"),
    [
        ((201, timer("one", 1)), []),
        ((201, {**timer("one", 1), "writeBack": "done"}), []),
        ((201, timer("two", 1)), ["the stored response of an Idempotency-Key differs from the one sent"]),
        ((200, timer("one", 1)), ["the stored response of an Idempotency-Key differs from the one sent"]),
        (None, ["the stored response of an Idempotency-Key is missing"]),
    ],
    ids=["same", "write-back progress", "another timer", "another status", "gone"],
)
def test_the_stored_response_equals_the_first_response(stored, details):
    day = Day()
    day.add_start(1, key="first")
    day.add_running("one", 1)
    if stored is not None:
        day.rows.responses["first"] = stored

    assert day.details() == details
