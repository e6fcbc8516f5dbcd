"""After kill -9 between any two statements of a request, its repeat counts once."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

import pytest

from shared import clock
from tests.faults import product
from tests.faults.acknowledged_time import StoredTime, violations
from tests.faults.crashes import AFTER_COMMIT, CrashingHosts, start_crashing_hosts
from tests.support.world import Answer, Person
from tests.timers.running import late


KEY = "the-same-key"
NOW = clock.now()


@pytest.fixture(scope="module")
def crashing_hosts(app_database_url, entra, tmp_path_factory) -> Iterator[CrashingHosts]:
    log = tmp_path_factory.mktemp("crashing") / "log"
    with start_crashing_hosts(log, product.environment(app_database_url, entra)) as hosts:
        yield hosts


def start(person: Person) -> Answer:
    return person.start(7, key=KEY, project="Launch", switch=True)


def stop(person: Person) -> Answer:
    return person.stop(key=KEY)


def start_late(person: Person) -> Answer:
    """A late start within an entry with an inferred end, before the running timer."""
    return late.start(person, NOW - 2 * late.HOUR, key=KEY, project="Launch", workItemId=7)


def stop_late(person: Person) -> Answer:
    return late.stop(person, NOW - 2 * late.HOUR, key=KEY)


def assert_started(stored: StoredTime, before: StoredTime, answer: Answer) -> None:
    assert answer.status == 201
    assert stored.started == before.started + Counter([answer.body["id"]])
    assert stored.running == [answer.body["id"]]
    assert stored.entries == stored.stopped == {}


def assert_switched(stored: StoredTime, before: StoredTime, answer: Answer) -> None:
    assert answer.status == 201
    assert stored.started == before.started + Counter([answer.body["id"]])
    assert stored.running == [answer.body["id"]]
    assert stored.entries == stored.stopped == {before.running[0]: answer.body["stopped"]["elapsedMs"]}


def assert_stopped(stored: StoredTime, before: StoredTime, answer: Answer) -> None:
    assert answer.status == 200
    assert stored.started == before.started
    assert stored.running == []
    assert stored.entries == stored.stopped == {before.running[0]: answer.body["elapsedMs"]}


def assert_late_start_stored(stored: StoredTime, before: StoredTime, answer: Answer) -> None:
    [earlier] = before.entries
    assert (answer.status, answer.body["ended"]["elapsedMs"]) == (201, 3_600_000)
    assert stored.started == before.started + Counter([answer.body["id"]])
    assert stored.running == before.running
    assert stored.entries == {earlier: 3_600_000, answer.body["id"]: 3_600_000}


def assert_end_set(stored: StoredTime, before: StoredTime, answer: Answer) -> None:
    assert (answer.status, answer.body["elapsedMs"]) == (200, 3_600_000)
    assert (stored.started, stored.running) == (before.started, before.running)
    assert stored.entries == {answer.body["id"]: 3_600_000}


def nothing(_person: Person) -> None:
    """No preparation."""


def a_timer(person: Person) -> None:
    assert person.start(6).status == 201


def a_switch(person: Person) -> None:
    assert late.start(person, NOW - 3 * late.HOUR, workItemId=6).status == 201
    assert late.start(person, NOW - late.HOUR, workItemId=8, switch=True).status == 201


@dataclass(frozen=True)
class Scenario:
    """A request with its preparation and the check of the stored data."""

    before: Callable[[Person], None]
    send: Callable[[Person], Answer]
    assert_done: Callable[[StoredTime, StoredTime, Answer], None]


EACH_SCENARIO = pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(Scenario(before=nothing, send=start, assert_done=assert_started), id="start"),
        pytest.param(Scenario(before=a_timer, send=start, assert_done=assert_switched), id="switch"),
        pytest.param(Scenario(before=a_timer, send=stop, assert_done=assert_stopped), id="stop"),
        pytest.param(Scenario(before=a_switch, send=start_late, assert_done=assert_late_start_stored), id="late start"),
        pytest.param(Scenario(before=a_switch, send=stop_late, assert_done=assert_end_set), id="late stop"),
    ],
)


@pytest.fixture
def add_person(one_host, entra) -> Callable[[Scenario], Person]:
    """Prepares a person for a scenario, on a host that does not crash."""

    def make(scenario: Scenario) -> Person:
        ada = product.admin(entra, one_host)
        scenario.before(ada)
        return ada

    return make


@EACH_SCENARIO
def test_killed_before_any_statement_nothing_is_half_done_and_the_repeat_is_done_once(
    crashing_hosts, add_person, engine, scenario
):
    for point in count(1):
        ada = add_person(scenario)
        before = StoredTime.of(engine, ada.tid)
        answer = crashing_hosts.send(point, ada, scenario.send)
        if answer is not None:
            break
        left = StoredTime.of(engine, ada.tid)
        first, second = scenario.send(ada), scenario.send(ada)

        assert left == before, point
        scenario.assert_done(StoredTime.of(engine, ada.tid), before, first)
        assert (second.status, second.raw) == (first.status, first.raw), point

    assert point > 5
    scenario.assert_done(StoredTime.of(engine, ada.tid), before, answer)
    assert violations(engine) == []


@EACH_SCENARIO
def test_killed_after_the_commit_the_repeat_gets_the_answer_that_was_lost(crashing_hosts, add_person, engine, scenario):
    ada = add_person(scenario)
    before = StoredTime.of(engine, ada.tid)
    lost = crashing_hosts.send(AFTER_COMMIT, ada, scenario.send)
    left = StoredTime.of(engine, ada.tid)
    repeated = scenario.send(ada)

    assert lost is None
    assert repeated.headers["Idempotent-Replayed"] == "true"
    scenario.assert_done(left, before, repeated)
    assert StoredTime.of(engine, ada.tid) == left
    assert violations(engine) == []
