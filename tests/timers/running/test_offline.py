"""Late events of an offline client, one case per test."""

import uuid
from typing import Any

import pytest

from shared.db.schema import running_timers, time_entries, timer_log
from shared.instants import rfc3339
from tests.support.world import START, WORK_ITEM, new_id
from tests.timers.running.late import HOUR, MINUTE, MS, rows, start, stop
from timers.forgotten.jobs import stop_all_forgotten


@pytest.fixture
def ada(world, clock):
    """A person whose account is a day old, so that late events are valid."""
    clock.at = START - 24 * HOUR
    ada = world.tenant()
    clock.at = START
    return ada


def spans(engine, person):
    return [(row.started_at, row.stopped_at) for row in rows(engine, time_entries, person)]


def test_a_late_stop_ends_the_timer_at_its_instant_and_the_log_has_both_instants(ada, clock, engine):
    timer = ada.start(7).body["id"]
    clock.tick(hours=3)
    stopped = stop(ada, START + HOUR, timerId=timer)
    row = rows(engine, timer_log, ada)[-1]

    assert (stopped.status, stopped.body["elapsedMs"], stopped.body["needsReview"]) == (200, 3_600_000, False)
    assert (row.event, row.happened_at, row.received_at, row.reported_late) == (
        "stopped",
        START + HOUR,
        START + 3 * HOUR,
        True,
    )


@pytest.mark.parametrize("named", [True, False])
def test_a_late_stop_counts_also_after_a_switch_on_another_device(ada, clock, engine, named):
    timer = ada.start(7).body["id"]
    clock.tick(hours=2)
    ada.start(8, switch=True)
    clock.tick(hours=1)
    stopped = stop(ada, START + HOUR, **({"timerId": timer} if named else {}))

    assert (stopped.status, stopped.body["id"], stopped.body["elapsedMs"]) == (200, timer, 3_600_000)
    assert spans(engine, ada) == [(START, START + HOUR)]
    assert ada.running().body["workItemId"] == 8
    assert [row["event"] for row in ada.log()] == ["corrected", "started", "stopped", "started"]


def test_a_stop_before_its_start_is_accepted_when_the_start_has_arrived(ada, clock, engine):
    timer = new_id()
    early = stop(ada, START - HOUR, timerId=timer, key="stop")
    started = start(ada, START - 2 * HOUR, timerId=timer, key="start")
    clock.tick(minutes=1)
    stopped = stop(ada, START - HOUR, timerId=timer, key="stop")

    assert (early.status, early.code) == (409, "timer_not_started")
    assert (started.status, stopped.status) == (201, 200)
    assert spans(engine, ada) == [(START - 2 * HOUR, START - HOUR)]
    assert ada.running().status == 204


def test_a_start_that_arrives_after_a_later_one_ends_at_it(ada, engine):
    later = ada.start(8).body["id"]
    started = start(ada, START - HOUR, timerId=(mine := new_id()), workItemId=7, note="on paper", existingHours=1.5)
    again = stop(ada, START - HOUR / 2, timerId=mine)

    assert (started.status, started.body["id"], started.body["elapsedMs"]) == (201, mine, 3_600_000)
    assert started.body["ended"]["stoppedAt"] == "2026-11-23T09:00:00.000Z"
    assert started.body["ended"]["note"] == "on paper"
    assert (again.status, again.body["elapsedMs"], again.body["existingHours"]) == (200, 1_800_000, 1.5)
    assert ada.running().body["id"] == later
    assert len(spans(engine, ada)) == 1


def test_the_first_acknowledged_stop_is_final(ada, clock, engine):
    timer = ada.start(7).body["id"]
    clock.tick(hours=2)
    first = ada.stop()
    late = stop(ada, START + HOUR, timerId=timer)

    assert (late.status, late.body) == (200, first.body)
    assert spans(engine, ada) == [(START, START + 2 * HOUR)]


