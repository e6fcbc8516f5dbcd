"""Entries by day and duration: where they go in the day, and when they are refused."""

import pytest

from tests.support.months import close_month
from tests.support.world import WORK_ITEM
from timers.entries import free_time_store


HOUR = 3_600_000


def put_in(person, elapsed_ms, date="2026-11-20", **more):
    """Enters a duration on a day."""
    key = more.pop("key", None)
    return person.post("entries", {**WORK_ITEM, "date": date, "elapsedMs": elapsed_ms, **more}, key=key)


def clock_times(answer):
    assert answer.status == 201, answer.raw
    return answer.body["startedAt"][5:16], answer.body["stoppedAt"][5:16]


def test_a_duration_gets_the_first_free_time_from_nine_on(world):
    ada = world.tenant()
    ada.enter("2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z")
    answers = [put_in(ada, HOUR), put_in(ada, 2 * HOUR, note="longer"), put_in(ada, 1)]

    assert [clock_times(each) for each in answers] == [
        ("11-20T09:00", "11-20T10:00"),
        ("11-20T11:00", "11-20T13:00"),
        ("11-20T13:00", "11-20T13:00"),
    ]
    assert answers[1].body["note"] == "longer"
    assert [each.body["elapsedMs"] for each in answers] == [HOUR, 2 * HOUR, 1]
    assert {each.body["source"] for each in answers} == {"manual"}
    assert not any("overlapsWith" in each.body for each in answers)
    assert answers[0].headers["ETag"] == '"1"'


def test_without_free_time_from_nine_on_the_day_begins_at_midnight(world):
    ada = world.tenant("Europe/Berlin")
    ada.enter("2026-11-20T00:00:00+01:00", "2026-11-20T02:00:00+01:00")
    whole = put_in(ada, 16 * HOUR)

    assert clock_times(whole) == ("11-20T01:00", "11-20T17:00")  # in UTC; 02:00 to 18:00 in Berlin
    assert whole.body["days"] == [{"date": "2026-11-20", "elapsedMs": 16 * HOUR}]


def test_today_ends_now_and_at_the_running_timer(world, clock):
    ada = world.tenant()
    clock.set("2026-11-23T12:00:00Z")
    ada.start(7)
    clock.tick(hours=1)
    until_timer, before_nine, refused = (put_in(ada, hours * HOUR, "2026-11-23") for hours in (3, 9, 1))

    assert clock_times(until_timer) == ("11-23T09:00", "11-23T12:00")
    assert clock_times(before_nine) == ("11-23T00:00", "11-23T09:00")
    assert (refused.status, refused.code) == (409, "no_free_time")
    assert "until now: the longest is 0 h 0 min" in refused.body["detail"]
    assert ada.running().body["workItemId"] == 7
    assert ada.stop().body["elapsedMs"] == HOUR


def test_a_refusal_names_the_longest_free_time(world):
    ada = world.tenant()
    ada.enter("2026-11-20T08:00:00Z", "2026-11-20T20:50:00Z")
    refused = put_in(ada, 8 * HOUR + 1)

    assert (refused.status, refused.code) == (409, "no_free_time")
    assert refused.body["detail"] == (
        "20 November 2026 has not enough free time: the longest is 8 h 0 min. Enter less time, or the start and the "
        "end of the work."
    )
    assert clock_times(put_in(ada, 8 * HOUR)) == ("11-20T00:00", "11-20T08:00")


