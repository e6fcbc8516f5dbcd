"""Changes of the running timer: its note and its start, and their events in the timer log."""

import datetime as dt

import pytest

from tests.privacy.erasure.test_by_identity import erase
from tests.support.months import close_month
from tests.support.world import START
from tests.timers.running.late import HOUR, MINUTE, iso, start, stop
from tests.timers.write_back.write_backs import BUG, TASK, change, send
from timers.forgotten.jobs import stop_all_forgotten


@pytest.fixture
def ada(world, clock):
    """A person whose account is two days old, so that earlier starts are valid."""
    clock.at = START - 48 * HOUR
    ada = world.tenant()
    clock.at = START
    return world.renew_token(ada)


def move(person, at, **more):
    return person.patch("timers/running", {"startedAt": iso(at), **more})


def spans(person):
    return sorted((each["workItemId"], each["startedAt"], each["stoppedAt"]) for each in person.entries())


def test_an_earlier_start_counts_at_the_stop_and_is_in_the_log(ada, clock):
    timer = ada.start(7, note="first").body
    clock.tick(minutes=10)
    moved = move(ada, START - HOUR, timerId=timer["id"])
    stopped = ada.stop()
    last, changed, first = ada.log()

    assert moved.status == 200
    assert moved.body == {**timer, "startedAt": "2026-11-23T08:00:00.000Z", "elapsedMs": 70 * 60_000}
    assert (stopped.body["startedAt"], stopped.body["elapsedMs"]) == (moved.body["startedAt"], 70 * 60_000)
    assert (first["event"], first["happenedAt"]) == ("started", "2026-11-23T09:00:00.000Z")
    assert (changed["event"], changed["happenedAt"], changed["receivedAt"]) == (
        "changed",
        "2026-11-23T08:00:00.000Z",
        "2026-11-23T09:10:00.000Z",
    )
    item = {"organization": "contoso", "project": "Website", "workItemId": 7}
    assert changed["timerBefore"] == {**item, "startedAt": "2026-11-23T09:00:00.000Z", "note": "first"}
    assert changed["timerAfter"] == {**item, "startedAt": "2026-11-23T08:00:00.000Z", "note": "first"}
    assert not {"before", "after", "entryVersion", "unreadable"} & changed.keys()
    assert (last["event"], last["entryVersion"]) == ("stopped", 1)


def test_a_note_is_set_replaced_and_deleted_and_an_omitted_one_stays(ada):
    ada.start(7)
    notes = [ada.patch("timers/running", {"note": note}).body.get("note") for note in ("one", "two", None)]
    ada.patch("timers/running", {"note": "three"})
    moved = move(ada, START - MINUTE).body

    assert notes == ["one", "two", None]
    assert (moved["note"], ada.running().body["note"]) == ("three", "three")
    assert [row["event"] for row in ada.log()] == ["changed"] * 5 + ["started"]


def test_a_change_without_a_difference_is_not_in_the_log(ada):
    ada.start(7, note="one")
    same = [ada.patch("timers/running", {"note": "one"}), move(ada, START)]

    assert [answer.status for answer in same] == [200, 200]
    assert [row["event"] for row in ada.log()] == ["started"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"startedAt": None},
        {"timerId": None, "note": "x"},
        {"workItemId": 8},
        {"note": ""},
        {"startedAt": "yesterday"},
        {"timerId": "7", "note": "x"},
    ],
)
def test_an_invalid_change_is_refused(ada, body):
    timer = ada.start(7)
    refused = ada.patch("timers/running", body)

    assert (refused.status, refused.code) == (400, "invalid_body")
    assert ada.running().body == timer.body


def test_a_start_is_at_most_24_hours_ago_and_not_in_the_future(ada):
    ada.start(7)
    earliest, too_early = move(ada, START - 24 * HOUR), move(ada, START - 24 * HOUR - MINUTE)
    ahead, too_late = move(ada, START + 2 * MINUTE), move(ada, START + 3 * MINUTE)

    assert (earliest.status, too_early.code, too_late.code) == (200, "too_long_ago", "in_the_future")
    assert ahead.body["startedAt"] == "2026-11-23T09:00:00.000Z"
    assert too_early.body["errors"][0]["pointer"] == "/startedAt"