def test_a_late_stop_after_the_job_sets_the_real_end(ada, app, clock, engine):
    timer = ada.start(7).body["id"]
    clock.tick(hours=13)
    stop_all_forgotten(app)
    stopped = stop(ada, START + HOUR, timerId=timer)

    assert (stopped.status, stopped.body["source"], stopped.body["version"]) == (200, "autoStopped", 2)
    assert (stopped.body["elapsedMs"], stopped.body["needsReview"]) == (3_600_000, False)
    assert ada.post("sign-in").body["needsReview"] == []
    assert [entry.end_inferred for entry in rows(engine, time_entries, ada)] == [False]


def test_a_late_stop_may_end_a_timer_after_the_jobs_end(ada, app, clock, engine):
    timer = ada.start(7).body["id"]
    clock.tick(hours=15)
    stop_all_forgotten(app)
    stopped = stop(ada, START + 14 * HOUR, timerId=timer)

    assert (stopped.status, stopped.body["elapsedMs"]) == (200, 14 * 3_600_000)
    assert stopped.body["needsReview"] is True
    assert spans(engine, ada) == [(START, START + 14 * HOUR)]


def test_a_late_stop_may_not_end_a_timer_within_the_next_one(ada, app, clock, engine):
    timer = ada.start(7).body["id"]
    clock.tick(hours=13)
    stop_all_forgotten(app)
    following = ada.start(8).body["id"]
    clock.tick(hours=2)
    refused = stop(ada, START + 14 * HOUR, timerId=timer)

    assert (refused.status, refused.code) == (409, "inside_another_entry")
    assert refused.body["runningTimer"]["id"] == following
    assert spans(engine, ada) == [(START, START + 12 * HOUR)]


def test_a_named_stop_without_an_instant_is_now_also_after_the_job(ada, app, clock):
    timer = ada.start(7).body["id"]
    clock.tick(hours=13)
    stop_all_forgotten(app)
    stopped = stop(ada, timerId=timer)
    clock.tick(hours=1)
    again = stop(ada, timerId=timer)

    assert (stopped.status, stopped.body["elapsedMs"], stopped.body["needsReview"]) == (200, 13 * 3_600_000, True)
    assert again.body == stopped.body


def test_a_named_stop_after_a_switch_returns_the_entry_and_leaves_the_next_timer(ada, clock):
    timer = ada.start(7).body["id"]
    clock.tick(hours=1)
    ada.start(8, switch=True)
    clock.tick(hours=1)
    stopped = stop(ada, timerId=timer)

    assert (stopped.status, stopped.body["id"], stopped.body["elapsedMs"]) == (200, timer, 3_600_000)
    assert ada.running().body["workItemId"] == 8


def test_a_late_start_ends_an_entry_with_an_inferred_end(ada, app, clock, engine):
    ada.start(7)
    clock.tick(hours=13)
    stop_all_forgotten(app)
    started = start(ada, START + 2 * HOUR, workItemId=8)

    assert (started.status, "ended" in started.body) == (201, False)
    assert spans(engine, ada) == [(START, START + 2 * HOUR)]
    assert rows(engine, time_entries, ada)[0].end_inferred
    assert ada.running().body["startedAt"] == "2026-11-23T11:00:00.000Z"


def test_a_late_start_inside_an_entry_with_an_explicit_end_is_refused_and_names_it(ada, clock, engine):
    ada.start(7)
    clock.tick(hours=2)
    entry = ada.stop().body
    inside = [start(ada, START + offset, workItemId=8, key=f"{offset}") for offset in (0 * MS, HOUR, 2 * HOUR - MS)]
    after = start(ada, START + 2 * HOUR, workItemId=8)

    assert {(answer.status, answer.code) for answer in inside} == {(409, "inside_another_entry")}
    assert [answer.body["entry"] for answer in inside] == [entry] * 3
    assert after.status == 201
    assert len(spans(engine, ada)) == 1


