"""Hours are written to Completed Work once, whatever Azure DevOps does, and no stop fails because of it."""

import json
import math
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.budget import tries
from tests.support.connection_loss import drop_connections, on_postgresql
from tests.support.world import WORK_ITEM, new_id
from tests.timers.write_back.write_backs import (
    BUG,
    STORY,
    TASK,
    change,
    correct_entry,
    delete_entry,
    retry,
    run_timer,
    send,
)
from timers.azure_devops import of as azure_devops_of


# Faults of one request, in the emulator's words.
LOST = [
    {"lost_answer": True},
    {"late_landing": 0.3},
    {"cut": True},
    {"status": 500},
    {"status": 502, "lost_answer": True},
]
REFUSED = [
    {"status": 203, "body": "<html>Sign In</html>"},
    {"status": 401},
    {"status": 403, "body": "{}", "headers": {"Content-Type": "application/json"}},
]


@pytest.fixture
def ada(world):
    ada = world.tenant()
    change(ada, writeBack=True)
    return ada


@pytest.fixture
def short_sessions(app, monkeypatch):
    """Limits each session with Azure DevOps to half a second, of the four of a change."""
    client = azure_devops_of(app)
    open_session = client.open_session

    def open_briefly(*arguments, deadline, **options):
        return open_session(*arguments, deadline=deadline.at_most(0.5), **options)

    monkeypatch.setattr(client, "open_session", open_briefly)


def test_a_stop_adds_its_hours_to_completed_work(ada, clock, azure_devops):
    stopped = run_timer(ada, clock, azure_devops.token())

    assert (stopped.status, stopped.body["writeBack"]) == (200, "done")
    assert "writeBackReason" not in stopped.body
    assert azure_devops.completed(BUG) == 4.0
    assert ada.get(f"entries/{stopped.body['id']}").body["writeBack"] == "done"
    assert ada.entries()[0]["writeBack"] == "done"


def test_while_the_write_back_is_off_nothing_is_written(world, clock, azure_devops):
    bob = world.tenant()
    stopped = run_timer(bob, clock, azure_devops.token())
    retried = retry(bob, stopped.body["id"], azure_devops.token())

    assert "writeBack" not in stopped.body
    assert (retried.status, retried.code) == (409, "write_back_off")
    assert azure_devops.completed(BUG) == 3.5


def test_without_a_token_the_hours_stay_pending_until_a_request_has_one(ada, clock, azure_devops):
    ada.start(BUG)
    clock.tick(minutes=30)
    stopped = ada.stop()
    no_token = ada.post(f"entries/{stopped.body['id']}/write-back")
    first = retry(ada, stopped.body["id"], azure_devops.token())
    second = retry(ada, stopped.body["id"], azure_devops.token())

    assert (stopped.body["writeBack"], stopped.body["writeBackReason"]) == ("pending", "not_sent")
    assert "written with the next change" in stopped.body["writeBackDetail"]
    assert (no_token.status, no_token.code) == (403, "azure_devops_sign_in_required")
    assert first.body["writeBack"] == second.body["writeBack"] == "done"
    assert azure_devops.completed(BUG) == 4.0


def test_an_entry_from_before_the_write_back_is_written_on_request(world, clock, azure_devops):
    ada = world.tenant()
    stopped = run_timer(ada, clock, azure_devops.token())
    change(ada, writeBack=True)
    ada.correct(stopped, stoppedAt=clock().isoformat(), note="longer")
    before = azure_devops.completed(BUG)
    retried = retry(ada, stopped.body["id"], azure_devops.token())

    assert before == 3.5
    assert retried.body["writeBack"] == "done"
    assert azure_devops.completed(BUG) == 4.0


def test_a_repeated_stop_gets_the_same_response_and_writes_nothing_more(ada, clock, azure_devops):
    ada.start(BUG)
    clock.tick(minutes=30)
    first, second = (
        send(ada, "POST", "timers/stop", azure_devops.token(), **{"Idempotency-Key": "stop-1"}) for _ in range(2)
    )

    assert first.body == second.body
    assert first.body["writeBack"] == "done"
    assert azure_devops.completed(BUG) == 4.0


def test_a_switch_writes_the_hours_of_the_stopped_timer(ada, clock, azure_devops):
    ada.start(BUG)
    clock.tick(minutes=30)
    body = {**WORK_ITEM, "workItemId": TASK, "switch": True}
    switched = send(ada, "POST", "timers/start", azure_devops.token(), body)

    assert switched.body["stopped"]["writeBack"] == "done"
    assert azure_devops.completed(BUG) == 4.0


