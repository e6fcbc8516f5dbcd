import pytest


def test_a_started_timer_runs_until_it_is_stopped(world, clock):
    ada = world.tenant()
    started = ada.start(7, existingHours=1.5, note="first try")
    clock.tick(minutes=90)
    running = ada.running()
    stopped = ada.stop()

    assert (started.status, running.status, stopped.status) == (201, 200, 200)
    assert running.body["elapsedMs"] == 90 * 60_000
    assert stopped.body == {
        "id": started.body["id"],
        "userId": started.body["userId"],
        "organization": "contoso",
        "project": "Website",
        "workItemId": 7,
        "startedAt": "2026-11-23T09:00:00.000Z",
        "stoppedAt": "2026-11-23T10:30:00.000Z",
        "elapsedMs": 5_400_000,
        "existingHours": 1.5,
        "note": "first try",
        "source": "timer",
        "needsReview": False,
        "version": 1,
        "days": [{"date": "2026-11-23", "elapsedMs": 5_400_000}],
    }
    assert ada.running().status == 204


def test_the_entry_of_a_stop_can_be_corrected_with_the_etag_of_the_response(world, clock):
    ada = world.tenant()
    ada.start(7)
    clock.tick(minutes=30)
    stopped = ada.stop(key="stop")
    again = ada.stop(key="stop")
    path, change = f"entries/{stopped.body['id']}", {"workItemId": 8, "reason": "wrong number"}
    corrected = ada.http.send("PATCH", path, change, token=ada.token, headers={"If-Match": stopped.headers["ETag"]})

    assert stopped.headers["ETag"] == again.headers["ETag"] == '"1"'
    assert (corrected.status, corrected.headers["ETag"]) == (200, '"2"')


def test_a_second_start_on_the_same_work_item_returns_the_running_timer(world, clock):
    ada = world.tenant()
    started = ada.start(7)
    clock.tick(minutes=1)
    again = ada.start(7, project="WEBSITE")

    assert (again.status, again.body["id"]) == (200, started.body["id"])
    assert again.body["elapsedMs"] == 60_000


@pytest.mark.parametrize(
    "letter", ["\N{GREEK SMALL LETTER IOTA WITH DIALYTIKA AND TONOS}", "\N{LATIN SMALL LETTER SHARP S}"]
)
def test_a_project_name_may_grow_when_case_is_folded(world, letter):
    ada = world.tenant()
    started = ada.start(7, project=letter * 64)

    assert (started.status, started.body["project"]) == (201, letter * 64)
    assert ada.start(7, project=letter * 64).status == 200


def test_a_start_on_another_work_item_is_refused_with_the_running_timer(world):
    ada = world.tenant()
    started = ada.start(7)
    refused = ada.start(8)

    assert (refused.status, refused.code) == (409, "timer_already_running")
    assert refused.body["runningTimer"] == started.body


def test_a_switch_stops_one_timer_and_starts_the_other(world, clock):
    ada = world.tenant()
    first = ada.start(7)
    clock.tick(minutes=5)
    second = ada.start(8, switch=True)

    assert second.status == 201
    assert (second.body["stopped"]["id"], second.body["stopped"]["elapsedMs"]) == (first.body["id"], 300_000)
    assert ada.running().body["workItemId"] == 8
    assert second.body["startedAt"] == second.body["stopped"]["stoppedAt"]


def test_a_stop_without_a_running_timer_is_a_conflict(world):
    ada = world.tenant()
    refused = ada.stop()

    assert (refused.status, refused.code) == (409, "no_running_timer")


def test_a_note_may_have_lines_with_any_line_ending(world):
    ada = world.tenant()

    assert ada.start(7, note="one\r\ntwo\nthree").body["note"] == "one\ntwo\nthree"
    assert ada.start(8, note="bell\a").body["errors"][0]["pointer"] == "/note"


def test_a_number_with_thousands_of_digits_is_refused_with_its_field(world):
    ada = world.tenant()
    body = b'{"organization": "contoso", "project": "Website", "workItemId": ' + b"9" * 5000 + b"}"
    refused = ada.post("timers/start", body)

    assert (refused.status, refused.body["errors"][0]["pointer"]) == (400, "/workItemId")


