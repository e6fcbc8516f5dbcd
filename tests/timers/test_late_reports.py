"""Reports of a client that was offline: in any order, repeated until they are acknowledged, they make the same time."""

import datetime as dt
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.db.schema import running_timers, time_entries, timer_log, users
from tests.support.world import START, WORK_ITEM, Answer, Person, new_id
from timers.jobs import stop_all_forgotten


MS, MINUTE, HOUR = dt.timedelta(milliseconds=1), dt.timedelta(minutes=1), dt.timedelta(hours=1)
ENDED, SWITCHED, RUNS = "ended", "switched", "runs"


def iso(at: dt.datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def start(person: Person, at: dt.datetime, *, key: str | None = None, **more: Any) -> Answer:  # noqa: ANN401 - JSON
    return person.post("timers/start", {**WORK_ITEM, "startedAt": iso(at), **more}, key=key)


def stop(person: Person, at: dt.datetime | None = None, *, key: str | None = None, **more: Any) -> Answer:  # noqa: ANN401
    return person.post("timers/stop", {**({} if at is None else {"stoppedAt": iso(at)}), **more}, key=key)


def rows(engine: sa.Engine, table: sa.Table, person: Person) -> list[Any]:
    mine = sa.select(users.c.id).where(users.c.entra_object_id == uuid.UUID(person.oid))
    with engine.connect() as connection:
        return list(connection.execute(sa.select(table).where(table.c.user_id.in_(mine)).order_by(table.c.id)))


def entries(engine: sa.Engine, person: Person) -> dict[str, tuple[dt.datetime, dt.datetime]]:
    return {str(row.public_id): (row.started_at, row.stopped_at) for row in rows(engine, time_entries, person)}


@dataclass(frozen=True)
class Report:
    """One thing that a device has to tell, with its own key, however often it is sent."""

    what: str
    timer: str
    at: dt.datetime
    switch: bool = False
    key: str = field(default_factory=new_id)

    def send(self, person: Person) -> Answer:
        if self.what == "stop":
            return stop(person, self.at, key=self.key, timerId=self.timer)
        number = int(self.timer[:4], 16) + 1
        return start(person, self.at, key=self.key, timerId=self.timer, switch=self.switch, workItemId=number)


@dataclass(frozen=True)
class Timer:
    """A timer as it truly was; the way it ended is one of ENDED, SWITCHED and RUNS."""

    id: str
    started_at: dt.datetime
    stopped_at: dt.datetime | None
    way: str


def reports_of(timers: list[Timer]) -> Iterator[Report]:
    for before, timer in zip([None, *timers], timers, strict=False):
        yield Report("start", timer.id, timer.started_at, switch=before is not None and before.way == SWITCHED)
        if timer.way == ENDED:
            assert timer.stopped_at is not None
            yield Report("stop", timer.id, timer.stopped_at)


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
        timers.append(Timer(draw(st.uuids(version=4)).__str__(), at, stopped_at, way))
        at += (length + gap) * MS
    return timers


def deliver(person: Person, reports: list[Report], *, luck: random.Random, meanwhile) -> list[Answer]:
    """Sends every report again and again, in whatever order, until each is acknowledged; sends some of them after that."""
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


def assert_true(engine: sa.Engine, person: Person, timers: list[Timer], reports: list[Report]) -> None:
    """What is kept is what was, to the millisecond, and the log has every report."""
    kept = {(str(row.public_id), row.started_at, row.stopped_at) for row in rows(engine, time_entries, person)}
    running = {(str(row.public_id), row.started_at) for row in rows(engine, running_timers, person)}
    inferred = {str(row.public_id) for row in rows(engine, time_entries, person) if row.end_inferred}
    logged = rows(engine, timer_log, person)
    starts = [(str(row.timer_id), row.happened_at) for row in logged if row.event == "started"]
    ends = {(str(row.timer_id), row.happened_at) for row in logged if row.event in {"stopped", "corrected"}}

    assert kept == {(each.id, each.started_at, each.stopped_at) for each in timers if each.stopped_at is not None}
    assert running == {(each.id, each.started_at) for each in timers if each.way == RUNS}
    assert inferred == {each.id for each in timers if each.way == SWITCHED}
    assert not any(row.needs_review for row in rows(engine, time_entries, person))
    assert sorted(starts) == sorted((each.timer, each.at) for each in reports if each.what == "start")
    assert ends >= {(each.timer, each.at) for each in reports if each.what == "stop"}


MANY = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


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
def test_the_job_for_forgotten_timers_in_between_changes_nothing_of_that(world, app, clock, engine, timers, luck):
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
