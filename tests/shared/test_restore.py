"""A database that came back from a backup is noticed by the mark outside it, and one that is in use never is."""

import datetime as dt
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.app import use
from shared.clock import new_id
from shared.db.row_level_security import ALL_TENANTS
from shared.errors import Inconclusive
from shared.jobs import transact
from shared.restore import flow, store
from shared.restore.mark_client import of as mark_client_of
from shared.restore.mark_table import MarkTable
from shared.restore.model import HeldReason, Mark, MarkTableUnavailable, PrivacyChange, PrivacyChangeKind
from tests.support.azurite import connection_string, free_port
from tests.support.budget import tries
from tests.support.installations import change, own, with_store


NOW = dt.datetime(2026, 11, 23, 9, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def log_lines(caplog):
    caplog.set_level(logging.INFO, "timetracker")

    def lines(event):
        entries = [json.loads(record.message) for record in caplog.records if record.name == "timetracker"]
        return [line for line in entries if line["event"] == event]

    return lines


@pytest.fixture
def fresh(engine):
    with own(engine):
        yield


@pytest.fixture
def watched_app(app, azurite, fresh):  # noqa: ARG001 - the installation is this test's own
    return with_store(app, azurite.connection_string)


def app_without_store(app):
    """Another process of the app, which cannot reach the store."""
    return with_store(app, connection_string(free_port()))


def outside(app):
    found = flow.read_installation(app).public_id
    return mark_client_of(app).call(lambda there: there.read(found))


def run(app, **options):
    """Whether a job had its turn."""
    return flow.run_unless_held(app, "a_job", lambda: True, held=False, **options)


def test_the_mark_rises_before_and_after_a_job_and_is_published_each_time(watched_app):
    during = flow.run_unless_held(
        watched_app, "a_job", lambda: (flow.read_installation(watched_app).mark, outside(watched_app).mark), held=None
    )

    assert during == (Mark(3, 101), Mark(3, 101))
    assert flow.read_installation(watched_app).mark == outside(watched_app).mark == Mark(3, 102)


def test_the_mark_rises_after_a_job_that_failed_too(watched_app):
    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        flow.run_unless_held(watched_app, "a_job", fail, held=None)

    assert flow.read_installation(watched_app).mark == outside(watched_app).mark == Mark(3, 102)


def test_a_database_behind_the_stored_mark_is_held_until_it_is_accepted(watched_app, engine, clock, log_lines):
    run(watched_app)
    change(engine, mark=101)  # as a backup from during the job would have it
    first = run(watched_app)
    clock.tick(minutes=5)
    again = run(watched_app)

    found = flow.read_installation(watched_app)
    assert (first, again) == (False, False)
    assert (found.held_reason, found.held_since, found.mark) == (HeldReason.BEHIND, NOW, Mark(3, 101))
    assert outside(watched_app).mark == Mark(3, 102)
    assert [(line["function"], line["reason"]) for line in log_lines("restore_held")] == [("a_job", "behind")] * 2


def test_an_earlier_epoch_is_behind_with_any_mark(watched_app, engine):
    run(watched_app)
    change(engine, epoch=2, mark=5000)

    assert not run(watched_app)
    assert flow.read_installation(watched_app).is_held


def test_a_backup_from_the_middle_of_a_job_is_held(watched_app, engine):
    """The backup is from between the two rises of the mark: it has the first, and no result of the job."""
    between = []
    flow.run_unless_held(
        watched_app, "a_job", lambda: between.append(flow.read_installation(watched_app).mark), held=None
    )
    change(engine, mark=between[0].number)

    assert not run(watched_app)


def test_a_stored_mark_that_is_behind_or_missing_is_updated(watched_app, engine):
    run(watched_app)
    change(engine, mark=500)
    ahead = run(watched_app)
    change(engine, public_id=new_id())  # which the store has never heard of

    assert (ahead, run(watched_app)) == (True, True)
    assert outside(watched_app).mark == flow.read_installation(watched_app).mark == Mark(3, 504)


def test_without_a_mark_table_only_an_operator_holds_the_database(app, fresh, engine, http):  # noqa: ARG001
    before, off = run(app), http.send("GET", "health").body["restoreWatch"]
    with engine.begin() as tx:
        begun = [store.begin(tx, now=NOW), store.begin(tx, now=NOW)]

    assert (before, off, begun, run(app)) == (True, "off", [True, False], False)
    with use(replace(app)):  # another process, which has not answered within the last seconds
        assert http.send("GET", "health").body["restoreWatch"] == "held"


def test_without_the_mark_table_a_check_is_valid_for_an_hour(watched_app, clock, log_lines, monkeypatch):
    run(watched_app)

    def nobody(*_args):
        raise MarkTableUnavailable

    monkeypatch.setattr(mark_client_of(watched_app), "call", nobody)
    clock.tick(minutes=59)
    within_an_hour = run(watched_app)
    clock.tick(minutes=1)
    after = run(watched_app)

    assert (within_an_hour, after) == (True, False)
    assert [line["function"] for line in log_lines("restore_not_checked")] == ["a_job"]
    assert not flow.read_installation(watched_app).is_held


def test_a_process_that_never_reached_the_mark_table_runs_only_jobs_that_can_be_corrected(app, fresh):  # noqa: ARG001
    unreached = app_without_store(app)

    assert (run(unreached), run(unreached, allow_unchecked=True)) == (False, True)
    assert flow.find_active_installation(unreached) is None
    flow.require_not_held(unreached)  # Microsoft is not refused for an outage of ours


def test_beside_requests_a_process_reads_the_stored_mark_once_an_hour(watched_app, engine, clock):
    run(watched_app)
    first = flow.find_active_installation(watched_app)
    change(engine, mark=101)
    clock.tick(minutes=59)
    believed = flow.find_active_installation(watched_app)
    another_process = replace(watched_app)
    held = flow.find_active_installation(another_process)
    told_by_the_database = flow.find_active_installation(watched_app)

    assert first is not None
    assert believed is not None
    assert (held, told_by_the_database) == (None, None)
    with pytest.raises(Inconclusive) as refused:
        flow.require_not_held(watched_app)
    assert (refused.value.code, refused.value.headers["Retry-After"]) == ("restore_held", "300")


def test_processes_that_run_jobs_at_once_are_not_held(watched_app):
    """Each reads the store first; a mark in the store was committed before."""
    together = threading.Barrier(6)

    def job(_):
        mine = replace(watched_app)
        together.wait(30)
        return [run(mine) for _ in range(5)]

    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(job, range(6)))

    assert done == [[True] * 5] * 6
    assert flow.read_installation(watched_app).mark == outside(watched_app).mark == Mark(3, 160)


