"""The time of a work item and a day is set as one number."""

import pytest

from tests.support.months import close_month
from tests.timers.work_item_days.work_item_days import DAY, set_day
from tests.timers.write_back.write_backs import HEADER, add_entry, change
from timers.work_item_days import store


HOUR = 3_600_000
MORNING = [("08:00", "09:00"), ("10:00", "10:30"), ("12:00", "14:00")]


def enter(person, times=MORNING, **more):
    return [person.enter(f"{DAY}T{start}:00Z", f"{DAY}T{stop}:00Z", **more) for start, stop in times]


def spans(answer):
    assert answer.status == 200, answer.raw
    return [(each["startedAt"][11:16], each["stoppedAt"][11:16]) for each in answer.body["entries"]]


def total(person, item=42, **params):
    rows = person.get("reports/summary", **{"from": DAY, "to": DAY, "groupBy": "workItem", **params}).body["rows"]
    return sum(row["elapsedMs"] for row in rows if row["workItem"]["id"] == item)


def test_an_empty_day_gets_an_entry(world):
    ada = world.tenant()
    answer = set_day(ada, 110 * 60_000, 0)
    [entry] = ada.entries()

    assert answer.status == 200
    assert answer.body == {
        "date": DAY,
        "organization": "contoso",
        "workItemId": 42,
        "userId": ada.get("me").body["id"],
        "elapsedMs": 110 * 60_000,
        "entries": [ada.get(f"entries/{entry['id']}").body],
    }
    assert (entry["project"], entry["source"], entry["version"]) == ("Website", "manual", 1)
    assert spans(answer) == [("09:00", "10:50")]
    assert [row["event"] for row in ada.log()] == ["entered"]