def test_a_late_switch_that_creates_two_entries_shows_the_progress_of_both(ada, clock, azure_devops):
    """The response had the status of the second after its write, and of the first from before it."""
    token = azure_devops.token()
    later = run_timer(ada, clock, token, item=TASK)
    ada.start(BUG)
    clock.tick(hours=2)
    correct_entry(ada, later.body, token, startedAt="2026-11-23T10:30:00Z", stoppedAt="2026-11-23T11:00:00Z")
    start = {**WORK_ITEM, "workItemId": TASK, "switch": True, "startedAt": "2026-11-23T10:00:00Z"}
    started = send(ada, "POST", "timers/start", token, start)

    assert started.status == 201
    assert (started.body["stopped"]["elapsedMs"], started.body["ended"]["elapsedMs"]) == (1_800_000, 1_800_000)
    assert started.body["stopped"]["writeBack"] == started.body["ended"]["writeBack"] == "done"


def test_all_items_of_a_request_share_one_deadline(ada, clock, azure_devops, app, monkeypatch):
    client = azure_devops_of(app)
    seconds, open_session = [], client.open_session

    def counted(*arguments, deadline, **options):
        seconds.append(math.ceil(deadline.left))
        return open_session(*arguments, deadline=deadline, **options)

    monkeypatch.setattr(client, "open_session", counted)
    ada.start(BUG)
    clock.tick(minutes=30)
    stopped = send(ada, "POST", "timers/start", azure_devops.token(), {**WORK_ITEM, "workItemId": TASK, "switch": True})
    path, other = f"entries/{stopped.body['stopped']['id']}", {"workItemId": TASK, "reason": "it was the other one"}
    assert seconds == [4]
    moved = send(ada, "PATCH", path, azure_devops.token(), other, **{"If-Match": "*"})

    assert moved.body["writeBack"] == "done"
    assert (azure_devops.completed(BUG), azure_devops.completed(TASK)) == (3.5, 6.75)
    assert seconds == [4, 4]


def test_manual_entries_corrections_and_deletions_reach_their_items(ada, azure_devops):
    token = azure_devops.token()
    times = {"startedAt": "2026-11-20T09:00:00Z", "stoppedAt": "2026-11-20T10:00:00Z"}
    entered = send(ada, "POST", "entries", token, {**WORK_ITEM, **times})
    path = f"entries/{entered.body['id']}"
    hours = [azure_devops.completed(BUG)]
    longer = {"stoppedAt": "2026-11-20T11:30:00Z", "reason": "lunch was later"}
    corrected = send(ada, "PATCH", path, token, longer, **{"If-Match": entered.headers["ETag"]})
    hours.append(azure_devops.completed(BUG))
    other = {"workItemId": TASK, "reason": "it was the other one"}
    moved = send(ada, "PATCH", path, token, other, **{"If-Match": corrected.headers["ETag"]})
    hours += [azure_devops.completed(BUG), azure_devops.completed(TASK)]
    removed = send(ada, "DELETE", f"{path}?reason=none", token, **{"If-Match": moved.headers["ETag"]})
    hours.append(azure_devops.completed(TASK))

    assert [each.status for each in (entered, corrected, moved, removed)] == [201, 200, 200, 204]
    assert [each.body["writeBack"] for each in (entered, corrected, moved)] == ["done"] * 3
    assert hours == [4.5, 6.0, 3.5, 8.75, 6.25]


def test_a_deletion_waits_for_the_hours_that_it_subtracts(ada, clock, azure_devops):
    token = azure_devops.token()
    azure_devops.set_fault("work_item", status=500)
    stopped = run_timer(ada, clock, token, minutes=60)
    azure_devops.clear_faults()
    azure_devops.set_fault("update", status=401, times=1)
    corrected = ada.correct(stopped, startedAt="2026-11-23T09:30:00Z")
    stuck = retry(ada, stopped.body["id"], token)
    unharmed = azure_devops.completed(BUG)
    done = retry(ada, stopped.body["id"], token)

    assert corrected.body["writeBack"] == "pending"
    assert stuck.body["writeBack"] == "failed"
    assert unharmed == 3.5
    assert done.body["writeBack"] == "done"
    assert azure_devops.completed(BUG) == 4.0


