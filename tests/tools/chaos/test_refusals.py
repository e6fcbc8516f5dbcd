"""A refusal is believed when it can have been right at some moment while it was asked for, and never otherwise."""

import datetime as dt
from dataclasses import dataclass, field

from tools.chaos.checks.database import Kept, Row
from tools.chaos.checks.refusals import Refusals
from tools.chaos.clients.history import IN_FLIGHT, Attempt, History, Json, Operation
from tools.chaos.clients.timeline import Moments


BEGAN = dt.datetime(2026, 11, 25, 9, 0, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)


@dataclass
class Day:
    """What somebody asked for, one thing a second, and the rows that it left."""

    history: History = field(default_factory=lambda: History("firm", "ada"))
    kept: Kept = field(default_factory=Kept)
    causes: dict[int, Operation] = field(default_factory=dict)
    at: dt.datetime = BEGAN

    def asks(
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
        asked = Operation(number, kind, "POST", path, {"project": "Website", "workItemId": item, **body}, "mark")
        if kind in {"stop", "named stop"}:
            asked.body = body or None
        asked.attempts, asked.answer = [Attempt(self.at, self.at, 0.1, status)], answer
        self.history.operations.append(asked)
        for event, timer in rows:
            self.leaves(event, timer, asked, item)
        self.at += SECOND

    def leaves(self, event: str, timer: str, cause: Operation | None = None, item: int = 42) -> None:
        number = len(self.kept.log) + 1
        row = Row(
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
        self.kept.log.append(row)
        if cause is not None:
            self.causes[number] = cause

    def refuses(self, kind: str, code: str, **more: str | int | Json) -> None:
        runs = more.pop("runs", None)
        answer: Json = {"code": code} if runs is None else {"code": code, "runningTimer": {"id": runs}}
        status = 404 if code == "not_found" else 409
        self.asks(kind, status, answer=answer, **more)  # type: ignore[arg-type]

    def waits(self) -> None:
        self.at += IN_FLIGHT + SECOND

    def wrong(self, *, pays: bool = False) -> list[str]:
        deleted = {row.timer for row in self.kept.log if row.event == "deleted"}
        judged = Refusals(self.history, Moments(self.history, self.kept, self.causes), deleted, pays)
        return [each.detail for each in judged.violations()]


def test_nothing_to_stop_is_true_before_a_start_and_after_its_stop_only():
    day = Day()
    day.refuses("stop", "no_running_timer")
    day.asks("start", 201, ("started", "one"))
    day.asks("stop", 200, ("stopped", "one"))
    day.refuses("stop", "no_running_timer")
    assert day.wrong() == []

    day.asks("start", 201, ("started", "two"))
    day.refuses("stop", "no_running_timer")
    assert day.wrong() == ["409 no_running_timer, which was at no time so"]


def test_a_stop_that_nobody_knows_of_makes_it_possible_for_as_long_as_it_may_be_done():
    day = Day()
    day.asks("start", 201, ("started", "one"))
    day.asks("stop", None)
    day.refuses("stop", "no_running_timer")
    day.leaves("stopped", "one", day.history.operations[1])
    assert day.wrong() == []


def test_a_start_that_nobody_knows_of_makes_it_impossible_once_it_must_have_been_done():
    day = Day()
    day.asks("start", None, ("started", "one"))
    day.refuses("stop", "no_running_timer")
    assert day.wrong() == []

    day.waits()
    day.refuses("stop", "no_running_timer")
    assert day.wrong() == ["409 no_running_timer, which was at no time so"]


def test_what_nobody_knows_of_is_still_held_between_the_answers_around_it():
    day = Day()
    day.asks("stop", None)
    day.asks("start", 201, ("started", "one"))
    day.refuses("stop", "no_running_timer")
    day.asks("stop", 200, ("stopped", "one"))

    assert day.wrong() == ["409 no_running_timer, which was at no time so"]


def test_another_timer_in_the_way_is_the_one_that_runs_and_on_another_work_item():
    day = Day()
    day.asks("start", 201, ("started", "one"), item=42)
    day.refuses("start", "timer_already_running", item=44, runs="one")
    assert day.wrong() == []

    day.refuses("start", "timer_already_running", item=42, runs="one")
    day.refuses("start", "timer_already_running", item=44, runs="two")
    day.asks("stop", 200, ("stopped", "one"))
    day.refuses("start", "timer_already_running", item=44, runs="one")
    assert day.wrong() == ["409 timer_already_running, which was at no time so"] * 3


def test_whoever_switches_is_never_refused_since_another_runs():
    day = Day()
    day.asks("start", 201, ("started", "one"))
    day.refuses("switch", "timer_already_running", item=44, runs="one")

    assert day.wrong() == ["409 timer_already_running, which was at no time so"]


def test_a_timer_that_was_named_is_unknown_before_its_start_and_gone_once_thrown_away():
    day = Day()
    day.refuses("named stop", "timer_not_started", timerId="one")
    day.asks("named start", 201, ("started", "one"), timerId="one")
    day.asks("discard", 204, ("discarded", "one"))
    day.refuses("named stop", "no_running_timer", timerId="one")
    assert day.wrong() == []

    day.refuses("named stop", "timer_not_started", timerId="one")
    day.refuses("named stop", "no_running_timer", timerId="two")
    assert day.wrong() == [
        "409 timer_not_started, which was at no time so",
        "409 no_running_timer, which was at no time so",
    ]


def test_a_named_timer_is_not_gone_before_it_was_thrown_away():
    day = Day()
    day.asks("named start", 201, ("started", "one"), timerId="one")
    day.refuses("named stop", "no_running_timer", timerId="one")
    day.asks("stop", 200, ("stopped", "one"))
    day.asks("start", 201, ("started", "two"))
    day.asks("delete", 204, ("deleted", "one"))

    assert day.wrong() == ["409 no_running_timer, which was at no time so"]


def test_an_entry_is_not_found_when_somebody_has_deleted_it_only():
    day = Day()
    day.refuses("entry", "not_found", path="entries/one")
    assert day.wrong() == ["404 not_found, which was at no time so"]

    day.leaves("deleted", "one")
    assert day.wrong() == []


def test_nothing_changes_meanwhile_while_nothing_of_theirs_is_under_way():
    day = Day()
    day.refuses("start", "conflict")
    assert day.wrong() == ["409 conflict, which was at no time so"]

    day.asks("stop", None)
    day.refuses("switch", "conflict")
    day.waits()
    day.refuses("switch", "conflict")
    assert day.wrong() == ["409 conflict, which was at no time so"] * 2


def test_who_pays_may_be_kept_from_working():
    day = Day()
    day.asks("start", 402, answer={"code": "subscription_suspended"})

    assert day.wrong(pays=True) == []
    assert day.wrong() == ["402 subscription_suspended, which was at no time so"]