def test_a_late_switch_ends_the_running_timer_at_its_instant(ada, clock, engine):
    first = ada.start(7).body["id"]
    clock.tick(hours=2)
    switched = start(ada, START + HOUR, workItemId=8, switch=True)

    assert (switched.status, switched.body["stopped"]["id"]) == (201, first)
    assert spans(engine, ada) == [(START, START + HOUR)]
    assert ada.running().body["elapsedMs"] == 3_600_000


def test_a_conflict_of_a_late_event_is_not_stored_for_its_key(ada, clock):
    ada.start(7)
    clock.tick(hours=1)
    early = start(ada, START + HOUR, workItemId=8, key="start")
    clock.tick(hours=1)
    stop(ada, START + HOUR / 2)
    taken = start(ada, START + HOUR, workItemId=8, key="start")

    assert (early.status, early.code) == (409, "timer_already_running")
    assert (taken.status, taken.body["startedAt"]) == (201, "2026-11-23T10:00:00.000Z")


def test_a_conflict_of_a_start_without_an_instant_is_stored_for_its_key(ada):
    ada.start(7)
    named: dict[str, Any] = {"workItemId": 8, "timerId": new_id(), "key": "start"}
    refused = start(ada, None, **named)
    ada.stop()
    late = start(ada, None, **named)

    assert (refused.status, late.body) == (409, refused.body)
    assert ada.running().status == 204


def test_a_start_that_names_the_running_timer_returns_it(ada, clock):
    named: dict[str, Any] = {"timerId": new_id(), "workItemId": 7}
    first = start(ada, START - HOUR, **named)
    clock.tick(minutes=1)
    again, other = start(ada, START - HOUR, **named), start(ada, START - HOUR, **{**named, "workItemId": 8})

    assert (first.status, again.status) == (201, 200)
    assert again.body["id"] == first.body["id"] == named["timerId"]
    assert (other.status, other.code) == (409, "timer_id_taken")


@pytest.mark.parametrize("ending", ["stop", "discard"])
def test_a_start_that_names_an_ended_timer_starts_nothing(ada, ending):
    timer = new_id()
    start(ada, START - HOUR, timerId=timer)
    entry = ada.stop().body if ending == "stop" else ada.delete("timers/running").body
    again = start(ada, START - HOUR, timerId=timer)

    assert (again.status, again.code) == (409, "timer_already_ended")
    assert again.body.get("entry") == entry
    assert ada.running().status == 204


def test_a_start_at_the_instant_of_another_start_is_refused_or_leaves_that_one_no_time(ada, clock, engine):
    first = ada.start(7).body["id"]
    clock.tick(hours=1)
    refused = start(ada, START, workItemId=8)
    switched = start(ada, START, workItemId=8, switch=True)

    assert (refused.status, refused.code) == (409, "timer_already_running")
    assert (switched.status, switched.body["stopped"]["id"]) == (201, first)
    assert spans(engine, ada) == [(START, START)]
    assert (ada.running().body["workItemId"], ada.running().body["elapsedMs"]) == (8, 3_600_000)


def test_a_start_at_the_instant_of_the_same_work_items_start_returns_the_running_timer(ada, clock):
    running = ada.start(7).body["id"]
    clock.tick(hours=1)
    known = start(ada, START, workItemId=7)
    before = start(ada, START - MS, workItemId=7)

    assert (known.status, known.body["id"]) == (200, running)
    assert (before.status, before.body["ended"]["elapsedMs"]) == (201, 1)
    assert ada.running().body["id"] == running


def test_a_stop_at_the_instant_of_the_start_ends_the_timer(ada, clock, engine):
    running = ada.start(7).body["id"]
    clock.tick(hours=1)
    stopped = stop(ada, START)

    assert (stopped.status, stopped.body["id"]) == (200, running)
    assert spans(engine, ada) == [(START, START)]


def test_another_timer_on_the_same_work_item_is_another_timer(ada):
    start(ada, START - 2 * HOUR, timerId=(first := new_id()))
    refused = start(ada, START - HOUR, timerId=(second := new_id()), key="start")
    stop(ada, START - HOUR, timerId=first)
    taken = start(ada, START - HOUR, timerId=second, key="start")

    assert (refused.status, refused.code) == (409, "timer_already_running")
    assert (taken.status, taken.body["id"]) == (201, second)