def test_hours_of_a_deleted_entry_are_subtracted_on_request(ada, clock, azure_devops):
    token = azure_devops.token()
    entry = run_timer(ada, clock, token).body
    azure_devops.set_fault("update", status=401)
    gone = delete_entry(ada, entry, token)
    stuck = retry(ada, entry["id"], token)
    azure_devops.clear_faults()
    still = azure_devops.completed(BUG)
    done, repeated = retry(ada, entry["id"], token), retry(ada, entry["id"], token)

    assert (gone.status, still) == (204, 4.0)
    assert (stuck.status, stuck.code) == (409, "write_back_not_done")
    assert "Azure DevOps" in stuck.body["detail"]
    assert (done.status, repeated.status) == (204, 204)
    assert azure_devops.completed(BUG) == 3.5


def test_a_retryable_conflict_is_not_stored_for_the_key(ada, clock, azure_devops):
    token, key = azure_devops.token(), {"Idempotency-Key": new_id()}
    entry = run_timer(ada, clock, token).body
    azure_devops.set_fault("update", status=401)
    delete_entry(ada, entry, token)
    path = f"entries/{entry['id']}/write-back"
    stuck = send(ada, "POST", path, token, **key)
    azure_devops.clear_faults()

    assert [stuck.status, send(ada, "POST", path, token, **key).status] == [409, 204]
    assert azure_devops.completed(BUG) == 3.5


def test_only_people_who_could_see_a_deleted_entry_may_request_its_write_back(ada, clock, azure_devops, world):
    token = azure_devops.token()
    bob, eve, stranger = world.member(ada), world.member(ada), world.tenant()
    change(stranger, writeBack=True)
    entry = run_timer(bob, clock, token).body
    bob.delete(f"entries/{entry['id']}", version=entry["version"], reason="wrong")
    refused = {(each.status, each.code) for each in (retry(who, entry["id"], token) for who in (eve, stranger))}
    before = azure_devops.completed(BUG)

    assert refused == {(404, "not_found")}
    assert before == 4.0
    assert (retry(ada, entry["id"], token).status, azure_devops.completed(BUG)) == (204, 3.5)


def test_a_deleted_entry_that_never_counted_is_not_found(ada, clock, azure_devops):
    change(ada, writeBack=False)
    entry = run_timer(ada, clock, azure_devops.token()).body
    delete_entry(ada, entry, azure_devops.token())
    change(ada, writeBack=True)

    assert retry(ada, entry["id"], azure_devops.token()).code == "not_found"
    assert retry(ada, new_id(), azure_devops.token()).code == "not_found"
    assert retry(ada, "no-id", azure_devops.token()).code == "not_found"


def test_completed_work_never_falls_below_zero(ada, clock, azure_devops):
    token = azure_devops.token()
    stopped = run_timer(ada, clock, token, minutes=60)
    azure_devops.edit(BUG, hours=0.25)
    removed = send(
        ada,
        "DELETE",
        f"entries/{stopped.body['id']}?reason=none",
        token,
        **{"If-Match": stopped.headers.get("ETag", "*")},
    )

    assert removed.status == 204
    assert azure_devops.completed(BUG) == 0


@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("times", [1, 2])
def test_a_write_with_a_lost_response_counts_once(ada, clock, azure_devops, fault, times):
    azure_devops.set_fault("update", times=times, **fault)
    stopped = run_timer(ada, clock, azure_devops.token())
    azure_devops.clear_faults()
    settled = retry(ada, stopped.body["id"], azure_devops.token())

    assert stopped.status == 200
    assert settled.body["writeBack"] == "done", settled.body
    assert azure_devops.completed(BUG) == 4.0


@pytest.mark.parametrize("fault", LOST)
def test_an_open_attempt_is_settled_from_the_history_and_never_added_again(ada, clock, azure_devops, fault):
    azure_devops.set_fault("update", **fault)
    azure_devops.set_fault("updates", status=500)
    stopped = run_timer(ada, clock, azure_devops.token())
    azure_devops.clear_faults()
    azure_devops.edit(BUG, Title="Somebody was quicker")
    settled = retry(ada, stopped.body["id"], azure_devops.token())

    assert stopped.body["writeBack"] == "pending"
    assert settled.body["writeBack"] == "done"
    assert azure_devops.completed(BUG) == 4.0


def test_equal_hours_of_a_colleague_are_not_mistaken_for_ours(ada, clock, azure_devops):
    azure_devops.set_fault("update", cut=True)
    azure_devops.set_fault("updates", status=500)
    stopped = run_timer(ada, clock, azure_devops.token())
    azure_devops.clear_faults()
    azure_devops.edit(BUG, hours=4.0)  # the very value that was lost, at the very revision
    settled = retry(ada, stopped.body["id"], azure_devops.token())

    assert settled.body["writeBack"] == "done"
    assert azure_devops.completed(BUG) == 4.5