def test_a_later_start_takes_time_away(ada, clock):
    ada.start(7)
    clock.tick(hours=1)
    move(ada, START + 30 * MINUTE)

    assert ada.stop().body["elapsedMs"] == 30 * 60_000


def test_another_timer_than_the_named_one_is_not_changed(ada, clock):
    first = ada.start(7).body["id"]
    clock.tick(minutes=5)
    running = ada.start(8, switch=True).body["id"]
    refused = ada.patch("timers/running", {"note": "of the first", "timerId": first})

    assert (refused.status, refused.code, refused.body["runningTimer"]["id"]) == (409, "other_timer_running", running)
    assert "note" not in ada.running().body


def test_without_the_timer_a_change_names_its_entry(ada, clock):
    nothing = ada.patch("timers/running", {"note": "x"})
    timer = ada.start(7).body["id"]
    clock.tick(minutes=5)
    ada.stop()
    ended = ada.patch("timers/running", {"note": "x", "timerId": timer})

    assert (nothing.status, nothing.code) == (409, "no_running_timer")
    assert (ended.status, ended.code, ended.body["entry"]["id"]) == (409, "timer_already_ended", timer)


def test_a_start_inside_an_entry_that_was_stopped_is_refused_and_names_it(ada, clock):
    first = ada.start(6).body["id"]
    clock.tick(hours=1)
    ada.stop()
    clock.tick(minutes=10)
    ada.start(7)
    inside, before = move(ada, START + 30 * MINUTE), move(ada, START - MINUTE)
    free = move(ada, START + HOUR)

    assert {(each.status, each.code, each.body["entry"]["id"]) for each in (inside, before)} == {
        (409, "inside_another_entry", first)
    }
    assert free.status == 200
    assert [row["event"] for row in ada.log()] == ["changed", "started", "stopped", "started"]


def test_an_entry_that_a_switch_ended_ends_at_the_earlier_start(ada, clock):
    ada.start(6)
    clock.tick(hours=1)
    ada.start(7, switch=True)
    moved = move(ada, START + 50 * MINUTE)
    clock.tick(minutes=5)
    ada.stop()

    assert moved.status == 200
    assert spans(ada) == [
        (6, "2026-11-23T09:00:00.000Z", "2026-11-23T09:50:00.000Z"),
        (7, "2026-11-23T09:50:00.000Z", "2026-11-23T10:05:00.000Z"),
    ]


def test_an_entry_shortened_by_an_earlier_start_is_not_reported_late(ada, clock):
    ada.start(8)
    clock.tick(hours=1)
    ada.start(7, switch=True)
    clock.tick(hours=1)
    moved = ada.patch("timers/running", {"startedAt": (clock() - dt.timedelta(hours=1, minutes=10)).isoformat()})
    rows = {row["event"]: row for row in ada.log()}

    assert moved.status == 200
    assert "reportedLate" not in rows["corrected"]


def test_an_entry_that_the_service_ended_ends_at_the_earlier_start(ada, app, clock):
    ada.start(6)
    clock.tick(hours=13)
    stop_all_forgotten(app)
    ada.start(7)
    moved = move(ada, START + 11 * HOUR)

    assert moved.status == 200
    assert spans(ada) == [(6, "2026-11-23T09:00:00.000Z", "2026-11-23T20:00:00.000Z")]


def test_entries_by_hand_do_not_limit_the_start(ada):
    ada.enter("2026-11-23T07:00:00Z", "2026-11-23T08:00:00Z")
    ada.start(7)

    assert move(ada, START - 90 * MINUTE).status == 200


def test_a_late_start_and_a_late_stop_go_by_the_moved_start(ada, clock):
    timer = ada.start(7).body["id"]
    move(ada, START - HOUR)
    clock.tick(hours=1)
    before = start(ada, START - 2 * HOUR, workItemId=6)
    repeated = start(ada, START, timerId=timer, workItemId=7)
    stopped = stop(ada, START - 30 * MINUTE, timerId=timer)

    assert (before.status, before.body["ended"]["stoppedAt"]) == (201, "2026-11-23T08:00:00.000Z")
    assert (repeated.status, repeated.body["startedAt"]) == (200, "2026-11-23T08:00:00.000Z")
    assert stopped.body["elapsedMs"] == 30 * 60_000