def test_a_discarded_timer_leaves_no_entry_but_an_event_in_the_log(world, clock):
    ada = world.tenant()
    ada.start(7)
    clock.tick(minutes=5)
    discarded = [ada.delete("timers/running").status, ada.delete("timers/running").status]

    assert discarded == [204, 204]
    assert ada.stop().status == 409
    assert [row["event"] for row in ada.log()] == ["discarded", "started"]
    assert ada.report().body["totalMs"] == 0


def test_a_discard_names_its_timer(world, clock):
    ada = world.tenant()
    timer = ada.start(7).body["id"]
    clock.tick(minutes=5)
    discarded = [ada.delete("timers/running", timerId=timer).status for _ in range(2)]

    assert discarded == [204, 204]
    assert [row["event"] for row in ada.log()] == ["discarded", "started"]


def test_a_discard_of_an_earlier_timer_leaves_the_running_one(world, clock):
    ada = world.tenant()
    first = ada.start(7).body["id"]
    clock.tick(minutes=5)
    ada.start(8, switch=True)
    refused = ada.delete("timers/running", timerId=first)

    assert (refused.status, refused.code) == (409, "other_timer_running")
    assert refused.body["runningTimer"] == ada.running().body
    assert len(ada.entries()) == 1


def test_a_discard_of_a_timer_that_was_stopped_names_its_entry(world, clock):
    ada = world.tenant()
    timer = ada.start(7).body["id"]
    clock.tick(minutes=5)
    ada.stop()
    refused = ada.delete("timers/running", timerId=timer)

    assert (refused.status, refused.code, refused.body["entry"]["id"]) == (409, "timer_already_ended", timer)
    assert len(ada.entries()) == 1


def test_a_discard_shows_nothing_of_another_persons_timer(world):
    ada = world.tenant()
    ben = world.member(ada)
    timer = ben.start(7).body["id"]
    ben.stop()
    running = ben.start(8).body["id"]

    assert [ada.delete("timers/running", timerId=each).status for each in (timer, running)] == [204, 204]
    assert ben.running().body["id"] == running


def test_a_discard_with_an_invalid_id_discards_nothing(world):
    ada = world.tenant()
    ada.start(7)
    refused = [ada.delete("timers/running", timerId=wrong) for wrong in ("", "7", "null")]

    assert {(answer.status, answer.code) for answer in refused} == {(400, "invalid_query")}
    assert ada.running().status == 200


def test_after_a_clock_was_set_back_an_entry_has_no_negative_time_and_needs_a_review(world, clock):
    ada = world.tenant()
    ada.start(7)
    clock.tick(seconds=-30)
    stopped = ada.stop().body

    assert (stopped["elapsedMs"], stopped["needsReview"]) == (0, True)
    assert stopped["stoppedAt"] == stopped["startedAt"]


def test_each_person_has_a_timer_of_their_own(world):
    ada = world.tenant()
    ben = world.member(ada)
    ada.start(7)

    assert ben.running().status == 204
    assert ben.stop().status == 409
    assert ben.start(8).status == 201


def test_the_organization_must_be_the_tenants(world):
    ada = world.tenant()
    refused = ada.start(7, organization="fabrikam")

    assert (refused.status, refused.code) == (400, "wrong_organization")
    assert refused.body["errors"][0]["pointer"] == "/organization"


@pytest.mark.parametrize("path", ["timers/stop", "sign-in"])
def test_an_empty_object_is_equivalent_to_no_body(world, path):
    ada = world.tenant()
    ada.start(7)

    assert ada.post(path, {}).status == 200


def test_after_the_trial_time_can_be_stopped_and_read_but_not_started(world, clock):
    ada = world.tenant()
    ada.start(7)
    clock.tick(days=30)
    refused = ada.start(8, switch=True)
    stopped = ada.stop()

    assert (refused.status, refused.code) == (402, "trial_expired")
    assert stopped.status == 200
    assert ada.report("2026-12").body["totalMs"] > 0
    assert ada.post("sign-in").body["entitlements"]["reason"] == "trial_expired"


def test_the_trial_lasts_to_its_last_millisecond(world, clock):
    ada = world.tenant()
    clock.tick(days=30, milliseconds=-1)
    last = ada.start(7)
    clock.tick(milliseconds=1)

    assert last.status == 201
    assert ada.start(8, switch=True).status == 402
