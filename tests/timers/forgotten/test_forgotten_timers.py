import uuid
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from shared.db.schema import running_timers, tenants, time_entries, timer_log
from shared.jobs import JobFailed
from tests.support.connection_loss import on_postgresql
from tests.timers.running.late import rows
from timers.forgotten import service as forgotten_service
from timers.forgotten.jobs import stop_all_forgotten


def test_a_timer_over_the_limit_ends_at_the_limit_and_needs_a_review(world, app, clock, engine):
    ada = world.tenant()
    started = ada.start(7).body
    clock.tick(hours=12)
    stop_all_forgotten(app)
    at_the_limit = ada.running().status
    clock.tick(minutes=3)
    stop_all_forgotten(app)
    [review] = ada.post("sign-in").body["needsReview"]
    [entry] = rows(engine, time_entries, ada)
    stop = rows(engine, timer_log, ada)[-1]

    assert (at_the_limit, ada.running().status) == (200, 204)
    assert (review["id"], review["source"], review["needsReview"]) == (started["id"], "autoStopped", True)
    assert (review["stoppedAt"], review["elapsedMs"]) == ("2026-11-23T21:00:00.000Z", 12 * 3_600_000)
    assert entry.end_inferred
    assert (stop.event, stop.actor_id, stop.reported_late) == ("stopped", None, False)
    assert (stop.happened_at, stop.received_at) == (entry.stopped_at, clock())


def test_the_limit_is_the_tenants_own(world, app, clock, engine):
    ada, bob = world.tenant(), world.tenant()
    etag = {"If-Match": "*"}
    changed = ada.http.send("PATCH", "tenant", {"forgottenTimerLimitMinutes": 60}, token=ada.token, headers=etag)
    for person in (ada, bob):
        person.start(7)
    clock.tick(hours=2)
    stop_all_forgotten(app)

    assert changed.status == 200
    assert [entry.elapsed_ms for entry in rows(engine, time_entries, ada)] == [3_600_000]
    assert bob.running().status == 200


def test_a_repeated_job_changes_nothing(world, app, clock):
    ada = world.tenant()
    ada.start(7)
    clock.tick(hours=13)
    stopped = [stop_all_forgotten(app), stop_all_forgotten(app)]

    assert stopped[0] >= 1
    assert stopped[1] == 0
    assert [row["event"] for row in ada.log()] == ["stopped", "started"]


def test_a_stop_after_the_limit_and_before_the_job_keeps_its_instant_and_needs_a_review(world, app, clock):
    ada = world.tenant()
    ada.start(7)
    clock.tick(hours=12, milliseconds=1)
    stopped = ada.stop().body
    stop_all_forgotten(app)

    assert (stopped["source"], stopped["elapsedMs"], stopped["needsReview"]) == ("timer", 12 * 3_600_000 + 1, True)
    assert [each["id"] for each in ada.post("sign-in").body["needsReview"]] == [stopped["id"]]


def test_a_stop_at_the_limit_needs_no_review(world, clock):
    ada = world.tenant()
    ada.start(7)
    clock.tick(hours=12)

    assert ada.stop().body["needsReview"] is False


@on_postgresql
def test_a_timer_started_while_the_job_waits_for_its_users_lock_keeps_running(world, app, clock, engine):
    """On SQLite the job holds the only write lock from its first statement on."""
    ada = world.tenant()
    forgotten = ada.start(7).body["id"]
    clock.tick(hours=13)

    def stop_and_start_another():
        assert ada.stop().body["id"] == forgotten
        clock.tick(seconds=1)
        assert ada.start(8).status == 201

    with just_before(app.engine, "SELECT users.id", "FOR NO KEY UPDATE OF users", stop_and_start_another):
        stop_all_forgotten(app)

    [entry] = rows(engine, time_entries, ada)

    assert ada.running().body["workItemId"] == 8
    assert (entry.source, entry.elapsed_ms) == ("timer", 13 * 3_600_000)


@contextmanager
def just_before(engine, beginning, end, act):
    """Acts once, before the first statement with this beginning and end."""
    met: list[str] = []

    def listen(_connection, _cursor, statement, *_):
        if not met and statement.startswith(beginning) and statement.endswith(end):
            met.append(statement)
            act()

    sa.event.listen(engine, "before_cursor_execute", listen)
    try:
        yield
    finally:
        sa.event.remove(engine, "before_cursor_execute", listen)
    assert met


def test_forgotten_timers_are_stopped_in_every_state_of_the_plan(world, app, clock, engine):
    ada = world.tenant()
    ada.start(7)
    clock.tick(days=31)
    stop_all_forgotten(app)

    assert [entry.elapsed_ms for entry in rows(engine, time_entries, ada)] == [12 * 3_600_000]


def test_more_timers_than_one_batch_are_all_stopped(world, app, clock, monkeypatch):
    monkeypatch.setattr(forgotten_service, "BATCH_SIZE", 2)
    ada = world.tenant()
    people = [ada, *(world.member(ada) for _ in range(4))]
    for person in people:
        person.start(7)
    clock.tick(hours=13)
    stop_all_forgotten(app)

    assert {person.running().status for person in people} == {204}


def test_one_tenants_failure_does_not_affect_the_others(world, app, clock, engine):
    ada, bob = world.tenant(), world.tenant()
    for person in (ada, bob):
        person.start(7)
    clock.tick(hours=13)
    zone(engine, ada, "Nowhere/Else")
    with pytest.raises(JobFailed, match="1 of"):
        stop_all_forgotten(app)

    assert (ada.running().status, bob.running().status) == (200, 204)
    zone(engine, ada, "UTC")
    stop_all_forgotten(app)
    assert ada.running().status == 204


def zone(engine, person, name):
    """Sets the time zone of the person's tenant, which need not exist."""
    with engine.begin() as tx:
        theirs = tenants.c.entra_tenant_id == uuid.UUID(person.tid)
        tx.execute(sa.update(tenants).where(theirs).values(time_zone=name))


def test_a_deactivation_infers_the_end(world, clock, engine):
    ada = world.tenant()
    ben = world.member(ada)
    ben.start(7)
    clock.tick(hours=1)
    ada.post(f"users/{ben.get('me').body['id']}/deactivate")

    assert [entry.end_inferred for entry in rows(engine, time_entries, ben)] == [True]
    assert rows(engine, running_timers, ben) == []


def test_a_switch_infers_the_end_and_a_stop_does_not(world, clock, engine):
    ada = world.tenant()
    ada.start(7)
    clock.tick(hours=1)
    ada.start(8, switch=True)
    clock.tick(hours=1)
    ada.stop()

    assert [(entry.work_item_id, entry.end_inferred) for entry in rows(engine, time_entries, ada)] == [
        (7, True),
        (8, False),
    ]
