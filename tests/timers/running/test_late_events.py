"""Late events in any order, repeated until they are acknowledged, yield the same entries."""

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.budget import tries
from tests.support.world import START, Answer, Person
from tests.timers.running.late import ENDED, HOUR, MS, RUNS, SWITCHED, LateEvent, Timer, assert_entries, events_of
from timers.forgotten.jobs import stop_all_forgotten


@st.composite
def histories(draw) -> list[Timer]:
    """Up to six timers of one person within ten hours, to the millisecond; ends and the next starts may meet."""
    at, timers = START, []
    ways = draw(st.lists(st.sampled_from([ENDED, ENDED, SWITCHED]), max_size=5))
    ways.append(draw(st.sampled_from([ENDED, RUNS])))
    lengths = st.one_of(st.integers(0, 3), st.integers(4, 50 * 60_000))
    for way in ways:
        length = draw(lengths)
        gap = draw(st.one_of(st.just(0), lengths))
        if way == SWITCHED:
            length, gap = max(length, 1), 0
        elif length == 0:
            gap = max(gap, 1)  # starts of the same millisecond have no order
        stopped_at = None if way == RUNS else at + length * MS
        timers.append(Timer(str(draw(st.uuids(version=4))), at, stopped_at, way))
        at += (length + gap) * MS
    return timers


def deliver(person: Person, events: list[LateEvent], *, luck: random.Random, meanwhile) -> list[Answer]:
    """Sends every event in the given order, repeatedly until each is acknowledged, and some once more."""
    pending, answers = list(events), []
    for _ in range(len(events) + 1):
        luck.shuffle(pending)
        still = []
        for event in pending:
            meanwhile()
            answer = event.send(person)
            assert answer.status in {200, 201, 409}, answer.raw
            if answer.status == 409:
                still.append(event)
            else:
                answers.append(answer)
            if luck.random() < 0.3:
                again = luck.choice(events).send(person)
                assert again.status in {200, 201, 409}, again.raw
        pending = still
    assert pending == [], "every round acknowledges at least the earliest that is open"
    for event in luck.sample(events, len(events)):
        assert event.send(person).headers["Idempotent-Replayed"] == "true"
    return answers


MANY = settings(max_examples=tries(20), suppress_health_check=[HealthCheck.function_scoped_fixture])


@MANY
@given(timers=histories(), luck=st.randoms(use_true_random=False))
def test_late_events_in_any_order_and_repeated_yield_the_real_times(world, clock, engine, timers, luck):
    clock.at = START - HOUR
    ada = world.tenant()
    clock.at = START + 12 * HOUR
    events = list(events_of(timers))
    deliver(ada, events, luck=luck, meanwhile=lambda: clock.tick(seconds=luck.randrange(60)))

    assert_entries(engine, ada, timers, events)


@MANY
@given(timers=histories(), luck=st.randoms(use_true_random=False))
def test_the_job_for_forgotten_timers_in_between_does_not_change_that(world, app, engine, timers, luck):
    clock = world.clock
    clock.at = START - HOUR
    ada = world.tenant()
    clock.at = START + 12 * HOUR
    if timers[-1].way == RUNS:
        timers = timers[:-1]
    if timers and timers[-1].way == SWITCHED:
        timers[-1] = Timer(timers[-1].id, timers[-1].started_at, timers[-1].stopped_at, ENDED)
    events = list(events_of(timers))

    def job_or_not() -> None:
        clock.tick(seconds=luck.randrange(120))
        if luck.random() < 0.5:
            stop_all_forgotten(app)

    deliver(ada, events, luck=luck, meanwhile=job_or_not)

    assert_entries(engine, ada, timers, events)