def test_a_start_moved_over_midnight_and_the_end_of_a_closed_month_has_its_days(world, clock, engine):
    clock.set("2026-11-30T12:00:00+00:00")
    ada = world.tenant("Asia/Kolkata")
    clock.set("2026-11-30T18:40:00+00:00")  # ten past midnight in Kolkata
    ada.start(7)
    close_month(engine, ada, 202611)
    clock.tick(minutes=20)
    moved = world.renew_token(ada).patch("timers/running", {"startedAt": "2026-11-30T18:00:00Z"})
    days = world.renew_token(ada).stop().body["days"]
    stopped = world.renew_token(ada).log()[0]

    assert moved.status == 200
    assert days == [{"date": "2026-11-30", "elapsedMs": 30 * 60_000}, {"date": "2026-12-01", "elapsedMs": 30 * 60_000}]
    assert stopped["isAdjustment"] is True


def test_after_the_trial_a_running_timer_can_still_be_corrected(ada, clock, world):
    ada.start(7)
    clock.tick(days=30)
    ada = world.renew_token(ada)

    assert ada.start(8, switch=True).code == "trial_expired"
    assert ada.patch("timers/running", {"note": "until the trial ended"}).status == 200


def test_the_hours_of_a_shortened_entry_are_taken_back(ada, clock, azure_devops):
    change(ada, writeBack=True)
    token = azure_devops.token()
    before = azure_devops.completed(BUG)
    ada.start(BUG)
    clock.tick(hours=1)
    switched = send(ada, "POST", "timers/start", token, {**item(TASK), "switch": True})
    written = azure_devops.completed(BUG)
    moved = send(ada, "PATCH", "timers/running", token, {"startedAt": iso(START + 30 * MINUTE)})

    assert (switched.status, moved.status) == (201, 200)
    assert (written - before, azure_devops.completed(BUG) - before) == (1.0, 0.5)


def item(number):
    return {"organization": "contoso", "project": "Website", "workItemId": number}


def test_an_erasure_removes_the_notes_of_changes_and_keeps_the_times(app, world, clock, ada):
    ben = world.member(ada)
    ben.start(7, note="a private note")
    ben.patch("timers/running", {"note": "another private note"})
    ben.patch("timers/running", {"startedAt": iso(START - HOUR)})
    clock.tick(hours=1)
    ben.stop()
    erase(app, clock, ben)
    changes = [row for row in world.renew_token(ada).log() if row["event"] == "changed"]

    assert "private" not in str(changes)
    assert [each["timerAfter"]["startedAt"] for each in changes] == [
        "2026-11-23T08:00:00.000Z",
        "2026-11-23T09:00:00.000Z",
    ]


def test_pages_of_the_log_go_on_after_a_change(ada):
    ada.start(7)
    for number in range(5):
        ada.patch("timers/running", {"note": f"note {number}"})
    rows, page = [], ada.get("timer-log", pageSize="2").body
    while True:
        rows += page["items"]
        if "nextLink" not in page:
            break
        page = ada.get(page["nextLink"]).body

    assert [row.get("timerAfter", {}).get("note") for row in rows] == [*(f"note {n}" for n in (4, 3, 2, 1, 0)), None]


def test_a_change_is_exported_with_its_person(ada):
    ada.start(7, note="one")
    ada.patch("timers/running", {"note": "two"})
    rows = ada.get("privacy/export").body["sections"]["timerLog"]["rows"]

    assert [
        (row["event"], row["before"]["note"], row["after"]["note"]) for row in rows if row["event"] == "changed"
    ] == [("changed", "one", "two")]


def test_the_minutes_of_a_moved_start_are_exact(ada, clock):
    ada.start(7)
    clock.tick(minutes=5, milliseconds=3)
    move(ada, START - dt.timedelta(milliseconds=1))

    assert ada.stop().body["elapsedMs"] == 5 * 60_000 + 4