@pytest.mark.parametrize("fault", REFUSED)
@pytest.mark.parametrize("endpoint", ["work_item", "update"])
def test_a_refusal_is_shown_and_can_be_retried(ada, clock, azure_devops, endpoint, fault):
    azure_devops.set_fault(endpoint, **fault)
    stopped = run_timer(ada, clock, azure_devops.token())
    azure_devops.clear_faults()
    settled = retry(ada, stopped.body["id"], azure_devops.token())

    assert (stopped.status, stopped.body["writeBack"]) == (200, "failed")
    assert stopped.body["writeBackReason"].startswith("azure_devops_")
    assert stopped.body["writeBackDetail"]
    assert settled.body["writeBack"] == "done"
    assert azure_devops.completed(BUG) == 4.0


@pytest.mark.parametrize(
    ("item", "state", "code"),
    [(STORY, "noField", "no_field"), (4711, "failed", "work_item_not_found")],
    ids=["no hours", "no item"],
)
def test_an_item_without_completed_work_is_shown_as_such(ada, clock, azure_devops, item, state, code):  # noqa: PLR0917
    stopped = run_timer(ada, clock, azure_devops.token(), item=item)

    assert (stopped.status, stopped.body["writeBack"], stopped.body["writeBackReason"]) == (200, state, code)


def test_an_item_without_completed_work_is_shown_as_such_also_after_a_lost_response(ada, clock, azure_devops):
    azure_devops.set_fault("update", cut=True)
    stopped = run_timer(ada, clock, azure_devops.token(), item=STORY)
    azure_devops.clear_faults()
    retried = retry(ada, stopped.body["id"], azure_devops.token())

    assert (retried.body["writeBack"], retried.body["writeBackReason"]) == ("noField", "no_field")


def test_a_deleted_entry_is_settled_on_an_item_without_completed_work_after_a_lost_response(ada, clock, azure_devops):
    azure_devops.set_fault("update", cut=True)
    stopped = run_timer(ada, clock, azure_devops.token(), item=STORY)
    azure_devops.set_fault("update", cut=True)
    delete_entry(ada, stopped.body, azure_devops.token())
    azure_devops.clear_faults()

    assert retry(ada, stopped.body["id"], azure_devops.token()).status == 204


def test_an_invalid_token_is_shown_and_the_stop_is_done(ada, clock, azure_devops):
    before = azure_devops.hits("work_item")
    stopped = run_timer(ada, clock, "not a token")

    assert (stopped.status, stopped.body["writeBackReason"]) == (200, "azure_devops_sign_in_required")
    assert azure_devops.hits("work_item") == before


@pytest.mark.parametrize("endpoint", ["work_item", "update"])
@pytest.mark.parametrize("fault", [{"hang": True}, {"drip": 0.5, "drip_head": True}], ids=["hangs", "drips"])
@pytest.mark.usefixtures("short_sessions")
def test_a_stop_succeeds_without_a_response_of_azure_devops_and_loses_nothing(
    ada, clock, azure_devops, endpoint, fault
):
    azure_devops.set_fault(endpoint, **fault)
    stopped = run_timer(ada, clock, azure_devops.token())
    azure_devops.clear_faults()
    settled = retry(ada, stopped.body["id"], azure_devops.token())

    assert (stopped.status, stopped.body["writeBack"]) == (200, "pending")
    assert settled.body["writeBack"] == "done"
    assert azure_devops.completed(BUG) == 4.0


def test_a_colleagues_change_in_between_is_kept(ada, clock, azure_devops):
    azure_devops.set_fault("update", status=412, body="{}", headers={"Content-Type": "application/json"}, times=1)
    azure_devops.edit(BUG, hours=10.0)
    stopped = run_timer(ada, clock, azure_devops.token())

    assert stopped.body["writeBack"] == "done"
    assert azure_devops.completed(BUG) == 10.5