def test_a_day_in_the_future_is_refused_and_today_begins_at_midnight_of_the_tenant(world, clock):
    kiritimati, pago_pago = world.tenant("Pacific/Kiritimati"), world.tenant("Pacific/Pago_Pago")
    clock.set("2026-11-23T10:30:00Z")  # half past midnight of the 24th, half to midnight of the 22nd
    early, late = put_in(kiritimati, HOUR // 2, "2026-11-24"), put_in(pago_pago, HOUR, "2026-11-22")
    refused = [put_in(kiritimati, 1, "2026-11-25"), put_in(pago_pago, 1, "2026-11-23")]

    assert clock_times(early) == ("11-23T10:00", "11-23T10:30")
    assert clock_times(late) == ("11-22T20:00", "11-22T21:00")  # nine o'clock there
    assert {(each.status, each.code) for each in refused} == {(400, "invalid_times")}
    assert {each.body["errors"][0]["pointer"] for each in refused} == {"/date"}


@pytest.mark.parametrize(
    ("zone", "date", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("America/Havana", "2026-03-08", 23),  # midnight does not exist
        ("America/Havana", "2025-11-02", 25),  # it occurs twice
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Pacific/Apia", "2011-12-30", 0),  # the day does not exist
    ],
)
def test_a_day_has_as_many_hours_as_its_clock_changes_leave(world, zone, date, hours):
    ada = world.tenant(zone)
    longest = int(min(hours, 24) * HOUR)
    too_long = put_in(ada, longest + 1, date) if longest < 24 * HOUR else put_in(ada, 24 * HOUR, date)
    rest = int(hours * HOUR) - (24 * HOUR if longest == 24 * HOUR else 0)
    fits = put_in(ada, rest, date) if rest else too_long
    left = put_in(ada, 1, date)

    assert too_long.status == (201 if longest == 24 * HOUR else 409)
    assert left.code == "no_free_time"
    if hours:
        assert fits.body["days"] == [{"date": date, "elapsedMs": rest}]


def test_entries_of_several_days_and_without_length_are_in_the_way(world, clock):
    ada = world.tenant()
    clock.set("2026-11-19T22:00:00Z")
    ada.start(7)
    clock.set("2026-11-20T10:00:00Z")
    ada.stop()
    clock.set("2026-11-20T11:00:00Z")
    ada.start(8)
    ada.stop()  # an entry of 0 ms
    clock.set("2026-11-23T09:00:00Z")
    answers = [put_in(world.renew_token(ada), 90 * 60_000), put_in(world.renew_token(ada), HOUR)]

    assert [clock_times(each) for each in answers] == [("11-20T11:00", "11-20T12:30"), ("11-20T10:00", "11-20T11:00")]


EITHER = "must have either startedAt and stoppedAt, or date and elapsedMs"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"date": "2026-11-20"},
        {"elapsedMs": 1},
        {"startedAt": "2026-11-20T09:00:00Z"},
        {"startedAt": "2026-11-20T09:00:00Z", "elapsedMs": 1},
        {"date": "2026-11-20", "elapsedMs": 1, "startedAt": "2026-11-20T09:00:00Z"},
        {"date": "2026-11-20", "startedAt": "2026-11-20T09:00:00Z", "stoppedAt": "2026-11-20T10:00:00Z"},
    ],
)
def test_a_time_is_given_in_one_of_two_ways(world, fields):
    ada = world.tenant()
    refused = ada.post("entries", {**WORK_ITEM, **fields})

    assert (refused.status, refused.code) == (400, "invalid_body")
    assert refused.body["errors"] == [{"pointer": "", "detail": EITHER}]
    assert ada.entries() == []


def test_a_wrong_day_or_duration_is_refused_with_its_field(world):
    ada = world.tenant()
    for elapsed_ms in (0, -1, 24 * HOUR + 1, 1.5, "1", True, 10**30):
        assert put_in(ada, elapsed_ms).body["errors"][0]["pointer"] == "/elapsedMs"
    for date in ("2026-11-31", "1999-12-31", "20261120", "2026-11-20T00:00:00Z", 20261120, ""):
        assert put_in(ada, 1, date).body["errors"][0]["pointer"] == "/date"
    assert ada.entries() == []


def test_an_admin_enters_a_duration_for_a_colleague_around_the_colleagues_time(world):
    ada = world.tenant()
    ben, eve = world.member(ada), world.tenant()
    bens, adas = ben.enter().body["userId"], ada.enter("2026-11-20T13:00:00Z", "2026-11-20T14:00:00Z").body["userId"]
    added = put_in(ada, HOUR, userId=bens)
    refused = [put_in(ben, HOUR, userId=adas), put_in(eve, HOUR, userId=bens)]

    assert clock_times(added) == ("11-20T10:00", "11-20T11:00")
    assert added.body["userId"] == bens
    assert [each.status for each in refused] == [404, 404]
    recorded = ada.get("audit").body["items"][0]
    assert (recorded["action"], recorded["subjectUserId"]) == ("entry.added", bens)


def test_a_duration_follows_the_rules_of_entries_by_hand(world, clock, engine):
    ada = world.tenant()
    close_month(engine, ada, 202610)
    adjusted = put_in(ada, HOUR, "2026-10-20")
    once, again = put_in(ada, HOUR, key="one"), put_in(ada, HOUR, key="one")
    wrong = put_in(ada, HOUR, organization="fabrikam")
    clock.tick(days=30)
    late = put_in(world.renew_token(ada), HOUR)

    assert adjusted.body["isAdjustment"] is True
    assert (again.status, again.raw, again.headers["Idempotent-Replayed"]) == (201, once.raw, "true")
    assert (wrong.status, wrong.code) == (400, "wrong_organization")
    assert (late.status, late.code) == (402, "trial_expired")
    assert [row["event"] for row in ada.log()] == ["entered", "entered"]


def test_a_day_with_very_many_entries_is_refused(world, monkeypatch):
    monkeypatch.setattr(free_time_store, "MAX_ENTRIES", 1)
    ada = world.tenant()
    ada.enter()
    allowed, refused = put_in(ada, HOUR), put_in(ada, HOUR)

    assert allowed.status == 201
    assert (refused.status, refused.code) == (409, "too_many_entries")
