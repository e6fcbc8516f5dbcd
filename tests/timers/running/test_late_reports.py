"""Reports of a client that was offline: in any order, repeated until they are acknowledged, they make the same time."""

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.budget import tries
from tests.support.world import START, Answer, Person
from tests.timers.running.late import ENDED, HOUR, MS, RUNS, SWITCHED, Report, Timer, assert_true, reports_of
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
            gap = max(gap, 1)  # of two starts in the same millisecond nobody can say which was first
        stopped_at = None if way == RUNS else at + length * MS
        timers.append(Timer(str(draw(st.uuids(version=4))), at, stopped_at, way))
        at += (length + gap) * MS
    return timers


def deliver(person: Person, reports: list[Report], *, luck: random.Random, meanwhile) -> list[Answer]:
    """Sends every report again and again, in whatever order, until each is acknowledged, and some once more."""
    open_ones, told = list(reports), []
    for _ in range(len(reports) + 1):
        luck.shuffle(open_ones)
        still = []
        for report in open_ones:
            meanwhile()
            answer = report.send(person)
            assert answer.status in {200, 201, 409}, answer.raw
            if answer.status == 409:
                still.append(report)
            else:
                told.append(answer)
            if luck.random() < 0.3:
                again = luck.choice(reports).send(person)
                assert again.status in {200, 201, 409}, again.raw
        open_ones = still
    assert open_ones == [], "every round acknowledges at least the earliest that is open"
    for report in luck.sample(reports, len(reports)):
        assert report.send(person).headers["Idempotent-Replayed"] == "true"
    return told


MANY = settings(max_examples=tries(20), suppress_health_check=[HealthCheck.function_scoped_fixture])


@MANY
@given(timers=histories(), luck=st.randoms(use_true_random=False))
def test_in_any_order_and_repeated_the_reports_make_the_time_that_was(world, clock, engine, timers, luck):
    clock.at = START - HOUR
    ada = world.tenant()
    clock.at = START + 12 * HOUR
    reports = list(reports_of(timers))
    deliver(ada, reports, luck=luck, meanwhile=lambda: clock.tick(seconds=luck.randrange(60)))

    assert_true(engine, ada, timers, reports)


@MANY
@given(timers=histories(), luck=st.randoms(use_true_random=False))
def test_the_job_for_forgotten_timers_in_between_changes_nothing_of_that(world, app, engine, timers, luck):
    clock = world.clock
    clock.at = START - HOUR
    ada = world.tenant()
    clock.at = START + 12 * HOUR
    if timers[-1].way == RUNS:
        timers = timers[:-1]
    if timers and timers[-1].way == SWITCHED:
        timers[-1] = Timer(timers[-1].id, timers[-1].started_at, timers[-1].stopped_at, ENDED)
    reports = list(reports_of(timers))

    def job_or_not() -> None:
        clock.tick(seconds=luck.randrange(120))
        if luck.random() < 0.5:
            stop_all_forgotten(app)

    deliver(ada, reports, luck=luck, meanwhile=job_or_not)

    assert_true(engine, ada, timers, reports)
