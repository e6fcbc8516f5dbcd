"""Concurrent queues of offline clients, and the job for forgotten timers, through two processes."""

import random
import time
from functools import partial

import pytest

from shared import clock
from shared.db.schema import time_entries
from tests.faults import product
from tests.faults.acknowledged_time import StoredTime, violations, watch_invariants
from tests.faults.product import via
from tests.support.budget import tries
from tests.support.world import Answer, Person, new_id
from tests.timers.running import late
from tests.timers.running.late import ENDED, HOUR, MINUTE, RUNS, SWITCHED, LateEvent, Timer


JOB = "/admin/functions/stop_forgotten_timers"


def history(rng: random.Random) -> list[Timer]:
    """Five timers of the last six hours; the last may still run."""
    at, timers = clock.now() - 6 * HOUR, []
    for way in [*rng.choices([ENDED, SWITCHED], k=4), rng.choice([ENDED, RUNS])]:
        length = rng.randrange(1, 40) * MINUTE
        timers.append(Timer(new_id(), at, None if way == RUNS else at + length, way))
        at += length + (0 * MINUTE if way == SWITCHED else rng.randrange(20) * MINUTE)
    return timers


def deliver(person: Person, events: list[LateEvent], base: str, seed: int) -> set[int]:
    """Sends a queue in an order of its own, until each event is acknowledged; returns the statuses of the responses."""
    rng, statuses, pending = random.Random(seed), set(), list(events)  # noqa: S311 - an order, no secret
    for _ in range(len(events) + 1):
        rng.shuffle(pending)
        answers = [(event, event.send(via(person, base)).status) for event in pending]
        statuses |= {status for _, status in answers}
        pending = [event for event, status in answers if status not in {200, 201}]
    assert pending == []
    return statuses


@pytest.mark.parametrize("seed", range(tries(4)))
def test_a_queue_sent_by_four_devices_at_once_yields_the_real_times(two_hosts, entra, crowd, engine, seed):
    people = [product.admin(entra, two_hosts[0]) for _ in range(4)]
    histories = [history(random.Random(4 * seed + number)) for number in range(4)]  # noqa: S311 - likewise
    queues = [list(late.events_of(timers)) for timers in histories]
    with watch_invariants(engine) as found:
        answers = crowd.at_once(
            [
                partial(deliver, who, queue, two_hosts[n % 2], n)
                for who, queue in zip(people, queues, strict=True)
                for n in range(4)
            ]
        )

    assert found == []
    assert set().union(*answers) <= {200, 201, 409}
    for who, timers, queue in zip(people, histories, queues, strict=True):
        late.assert_entries(engine, who, timers, queue)


def test_a_forgotten_timer_is_stopped_by_its_person_or_by_a_job_and_never_by_both(two_hosts, entra, crowd, engine):
    admins = [product.admin(entra, two_hosts[0]) for _ in range(4)]
    people = admins + [member(entra, two_hosts[0], admin) for admin in admins for _ in range(3)]
    for who in people:
        assert late.start(who, clock.now() - 13 * HOUR).status == 201
    jobs = [partial(run_job, two_hosts[n % 2]) for n in range(6)]
    with watch_invariants(engine) as found:
        answers = crowd.at_once([*jobs, *(partial(stop, who, two_hosts[n % 2]) for n, who in enumerate(people))])
        wait_until_none_runs(engine, people, two_hosts)
    stops = dict(zip(people, answers[len(jobs) :], strict=True))

    assert found == violations(engine) == []
    for who, answer in stops.items():
        [entry] = late.rows(engine, time_entries, who)
        assert entry.needs_review
        assert (answer.status, entry.source) in {(200, "timer"), (409, "autoStopped")}
        assert entry.source == "timer" or entry.stopped_at - entry.started_at == 12 * HOUR
        assert answer.status == 409 or answer.body["elapsedMs"] == entry.elapsed_ms


def member(entra, base: str, admin: Person) -> Person:
    colleague = product.person(entra, base, admin.tid)
    assert colleague.post("sign-in").status == 200
    return colleague


def stop(person: Person, base: str) -> Answer:
    return via(person, base).stop(key=new_id())


def run_job(base: str) -> Answer:
    answer = product.connect(base).send("POST", base + JOB, {})
    assert answer.status == 202
    return answer


def wait_until_none_runs(engine, people: list[Person], hosts: tuple[str, str]) -> None:
    """Repeats the job, since a host does not report its end."""
    end = time.monotonic() + 30
    while StoredTime.of(engine, *{who.tid for who in people}).running:
        assert time.monotonic() < end
        for base in hosts:
            run_job(base)
        time.sleep(0.1)