def test_after_two_writes_that_met_a_colleagues_change_the_hours_stay_pending(ada, clock, azure_devops):
    azure_devops.set_fault("update", hang=True, times=2)
    written = azure_devops.hits("update")
    with ThreadPoolExecutor(1) as colleague:
        quicker = colleague.submit(edit_before_each, azure_devops, [10.0, 11.0], after=written)
        stopped = run_timer(ada, clock, azure_devops.token())
        quicker.result()
    between = azure_devops.completed(BUG), azure_devops.hits("update") - written
    settled = retry(ada, stopped.body["id"], azure_devops.token())

    assert (stopped.status, stopped.body["writeBack"]) == (200, "pending")
    assert stopped.body["writeBackReason"] == "work_item_changed"
    assert between == (11.0, 2)
    assert settled.body["writeBack"] == "done"
    assert azure_devops.completed(BUG) == 11.5


def edit_before_each(azure_devops, values, *, after):
    """A colleague's change whenever a write arrives, so that the write has an old revision."""
    for number, hours in enumerate(values, after + 1):
        end = time.monotonic() + 10
        while azure_devops.hits("update") < number:
            assert time.monotonic() < end
            time.sleep(0.005)
        azure_devops.edit(BUG, hours=hours)
        azure_devops.release()


def test_time_on_a_former_organization_is_written_while_it_is_active(ada, clock, azure_devops):
    ada.start(BUG)
    clock.tick(minutes=30)
    stopped = ada.stop()
    change(ada, azureDevOpsOrganization="fabrikam")
    retried = retry(ada, stopped.body["id"], azure_devops.token())

    assert retried.body["writeBack"] == "done"
    assert azure_devops.completed(BUG) == 4.0


FAULTS = st.sampled_from([None, None, *LOST, *REFUSED])


@settings(max_examples=tries(15), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(FAULTS, FAULTS, FAULTS, st.integers(1, 300), st.booleans()), min_size=1, max_size=4))
def test_completed_work_is_the_sum_of_the_stops_under_any_fault(world, clock, azure_devops, steps):
    ada = world.tenant()
    change(ada, writeBack=True)
    azure_devops.reset()
    worked_minutes, entries = 0, []
    for write, read, history, minutes, colleague in steps:
        for endpoint, fault in (("update", write), ("work_item", read), ("updates", history)):
            if fault is not None:
                azure_devops.set_fault(endpoint, times=1, **fault)
        stopped = run_timer(ada, clock, azure_devops.token(), minutes=minutes)
        assert stopped.status == 200
        entries.append(stopped.body["id"])
        worked_minutes += minutes
        azure_devops.clear_faults()
        if colleague:
            azure_devops.edit(BUG, Title=f"After {minutes} minutes")
    for entry in entries:
        for _ in range(3):
            progress = retry(ada, entry, azure_devops.token()).body
        assert progress["writeBack"] == "done", progress

    expected = Decimal("3.5") + (Decimal(worked_minutes) / 60).quantize(Decimal("0.0001"))
    assert azure_devops.completed(BUG) == pytest.approx(float(expected), abs=1e-9)


@on_postgresql
@pytest.mark.parametrize(
    "beginning",
    [
        "INSERT INTO write_back_items",
        "UPDATE write_back_changes SET batch",
        "UPDATE write_back_items SET target_ms",
        "INSERT INTO write_back_attempts",
        "UPDATE write_back_attempts SET",
        "UPDATE write_back_items SET written",
        "UPDATE write_back_items SET state",
    ],
)
def test_hours_are_written_once_when_the_database_connection_is_cut(ada, clock, azure_devops, app, engine, beginning):  # noqa: PLR0917
    with drop_connections(app.engine, engine, beginning) as statements:
        stopped = run_timer(ada, clock, azure_devops.token())

    assert (stopped.status, stopped.body["writeBack"], len(statements)) == (200, "done", 1)
    assert retry(ada, stopped.body["id"], azure_devops.token()).body["writeBack"] == "done"


@on_postgresql
def test_a_stop_is_done_and_logged_when_the_write_back_fails(ada, clock, azure_devops, app, engine, caplog):  # noqa: PLR0917
    before = azure_devops.hits("update")
    with drop_connections(app.engine, engine, "UPDATE write_back_items SET", times=99) as statements:
        stopped = run_timer(ada, clock, azure_devops.token())
    lines = [json.loads(each) for each in caplog.messages if "write_back_failed" in each]

    assert (stopped.status, stopped.body["writeBack"], len(statements)) == (200, "pending", 4)
    assert [(line["event"], line["operation"]) for line in lines] == [("write_back_failed", "stop_timer")]
    assert lines[0]["requestId"] == stopped.headers["X-Request-Id"]
    assert azure_devops.hits("update") == before
    assert retry(ada, stopped.body["id"], azure_devops.token()).body["writeBack"] == "done"
