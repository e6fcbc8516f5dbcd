"""A refusal is accepted only if it was true at some moment of the request."""

import datetime as dt
from dataclasses import dataclass, field

from tools.chaos.checks.database import LogRow, PersonRows
from tools.chaos.checks.refusals import RefusalChecks
from tools.chaos.clients.history import IN_FLIGHT, Attempt, History, Json, Operation
from tools.chaos.clients.timeline import Timeline


BEGAN = dt.datetime(2026, 11, 25, 9, 0, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)


@dataclass
class Day:
    """Requests of one person, one per second, and their rows."""

    history: History = field(default_factory=lambda: History("firm", "ada"))
    rows: PersonRows = field(default_factory=PersonRows)
    causes: dict[int, Operation] = field(default_factory=dict)
    at: dt.datetime = BEGAN

    def request(
        self,
        kind: str,
        status: int | None,
        *rows: tuple[str, str],
        item: int = 42,
        answer: Json | None = None,
        path: str = "timers",
        **body: str,
    ) -> None:
        number = len(self.history.operations) + 1
        operation = Operation(number, kind, "POST", path, {"project": "Website", "workItemId": item, **body}, "mark")
        if kind in {"stop", "named stop"}:
            operation.body = body or None
        operation.attempts, operation.answer = [Attempt(self.at, self.at, 0.1, status)], answer
        self.history.operations.append(operation)
        for event, timer in rows:
            self.add_log_row(event, timer, operation, item)
        self.at += SECOND

    def add_log_row(self, event: str, timer: str, cause: Operation | None = None, item: int = 42) -> None:
        number = len(self.rows.log) + 1
        row = LogRow(
            number,
            event,
            timer,
            version=0,
            happened_at=self.at,
            received_at=self.at,
            reported_late=False,
            elapsed_ms=None,
            reason=None,
            after=None,
            item=("Website", item),
        )
        self.rows.log.append(row)
        if cause is not None:
            self.causes[number] = cause

    def add_refusal(self, kind: str, code: str, **more: str | int | Json) -> None:
        running = more.pop("running", None)
        answer: Json = {"code": code} if running is None else {"code": code, "runningTimer": {"id": running}}
        status = 404 if code == "not_found" else 409
        self.request(kind, status, answer=answer, **more)  # type: ignore[arg-type]

    def wait(self) -> None:
        self.at += IN_FLIGHT + SECOND

    def details(self, *, pays: bool = False) -> list[str]:
        deleted = {row.timer for row in self.rows.log if row.event == "deleted"}
        checks = RefusalChecks(self.history, Timeline(self.history, self.rows, self.causes), deleted, pays)
        return [each.detail for each in checks.violations()]


def test_no_running_timer_is_true_before_a_start_and_after_its_stop_only():
    day = Day()
    day.add_refusal("stop", "no_running_timer")
    day.request("start", 201, ("started", "one"))
    day.request("stop", 200, ("stopped", "one"))
    day.add_refusal("stop", "no_running_timer")
    assert day.details() == []

    day.request("start", 201, ("started", "two"))
    day.add_refusal("stop", "no_running_timer")
    assert day.details() == ["409 no_running_timer, which was never true"]


def test_a_stop_with_an_unknown_result_allows_no_running_timer():
    day = Day()
    day.request("start", 201, ("started", "one"))
    day.request("stop", None)
    day.add_refusal("stop", "no_running_timer")
    day.add_log_row("stopped", "one", day.history.operations[1])
    assert day.details() == []


def test_a_start_with_an_unknown_result_forbids_no_running_timer_later():
    day = Day()
    day.request("start", None, ("started", "one"))
    day.add_refusal("stop", "no_running_timer")
    assert day.details() == []

    day.wait()
    day.add_refusal("stop", "no_running_timer")
    assert day.details() == ["409 no_running_timer, which was never true"]


def test_an_unknown_result_is_limited_by_the_responses_around_it():
    day = Day()
    day.request("stop", None)
    day.request("start", 201, ("started", "one"))
    day.add_refusal("stop", "no_running_timer")
    day.request("stop", 200, ("stopped", "one"))

    assert day.details() == ["409 no_running_timer, which was never true"]


def test_a_conflicting_timer_is_the_running_one_on_another_work_item():
    day = Day()
    day.request("start", 201, ("started", "one"), item=42)
    day.add_refusal("start", "timer_already_running", item=44, running="one")
    assert day.details() == []

    day.add_refusal("start", "timer_already_running", item=42, running="one")
    day.add_refusal("start", "timer_already_running", item=44, running="two")
    day.request("stop", 200, ("stopped", "one"))
    day.add_refusal("start", "timer_already_running", item=44, running="one")
    assert day.details() == ["409 timer_already_running, which was never true"] * 3


def test_a_switch_is_never_refused_for_a_running_timer():
    day = Day()
    day.request("start", 201, ("started", "one"))
    day.add_refusal("switch", "timer_already_running", item=44, running="one")

    assert day.details() == ["409 timer_already_running, which was never true"]


def test_a_timer_id_is_unknown_before_its_start_and_after_its_discard():
    day = Day()
    day.add_refusal("named stop", "timer_not_started", timerId="one")
    day.request("named start", 201, ("started", "one"), timerId="one")
    day.request("discard", 204, ("discarded", "one"))
    day.add_refusal("named stop", "no_running_timer", timerId="one")
    assert day.details() == []

    day.add_refusal("named stop", "timer_not_started", timerId="one")
    day.add_refusal("named stop", "no_running_timer", timerId="two")
    assert day.details() == [
        "409 timer_not_started, which was never true",
        "409 no_running_timer, which was never true",
    ]


def test_a_timer_id_is_known_before_its_discard():
    day = Day()
    day.request("named start", 201, ("started", "one"), timerId="one")
    day.add_refusal("named stop", "no_running_timer", timerId="one")
    day.request("stop", 200, ("stopped", "one"))
    day.request("start", 201, ("started", "two"))
    day.request("delete", 204, ("deleted", "one"))

    assert day.details() == ["409 no_running_timer, which was never true"]


def test_only_a_deleted_entry_is_not_found():
    day = Day()
    day.add_refusal("entry", "not_found", path="entries/one")
    assert day.details() == ["404 not_found, which was never true"]

    day.add_log_row("deleted", "one")
    assert day.details() == []


def test_a_conflict_needs_a_concurrent_request():
    day = Day()
    day.add_refusal("start", "conflict")
    assert day.details() == ["409 conflict, which was never true"]

    day.request("stop", None)
    day.add_refusal("switch", "conflict")
    day.wait()
    day.add_refusal("switch", "conflict")
    assert day.details() == ["409 conflict, which was never true"] * 2


def test_paying_people_may_be_refused_for_lack_of_a_plan():
    day = Day()
    day.request("start", 402, answer={"code": "subscription_suspended"})

    assert day.details(pays=True) == []
    assert day.details() == ["402 subscription_suspended, which was never true"]