def test_more_time_without_a_reason_becomes_an_entry_and_changes_none(world):
    ada = world.tenant()
    before = [each.body for each in enter(ada)]
    more = set_day(ada, 4 * HOUR, 7 * HOUR // 2)

    assert spans(more) == [("08:00", "09:00"), ("09:00", "09:30"), ("10:00", "10:30"), ("12:00", "14:00")]
    assert [each for each in more.body["entries"] if each in before] == before
    assert total(ada) == more.body["elapsedMs"] == 4 * HOUR


def test_more_time_with_a_reason_extends_the_latest_entry_by_hand_that_has_room(world):
    ada = world.tenant()
    enter(ada)
    ada.enter(f"{DAY}T14:15:00Z", f"{DAY}T15:00:00Z", workItemId=7)
    half = set_day(ada, 4 * HOUR, 7 * HOUR // 2, reason="it took longer")  # 14:00 has a quarter of an hour
    quarter = set_day(ada, 17 * HOUR // 4, 4 * HOUR, reason="it took longer")

    assert spans(half) == [("08:00", "09:00"), ("10:00", "11:00"), ("12:00", "14:00")]
    assert spans(quarter) == [("08:00", "09:00"), ("10:00", "11:00"), ("12:00", "14:15")]
    assert [(row["event"], row.get("reason")) for row in ada.log()[:2]] == [("corrected", "it took longer")] * 2
    assert [each["version"] for each in quarter.body["entries"]] == [1, 2, 2]
    assert not any("overlapsWith" in each for each in ada.entries())


def test_measured_time_is_not_extended(world, clock):
    ada = world.tenant()
    ada.start()
    clock.tick(hours=1)
    stopped = ada.stop()
    clock.tick(hours=3)
    more = set_day(ada, 2 * HOUR, HOUR, day="2026-11-23", reason="it took longer")

    assert stopped.body in more.body["entries"]
    assert spans(more) == [("09:00", "10:00"), ("10:00", "11:00")]


def test_less_time_shortens_and_deletes_entries_with_the_reason(world):
    ada = world.tenant()
    first, second, third = enter(ada)
    less = set_day(ada, HOUR + 1, 7 * HOUR // 2, reason="a meeting")
    rows = ada.log()[:2]

    assert spans(less) == [("08:00", "09:00"), ("10:00", "10:00")]
    assert (less.body["elapsedMs"], total(ada)) == (HOUR + 1, HOUR + 1)
    assert less.body["entries"][0] == first.body
    assert less.body["entries"][1]["elapsedMs"] == 1
    assert ada.get(f"entries/{third.body['id']}").status == 404
    assert {(row["event"], row["reason"], row["timerId"]) for row in rows} == {
        ("deleted", "a meeting", third.body["id"]),
        ("corrected", "a meeting", second.body["id"]),
    }
    assert set_day(ada, 0, HOUR + 1, reason="another day").body["entries"] == []
    assert (ada.entries(), total(ada)) == ([], 0)


def test_less_time_needs_a_reason(world):
    ada = world.tenant()
    enter(ada)
    refused = [set_day(ada, HOUR, 7 * HOUR // 2, **fields) for fields in ({}, {"reason": ""}, {"reason": " "})]

    assert {(each.status, each.code) for each in refused} == {(400, "invalid_body")}
    assert {each.body["errors"][0]["pointer"] for each in refused} == {"/reason"}
    assert len(ada.log()) == 3


def test_a_day_that_was_changed_meanwhile_is_refused_with_the_present_time(world):
    ada = world.tenant()
    enter(ada)
    refused = [set_day(ada, HOUR, expected, reason="why") for expected in (0, 7 * HOUR // 2 - 1, 2**53 - 1)]

    assert {(each.status, each.code, each.body["elapsedMs"]) for each in refused} == {
        (409, "day_changed", 7 * HOUR // 2)
    }
    assert len(ada.log()) == 3


def test_a_repeat_finds_the_wanted_time_and_changes_nothing(world):
    ada = world.tenant()
    first, again = (set_day(ada, HOUR, 0) for _ in range(2))
    unchanged = set_day(ada, HOUR, HOUR)
    empty = set_day(ada, 0, 0, item=7)

    assert first.body == again.body == unchanged.body
    assert (empty.status, empty.body["entries"]) == (200, [])
    assert len(ada.log()) == 1


def test_other_days_items_organizations_and_the_running_timer_stay(world, clock):
    ada = world.tenant()
    version = ada.get("tenant").body["version"]
    ada.patch("tenant", {"azureDevOpsOrganization": "fabrikam"}, version=version)
    others = [
        ada.enter("2026-11-19T22:00:00Z", "2026-11-20T02:00:00Z").body,  # two hours on each day
        ada.enter("2026-11-20T23:00:00Z", "2026-11-21T03:00:00Z").body,  # one hour, and three
    ]
    untouched = [
        ada.enter("2026-11-19T09:00:00Z", "2026-11-19T10:00:00Z").body,
        ada.enter(workItemId=7).body,
        ada.enter(organization="fabrikam").body,
    ]
    clock.tick(hours=1)
    timer = ada.start().body
    less = set_day(ada, HOUR // 2, 3 * HOUR, reason="fewer")
    days = {each["id"]: [(day["date"], day["elapsedMs"]) for day in each["days"]] for each in ada.entries()}

    assert less.body["elapsedMs"] == HOUR // 2
    assert days[others[0]["id"]] == [("2026-11-19", 2 * HOUR), ("2026-11-20", HOUR // 2)]
    assert days[others[1]["id"]] == [("2026-11-21", 3 * HOUR)]
    assert all(ada.get(f"entries/{each['id']}").body["version"] == 1 for each in untouched)
    assert ada.running().body["id"] == timer["id"]
    today = set_day(ada, HOUR, 0, day="2026-11-23")
    assert spans(today) == [("09:00", "10:00")]
    assert ada.running().body["startedAt"] == timer["startedAt"]


def test_the_middle_of_a_long_entry_is_not_changed(world, clock):
    ada = world.tenant()
    clock.set("2026-11-19T12:00:00Z")
    ada.start()
    clock.set("2026-11-21T12:00:00Z")
    ada.stop()
    clock.set("2026-11-23T09:00:00Z")
    ada = world.renew_token(ada)
    refused = set_day(ada, HOUR, 24 * HOUR, reason="forgotten")

    assert (refused.status, refused.code) == (409, "entry_of_several_days")
    assert set_day(ada, HOUR, 12 * HOUR, day="2026-11-21", reason="forgotten").body["elapsedMs"] == HOUR
    assert [each["elapsedMs"] for each in ada.entries()[0]["days"]] == [12 * HOUR, 24 * HOUR, HOUR]


def test_all_projects_of_an_item_are_one_day(world):
    ada = world.tenant()
    [first] = enter(ada, MORNING[:1], project="Website")
    [second] = enter(ada, MORNING[1:2], project="Billing")
    answer = set_day(ada, 3 * HOUR, 3 * HOUR // 2, project="Mobile")

    assert [each["project"] for each in answer.body["entries"]] == ["Website", "Billing", "Mobile"]
    assert answer.body["entries"][:2] == [first.body, second.body]


def test_a_day_keeps_the_zone_of_its_entries(world):
    ada = world.tenant("Europe/Berlin")
    ada.enter("2026-11-20T22:30:00+01:00", "2026-11-21T00:30:00+01:00")
    ada.patch("tenant", {"timeZone": "Asia/Kolkata"}, version=ada.get("tenant").body["version"])
    extended = set_day(ada, 2 * HOUR, 3 * HOUR // 2, reason="longer")
    less = set_day(ada, HOUR, 2 * HOUR, reason="shorter")

    assert [each["elapsedMs"] for each in extended.body["entries"]] == [HOUR // 2, 2 * HOUR]  # a new one, and the old
    assert less.body["elapsedMs"] == HOUR
    assert total(ada) == HOUR


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_a_whole_day_of_a_clock_change_is_set(world, day, hours):
    ada = world.tenant("Europe/Berlin")
    longest = min(hours, 24)
    answer = set_day(ada, longest * HOUR, 0, day=day)
    refused = set_day(ada, longest * HOUR, 0, day=day, item=7)

    assert [each["days"] for each in answer.body["entries"]] == [[{"date": day, "elapsedMs": longest * HOUR}]]
    assert (refused.status, refused.code) == (409, "no_free_time")


def test_overlapping_entries_count_each_and_are_reduced_each(world):
    ada = world.tenant()
    enter(ada, [("08:00", "10:00"), ("09:00", "11:00")])
    less = set_day(ada, HOUR, 4 * HOUR, reason="twice")

    assert spans(less) == [("08:00", "09:00")]


def test_a_future_day_an_unknown_item_and_a_wrong_path_are_refused(world):
    ada = world.tenant()
    future = set_day(ada, HOUR, 0, day="2026-11-24")
    missing = [
        set_day(ada, HOUR, 0, day="2026-11-31"),
        set_day(ada, HOUR, 0, day="today"),
        set_day(ada, HOUR, 0, item="0"),
        set_day(ada, HOUR, 0, item=2**31),
        set_day(ada, HOUR, 0, item="x"),
        set_day(ada, HOUR, 0, organization="fabrikam"),
        set_day(ada, HOUR, 0, organization="x" * 600),
    ]

    assert (future.status, future.code, future.body["errors"][0]["pointer"]) == (400, "invalid_times", "date")
    assert {(each.status, each.code) for each in missing} == {(404, "not_found")}
    assert ada.entries() == []


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"elapsedMs": -1}, "/elapsedMs"),
        ({"elapsedMs": 24 * HOUR + 1}, "/elapsedMs"),
        ({"elapsedMs": "1"}, "/elapsedMs"),
        ({"elapsedMs": 1.5}, "/elapsedMs"),
        ({"elapsedMs": None}, "/elapsedMs"),
        ({"expectedMs": -1}, "/expectedMs"),
        ({"expectedMs": 2**53}, "/expectedMs"),
        ({"project": "\u202eevil"}, "/project"),
        ({"note": "x"}, "/note"),
        ({"date": DAY}, "/date"),
    ],
)
def test_wrong_fields_are_refused(world, fields, pointer):
    ada = world.tenant()
    refused = set_day(ada, **{"elapsed_ms": HOUR, "expected_ms": 0, **fields})

    assert (refused.status, refused.code) == (400, "invalid_body")
    assert refused.body["errors"][0]["pointer"] == pointer
    assert ada.entries() == []


def test_admins_set_days_of_others_recorded_in_the_audit_log_and_nobody_else_does(world):
    ada = world.tenant()
    ben, chloe, eve = world.member(ada), world.member(ada), world.tenant()
    bens = ben.get("me").body["id"]
    enter(ben, MORNING[:2])
    refused = [set_day(each, 0, 3 * HOUR // 2, userId=bens, reason="why") for each in (chloe, eve)]
    less = set_day(ada, HOUR // 2, 3 * HOUR // 2, userId=bens, reason="two are one")
    more = set_day(ada, HOUR, HOUR // 2, userId=bens)
    own = set_day(ben, 2 * HOUR, HOUR, userId=bens)

    assert [each.status for each in refused] == [404, 404]
    assert [each.body["userId"] for each in (less, more, own)] == [bens] * 3
    actions = [row["action"] for row in ada.get("audit").body["items"] if row["action"].startswith("entry.")]
    assert sorted(actions) == ["entry.added", "entry.corrected", "entry.deleted"]
    assert total(ada, user=bens) == 2 * HOUR
    assert total(ada, user="me") == 0


def test_a_restricted_person_is_left_alone_and_adds_no_time(world):
    ada = world.tenant()
    ben = world.member(ada)
    bens = ben.get("me").body["id"]
    enter(ben, MORNING[:1])
    assert ben.patch("privacy", {"restricted": True}).status == 200
    by_admin = set_day(ada, 0, HOUR, userId=bens, reason="why")
    more = [set_day(ben, 2 * HOUR, HOUR, **fields) for fields in ({}, {"reason": "longer"})]

    assert {(each.status, each.code) for each in (by_admin, *more)} == {(403, "processing_restricted")}
    assert set_day(ben, 0, HOUR, reason="it was nothing").status == 200


def test_after_the_trial_a_day_gets_less_time_and_no_more(world, clock):
    ada = world.tenant()
    enter(ada)
    clock.tick(days=30)
    ada = world.renew_token(ada)
    more = [set_day(ada, 4 * HOUR, 7 * HOUR // 2, **fields) for fields in ({}, {"reason": "longer"})]

    assert {(each.status, each.code) for each in more} == {(402, "trial_expired")}
    assert set_day(ada, HOUR, 7 * HOUR // 2, reason="fewer").status == 200


def test_a_former_organization_gets_less_time_and_no_more(world):
    ada = world.tenant()
    enter(ada)
    version = ada.get("tenant").body["version"]
    ada.patch("tenant", {"azureDevOpsOrganization": "fabrikam"}, version=version)
    [contoso] = [each for each in ada.get("organizations").body["items"] if each["name"] == "contoso"]
    assert ada.patch(f"organizations/{contoso['id']}", {"isActive": False}).status == 200
    more = [set_day(ada, 4 * HOUR, 7 * HOUR // 2, **fields) for fields in ({}, {"reason": "longer"})]

    assert {(each.status, each.code) for each in more} == {(400, "wrong_organization")}
    assert set_day(ada, HOUR, 7 * HOUR // 2, reason="fewer").status == 200


def test_a_closed_month_is_adjusted(world, engine):
    ada = world.tenant()
    kept, cut = (
        ada.enter("2026-10-20T08:00:00Z", "2026-10-20T09:00:00Z"),
        ada.enter("2026-10-20T10:00:00Z", "2026-10-20T12:00:00Z"),
    )
    close_month(engine, ada, 202610)
    less = set_day(ada, 2 * HOUR, 3 * HOUR, day="2026-10-20", reason="fewer")
    more = set_day(ada, 3 * HOUR, 2 * HOUR, day="2026-10-20")
    adjusted = [each for each in (*less.body["entries"], *more.body["entries"]) if each.get("isAdjustment")]

    assert adjusted[0]["id"] == cut.body["id"]
    assert len(adjusted) == 2
    assert kept.body in more.body["entries"]
    assert sum("isAdjustment" in row for row in ada.log()) == 2


def test_an_entry_that_needs_a_review_is_confirmed_by_its_new_time_only(world, clock):
    ada = world.tenant()
    clock.set("2026-11-20T06:00:00Z")
    ada.start()
    clock.set("2026-11-20T20:00:00Z")
    ada.stop()
    clock.set("2026-11-23T09:00:00Z")
    ada = world.renew_token(ada)
    assert set_day(ada, 15 * HOUR, 14 * HOUR).body["entries"][0]["needsReview"] is True
    less = set_day(ada, 8 * HOUR, 15 * HOUR, reason="forgotten")

    assert [(each["elapsedMs"], each["needsReview"]) for each in less.body["entries"]] == [(8 * HOUR, False)]


def test_the_changes_of_a_day_move_completed_work(world, azure_devops):
    ada = world.tenant()
    change(ada, writeBack=True)
    token = azure_devops.token()
    before = azure_devops.completed(42)
    for start, stop in MORNING:
        assert add_entry(ada, token, start, stop).body["writeBack"] == "done"
    less = set_day(ada, HOUR, 7 * HOUR // 2, reason="fewer", headers={HEADER: token})
    after_less = azure_devops.completed(42)
    more = set_day(ada, 3 * HOUR, HOUR, headers={HEADER: token})
    after_more = azure_devops.completed(42)
    without_token = set_day(ada, 2 * HOUR, 3 * HOUR, reason="fewer")

    assert (after_less - before, after_more - before) == (1.0, 3.0)
    assert {each["writeBack"] for answer in (less, more) for each in answer.body["entries"]} == {"done"}
    assert "pending" in {each["writeBack"] for each in without_token.body["entries"]}
    assert set_day(ada, 0, 2 * HOUR, reason="none", headers={HEADER: token}).body["entries"] == []
    assert azure_devops.completed(42) == before


def test_more_time_is_not_set_in_a_project_that_is_not_the_items(world, azure_devops):
    ada = world.tenant()
    token = {HEADER: azure_devops.token()}
    refused = set_day(ada, HOUR, 0, project="Mobile", headers=token)
    named = set_day(ada, HOUR, 0, project="Website", headers=token)

    assert (refused.status, refused.code) == (400, "wrong_project")
    assert named.status == 200


def test_a_day_with_very_many_entries_is_refused(world, monkeypatch):
    ada = world.tenant()
    enter(ada)
    monkeypatch.setattr(store, "MAX_ENTRIES", 2)
    refused = set_day(ada, 0, 7 * HOUR // 2, reason="none")

    assert (refused.status, refused.code) == (409, "too_many_entries")
    assert "more than 2 entries" in refused.body["detail"]


def test_a_failed_change_leaves_the_whole_day(world):
    ada = world.tenant()
    enter(ada)
    ada.enter(f"{DAY}T00:00:00Z", f"{DAY}T23:00:00Z", workItemId=7)
    refused = set_day(ada, 6 * HOUR, 7 * HOUR // 2)

    assert (refused.status, refused.code) == (409, "no_free_time")
    assert (len(ada.entries()), total(ada)) == (4, 7 * HOUR // 2)
