"""kill -9 between any two statements of a request: the same request, sent again, is done once."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

import pytest

from shared import clock
from tests.faults import product
from tests.faults.crashing import AFTER_COMMIT, Crashing, crashing_hosts
from tests.faults.ledger import Stored, violations
from tests.support.world import Answer, Person
from tests.timers.running import late


KEY = "the-same-key"
NOW = clock.now()


@pytest.fixture(scope="module")
def crashing(app_database_url, entra, tmp_path_factory) -> Iterator[Crashing]:
    log = tmp_path_factory.mktemp("crashing") / "log"
    with crashing_hosts(log, product.environment(app_database_url, entra)) as hosts:
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


def assert_started(stored: Stored, before: Stored, answer: Answer) -> None:
    assert answer.status == 201
    assert stored.started == before.started + Counter([answer.body["id"]])
    assert stored.running == [answer.body["id"]]
    assert stored.entries == stored.stopped == {}


def assert_switched(stored: Stored, before: Stored, answer: Answer) -> None:
    assert answer.status == 201
    assert stored.started == before.started + Counter([answer.body["id"]])
    assert stored.running == [answer.body["id"]]
    assert stored.entries == stored.stopped == {before.running[0]: answer.body["stopped"]["elapsedMs"]}


def assert_stopped(stored: Stored, before: Stored, answer: Answer) -> None:
    assert answer.status == 200
    assert stored.started == before.started
    assert stored.running == []
    assert stored.entries == stored.stopped == {before.running[0]: answer.body["elapsedMs"]}


def assert_placed(stored: Stored, before: Stored, answer: Answer) -> None:
    [earlier] = before.entries
    assert (answer.status, answer.body["ended"]["elapsedMs"]) == (201, 3_600_000)
    assert stored.started == before.started + Counter([answer.body["id"]])
    assert stored.running == before.running
    assert stored.entries == {earlier: 3_600_000, answer.body["id"]: 3_600_000}


def assert_said(stored: Stored, before: Stored, answer: Answer) -> None:
    assert (answer.status, answer.body["elapsedMs"]) == (200, 3_600_000)
    assert (stored.started, stored.running) == (before.started, before.running)
    assert stored.entries == {answer.body["id"]: 3_600_000}


def nothing(_person: Person) -> None:
    """Nothing happened before."""


def a_timer(person: Person) -> None:
    assert person.start(6).status == 201


def a_switch(person: Person) -> None:
    assert late.start(person, NOW - 3 * late.HOUR, workItemId=6).status == 201
    assert late.start(person, NOW - late.HOUR, workItemId=8, switch=True).status == 201


@dataclass(frozen=True)
class Doing:
    """A request, what happened before it, and what the database must hold once it is done."""

    before: Callable[[Person], None]
    send: Callable[[Person], Answer]
    assert_done: Callable[[Stored, Stored, Answer], None]


EACH = pytest.mark.parametrize(
    "doing",
    [
        pytest.param(Doing(before=nothing, send=start, assert_done=assert_started), id="start"),
        pytest.param(Doing(before=a_timer, send=start, assert_done=assert_switched), id="switch"),
        pytest.param(Doing(before=a_timer, send=stop, assert_done=assert_stopped), id="stop"),
        pytest.param(Doing(before=a_switch, send=start_late, assert_done=assert_placed), id="late start"),
        pytest.param(Doing(before=a_switch, send=stop_late, assert_done=assert_said), id="late stop"),
    ],
)


@pytest.fixture
def somebody(one_host, entra) -> Callable[[Doing], Person]:
    """Makes a person who is about to do it; their own requests reach a host that does not crash."""

    def make(doing: Doing) -> Person:
        ada = product.admin(entra, one_host)
        doing.before(ada)
        return ada

    return make


@EACH
def test_killed_before_any_statement_nothing_is_half_done_and_the_repeat_is_done_once(
    crashing, somebody, engine, doing
):
    for point in count(1):
        ada = somebody(doing)
        before = Stored.of(engine, ada.tid)
        answer = crashing.send(point, ada, doing.send)
        if answer is not None:
            break
        left = Stored.of(engine, ada.tid)
        first, second = doing.send(ada), doing.send(ada)

        assert left == before, point
        doing.assert_done(Stored.of(engine, ada.tid), before, first)
        assert (second.status, second.raw) == (first.status, first.raw), point

    assert point > 5
    doing.assert_done(Stored.of(engine, ada.tid), before, answer)
    assert violations(engine) == []


@EACH
def test_killed_after_the_commit_the_repeat_gets_the_answer_that_was_lost(crashing, somebody, engine, doing):
    ada = somebody(doing)
    before = Stored.of(engine, ada.tid)
    lost = crashing.send(AFTER_COMMIT, ada, doing.send)
    left = Stored.of(engine, ada.tid)
    repeated = doing.send(ada)

    assert lost is None
    assert repeated.headers["Idempotent-Replayed"] == "true"
    doing.assert_done(left, before, repeated)
    assert Stored.of(engine, ada.tid) == left
    assert violations(engine) == []