@settings(max_examples=tries(20), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(marks=st.lists(st.builds(Mark, st.integers(0, 3), st.integers(0, 2**40)), min_size=1, max_size=6))
def test_only_the_latest_mark_is_stored_in_any_order_of_writes(azurite, marks):
    there, mine = MarkTable(azurite.connection_string), new_id()
    for mark in marks:
        there.raise_to(mine, mark, now=NOW)

    found = there.read(mine)
    assert found is not None
    assert found.mark == max(marks)


def test_of_concurrent_marks_the_latest_is_stored(azurite):
    mine, marks = new_id(), [Mark(1, number * 7 % 24) for number in range(24)]
    there = MarkTable(azurite.connection_string)
    there.read(mine)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda mark: there.raise_to(mine, mark, now=NOW), marks))

    found = there.read(mine)
    assert found is not None
    assert found.mark == Mark(1, 23)


def test_erasures_and_rights_are_published_after_a_job_and_pending_until_then(watched_app, world, clock):
    admin = world.tenant()
    restricted = admin.patch("privacy", {"restricted": True})
    clock.tick(milliseconds=1)
    lifted = admin.patch("privacy", {"restricted": False})
    waiting = transact(watched_app, ALL_TENANTS, store.list_pending_changes, reads_only=True)
    run(app_without_store(watched_app), allow_unchecked=True)
    still = transact(watched_app, ALL_TENANTS, store.list_pending_changes, reads_only=True)
    run(watched_app)

    assert (restricted.status, lifted.status) == (200, 200)
    assert [(each.kind, each.in_force) for _, each in waiting] == [
        (PrivacyChangeKind.RESTRICTION, True),
        (PrivacyChangeKind.RESTRICTION, False),
    ]
    assert still == waiting
    assert transact(watched_app, ALL_TENANTS, store.list_pending_changes, reads_only=True) == []
    found = flow.read_installation(watched_app).public_id
    assert mark_client_of(watched_app).call(lambda there: there.list_changes(found)) == [each for _, each in waiting]


def test_a_held_database_publishes_nothing(watched_app, world, engine):
    run(watched_app)
    world.tenant().patch("privacy", {"objected": True})
    change(engine, mark=1)
    run(watched_app)

    assert len(transact(watched_app, ALL_TENANTS, store.list_pending_changes, reads_only=True)) == 1


def test_more_changes_than_fit_in_one_transaction_are_all_stored(azurite):
    there, mine = MarkTable(azurite.connection_string), new_id()
    some = [
        PrivacyChange(
            new_id(),
            PrivacyChangeKind.ERASURE,
            new_id(),
            new_id(),
            in_force=True,
            at=NOW + dt.timedelta(minutes=number),
        )
        for number in range(230)
    ]
    for _ in range(2):
        there.add_changes(mine, some)

    assert there.list_changes(mine) == some
    assert there.list_changes(new_id()) == []