def test_another_persons_timer_is_neither_shown_nor_stopped_nor_reused(ada, world):
    ben, stranger = world.member(ada), world.tenant()
    timer = new_id()
    start(ada, START - HOUR, timerId=timer, note="marker")
    refused = [start(ben, START - HOUR, timerId=timer), stop(ben, START, timerId=timer)]
    ada.stop()
    refused += [start(ben, START - HOUR, timerId=timer), stop(ben, START, timerId=timer)]

    assert [answer.code for answer in refused] == ["timer_id_taken", "timer_not_started"] * 2
    assert not any(b"marker" in answer.raw for answer in refused)
    assert start(stranger, START - HOUR, timerId=timer).status == 201


def test_a_stop_of_a_discarded_timer_is_refused(ada):
    timer = ada.start(7).body["id"]
    ada.delete("timers/running")
    refused = stop(ada, START, timerId=timer)

    assert (refused.status, refused.code) == (409, "no_running_timer")


def test_a_named_start_without_an_instant_is_now_with_any_clock(ada, clock):
    first = ada.start(7).body["id"]
    clock.tick(seconds=-1)
    switched = start(ada, None, timerId=new_id(), workItemId=8, switch=True)

    assert (switched.status, switched.body["stopped"]["id"], switched.body["stopped"]["elapsedMs"]) == (201, first, 0)
    assert ada.running().body["workItemId"] == 8


def test_a_named_stop_leaves_another_timer_running(ada):
    running = ada.start(7).body["id"]
    refused = stop(ada, timerId=new_id())

    assert (refused.status, refused.code) == (409, "timer_not_started")
    assert ada.running().body["id"] == running


def test_a_late_event_may_be_a_day_old_and_no_older(ada):
    old = START - 24 * HOUR
    refused = [start(ada, old - MS), stop(ada, old - MS)]
    taken = start(ada, old)

    assert {(answer.status, answer.code) for answer in refused} == {(400, "too_long_ago")}
    assert [answer.body["errors"][0]["pointer"] for answer in refused] == ["/startedAt", "/stoppedAt"]
    assert "by hand" in refused[0].body["detail"]
    assert (taken.status, taken.body["elapsedMs"]) == (201, 24 * 3_600_000)


def test_an_instant_up_to_two_minutes_ahead_is_now_and_more_is_refused(ada, clock):
    refused = start(ada, START + 2 * MINUTE + MS)
    started = start(ada, START + 2 * MINUTE)
    clock.tick(minutes=5)
    stopped = stop(ada, START + 7 * MINUTE)
    late = stop(ada, START + 8 * MINUTE)

    assert (refused.status, refused.code) == (400, "in_the_future")
    assert (started.status, started.body["startedAt"]) == (201, "2026-11-23T09:00:00.000Z")
    assert (stopped.status, stopped.body["elapsedMs"]) == (200, 300_000)
    assert late.code == "in_the_future"


def test_a_stop_before_the_start_is_refused_unless_it_names_its_timer_and_is_within_two_minutes(ada, clock):
    timer = ada.start(7).body["id"]
    clock.tick(minutes=1)
    refused = [
        stop(ada, START - MS),
        stop(ada, START - 2 * MINUTE - MS, timerId=timer),
    ]
    stopped = stop(ada, START - 2 * MINUTE, timerId=timer)

    assert {(answer.status, answer.code) for answer in refused} == {(409, "stop_before_start")}
    assert (stopped.status, stopped.body["elapsedMs"], stopped.body["stoppedAt"]) == (
        200,
        0,
        stopped.body["startedAt"],
    )


def test_manual_entries_do_not_conflict_with_late_events(ada, engine):
    by_hand = {**WORK_ITEM, "startedAt": rfc3339(START - 3 * HOUR), "stoppedAt": rfc3339(START - HOUR)}
    entered = ada.post("entries", by_hand)
    started = start(ada, START - 2 * HOUR, timerId=(timer := new_id()), workItemId=8)
    stopped = stop(ada, START - HOUR / 2, timerId=timer)

    assert (entered.status, started.status, stopped.status) == (201, 201, 200)
    assert spans(engine, ada) == [(START - 3 * HOUR, START - HOUR), (START - 2 * HOUR, START - HOUR / 2)]


def test_a_confirmed_end_is_not_changed_by_a_late_stop(ada, app, clock):
    timer = ada.start(7).body["id"]
    clock.tick(hours=13)
    stop_all_forgotten(app)
    confirmed = ada.http.send(
        "PATCH", f"entries/{timer}", {"needsReview": False}, token=ada.token, headers={"If-Match": "*"}
    )
    late = stop(ada, START + HOUR, timerId=timer)

    assert (confirmed.status, late.status) == (200, 200)
    assert (late.body["elapsedMs"], late.body["version"]) == (12 * 3_600_000, 2)


def test_the_plan_at_the_instant_of_the_start_counts(ada, clock):
    clock.at = START - 24 * HOUR + 30 * 24 * HOUR + HOUR
    refused = start(ada, clock() - HOUR)
    taken = start(ada, clock() - HOUR - MS)

    assert (refused.status, refused.code) == (402, "trial_expired")
    assert taken.status == 201
    assert stop(ada, clock()).status == 200


def test_a_late_entry_over_the_change_of_the_clocks_is_split_at_local_midnights(world, clock):
    clock.set("2026-10-24T18:00:00+00:00")
    ben = world.member(world.tenant(time_zone="Europe/Berlin"))
    clock.set("2026-10-25T14:00:00+00:00")
    start(ben, clock() - 16 * HOUR - 30 * MINUTE, timerId=(timer := new_id()))
    stopped = stop(ben, clock() - 6 * HOUR, timerId=timer)
    next_one = start(ben, clock() - HOUR, workItemId=8)

    assert stopped.body["startedAt"] == "2026-10-24T21:30:00.000Z"
    assert stopped.body["days"] == [
        {"date": "2026-10-24", "elapsedMs": 30 * 60_000},
        {"date": "2026-10-25", "elapsedMs": 10 * 3_600_000},
    ]
    assert next_one.status == 201
    assert ben.report("2026-10").body["totalMs"] == 630 * 60_000


def test_an_end_moved_back_over_midnight_changes_the_days(ada, clock):
    clock.set("2026-11-23T22:00:00+00:00")
    timer = ada.start(7).body["id"]
    clock.set("2026-11-24T01:00:00+00:00")
    ada.start(8, switch=True)
    stopped = stop(ada, clock() - 90 * MINUTE, timerId=timer).body

    assert stopped["days"] == [{"date": "2026-11-23", "elapsedMs": 90 * 60_000}]
    assert ada.report().body["totalMs"] == 90 * 60_000


def test_instants_are_cut_to_the_millisecond_and_may_have_any_offset(ada, engine):
    body = {"organization": "contoso", "project": "Website", "workItemId": 7}
    started = ada.post("timers/start", {**body, "startedAt": "2026-11-23T09:30:00.123999+01:00"})

    assert (started.status, started.body["startedAt"]) == (201, "2026-11-23T08:30:00.123Z")
    assert [row.started_at for row in rows(engine, running_timers, ada)] == [START - 30 * MINUTE + 123 * MS]


@pytest.mark.parametrize(
    "wrong", ["1700000000", "2026-11-23", "2026-11-23T09:00:00", 1700000000, "0001-01-01T00:00:00+14:00"]
)
def test_an_invalid_instant_is_named(ada, wrong):
    refused = ada.post("timers/stop", {"stoppedAt": wrong})

    assert (refused.status, refused.body["errors"][0]["pointer"]) == (400, "/stoppedAt")


def test_an_id_is_shown_in_the_usual_spelling(ada):
    timer = uuid.UUID(new_id())
    started = start(ada, START, timerId=timer.hex.upper())

    assert started.body["id"] == str(timer)
