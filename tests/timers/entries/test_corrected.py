import pytest

from tests.support.months import close_month


HOUR = 3_600_000


def days(answer):
    return [(day["date"], day["elapsedMs"]) for day in answer.body["days"]]


def test_a_correction_creates_the_next_version_and_reports_show_it(world, clock):
    ada = world.tenant()
    ada.start(7, note="first")
    clock.tick(minutes=30)
    stopped = ada.stop()
    corrected = ada.correct(
        stopped, startedAt="2026-11-23T08:00:00Z", stoppedAt="2026-11-23T09:00:00Z", project="Billing", workItemId=8
    )

    assert (corrected.status, corrected.headers["ETag"]) == (200, '"2"')
    assert corrected.body == stopped.body | {
        "startedAt": "2026-11-23T08:00:00.000Z",
        "stoppedAt": "2026-11-23T09:00:00.000Z",
        "elapsedMs": HOUR,
        "project": "Billing",
        "workItemId": 8,
        "version": 2,
        "days": [{"date": "2026-11-23", "elapsedMs": HOUR}],
    }
    rows = ada.report(groupBy="project,workItem").body["rows"]
    assert [(row["project"], row["workItem"]["id"], row["elapsedMs"]) for row in rows] == [("Billing", 8, HOUR)]


def test_the_note_is_changed_or_deleted_and_the_rest_stays(world):
    ada = world.tenant()
    entered = ada.enter(note="first")
    changed = ada.correct(entered, note="second\r\nline")
    cleared = ada.correct(changed, note=None)

    assert changed.body == entered.body | {"note": "second\nline", "version": 2}
    assert "note" not in cleared.body
    assert cleared.body["version"] == 3


def test_a_correction_needs_the_current_version(world):
    ada = world.tenant()
    entered = ada.enter()
    path, body = f"entries/{entered.body['id']}", {"workItemId": 7, "reason": "wrong number"}
    missing, stale = ada.patch(path, body), ada.patch(path, body, version=2)
    first, second = ada.correct(entered, workItemId=8), ada.correct(entered, workItemId=9)

    assert (missing.status, missing.code) == (428, "if_match_required")
    assert (stale.status, stale.code) == (412, "precondition_failed")
    assert (first.status, second.status) == (200, 412)
    assert ada.get(path).body["workItemId"] == 8


def correct_with(world, tag):
    """The response to a correction of an entry's first version, with this If-Match."""
    ada = world.tenant()
    path, body = f"entries/{ada.enter().body['id']}", {"workItemId": 7, "reason": "wrong number"}
    answer = ada.http.send("PATCH", path, body, token=ada.token, headers={"If-Match": tag})
    assert ada.get(path).body["version"] == (2 if answer.status == 200 else 1)
    return answer


@pytest.mark.parametrize(
    "wrong",
    [
        *("", "1", '"1', '1"', '""1""', "W/1", "'1'", '"1", *', '"1" "2"', ",", '"1", 2'),
        *('W/"1"', 'W/"1", "2"', 'W/"2", "1"', 'W/"1", "1"', 'W/""'),
    ],
)
def test_an_invalid_list_of_tags_is_refused(world, wrong):
    refused = correct_with(world, wrong)

    assert (refused.status, refused.code) == (400, "invalid_if_match")


@pytest.mark.parametrize(
    "tags", ['"2"', '"2", "3"', '"-1"', '"01"', '"1234567890"', '"another"', '""', '"",""', '"2", "",']
)
def test_tags_of_other_versions_do_not_match(world, tags):
    stale = correct_with(world, tags)

    assert (stale.status, stale.code) == (412, "precondition_failed")


@pytest.mark.parametrize("tags", ['"1"', '"2", "1"', '"1","2"', '"another", "1"', "*", '"1", ""', '"1","",'])
def test_one_tag_of_a_list_is_enough(world, tags):
    assert correct_with(world, tags).status == 200


def test_a_correction_needs_a_reason(world):
    ada = world.tenant()
    entered = ada.enter()
    refused = [ada.correct(entered, workItemId=7, reason=reason) for reason in (None, "", "  ", "x" * 401)]

    assert {(answer.status, answer.code) for answer in refused} == {(400, "invalid_body")}
    assert {answer.body["errors"][0]["pointer"] for answer in refused} == {"/reason"}
    assert ada.correct(entered, workItemId=7, reason="x" * 400).status == 200


def test_a_correction_without_a_difference_creates_no_version(world):
    ada = world.tenant()
    entered = ada.enter(note="first")
    same = ada.correct(
        entered,
        startedAt="2026-11-20T10:00:00+01:00",
        stoppedAt="2026-11-20T10:00:00Z",
        project="WEBSITE",
        workItemId=42,
        note="first",
        needsReview=False,
    )

    assert (same.status, same.body, same.headers["ETag"]) == (200, entered.body, '"1"')
    assert len(ada.log()) == 1


@pytest.mark.parametrize("body", [{}, {"reason": "why"}, {"startedAt": None, "reason": "why"}])
def test_an_empty_correction_is_refused(world, body):
    ada = world.tenant()
    entered = ada.enter()
    refused = ada.patch(f"entries/{entered.body['id']}", body, version=1)

    assert (refused.status, refused.code) == (400, "invalid_body")


def test_only_correctable_values_are_fields(world):
    ada = world.tenant()
    entered = ada.enter()
    for name, value in {"needsReview": True, "userId": "x", "organization": "contoso", "source": "timer"}.items():
        refused = ada.correct(entered, **{name: value})

        assert (refused.status, refused.body["errors"][0]["pointer"]) == (400, f"/{name}")


@pytest.mark.parametrize("note", ["second", None])
def test_the_note_of_an_own_entry_needs_no_reason(world, note):
    ada = world.tenant()
    entered = ada.enter(note="first")
    path = f"entries/{entered.body['id']}"
    changed = ada.patch(path, {"note": note, "workItemId": entered.body["workItemId"]}, version=1)
    with_more = ada.patch(path, {"note": "third", "workItemId": 8}, version=2)

    assert (changed.status, changed.body.get("note"), changed.body["version"]) == (200, note, 2)
    assert (with_more.status, with_more.body["errors"][0]["pointer"]) == (400, "/reason")
    assert [row.get("reason") for row in ada.log()] == [None, None]


def test_a_note_and_a_confirmation_need_no_reason(world, clock):
    ada = world.tenant()
    ada.start(7)
    clock.tick(hours=13)
    entry = ada.stop()
    confirmed = ada.patch(f"entries/{entry.body['id']}", {"note": "a long day", "needsReview": False}, version=1)

    assert (confirmed.status, confirmed.body["note"], confirmed.body["needsReview"]) == (200, "a long day", False)


def test_the_note_of_another_persons_entry_needs_a_reason(world):
    ada = world.tenant()
    ben = world.member(ada)
    path = f"entries/{ben.enter(note='first').body['id']}"
    refused = ada.patch(path, {"note": "second"}, version=1)
    accepted = ada.patch(path, {"note": "second", "reason": "a name in it"}, version=1)

    assert (refused.status, refused.body["errors"][0]["pointer"]) == (400, "/reason")
    assert (accepted.status, accepted.body["note"]) == (200, "second")


def test_an_entry_that_needs_review_is_confirmed_without_a_reason(world, clock):
    ada = world.tenant()
    ada.start(7)
    clock.tick(seconds=-30)
    stopped = ada.stop()
    confirmed = ada.patch(f"entries/{stopped.body['id']}", {"needsReview": False}, version=1)

    assert confirmed.body == stopped.body | {"needsReview": False, "version": 2}
    assert ada.post("sign-in").body["needsReview"] == []
    rows = ada.get("timer-log", timerId=stopped.body["id"]).body["items"]
    assert [(row["event"], row.get("entryVersion")) for row in rows][:2] == [("confirmed", 2), ("stopped", 1)]


def test_a_correction_of_the_times_is_a_review_and_one_of_the_note_is_not(world, clock):
    ada = world.tenant()
    ada.start(7)
    clock.tick(seconds=-30)
    stopped = ada.stop()
    noted = ada.correct(stopped, note="the clock was set back")
    timed = ada.correct(noted, startedAt="2026-11-23T08:30:00Z", stoppedAt="2026-11-23T08:59:30Z")

    assert noted.body["needsReview"] is True
    assert (timed.body["needsReview"], timed.body["source"]) == (False, "timer")
    assert ada.get("timer-log", timerId=timed.body["id"]).body["items"][0]["event"] == "corrected"


def test_corrected_times_follow_the_rules_and_errors_name_the_sent_field(world):
    ada = world.tenant()
    entered = ada.enter()
    wrong = {
        "/startedAt": [{"startedAt": "2026-11-20T10:00:00Z"}, {"startedAt": "2026-11-19T09:59:59.999Z"}],
        "/stoppedAt": [{"stoppedAt": "2026-11-20T09:00:00Z"}, {"stoppedAt": "2026-11-23T09:02:00.001Z"}],
    }
    for pointer, bodies in wrong.items():
        for body in bodies:
            refused = ada.correct(entered, **body)

            assert (refused.status, refused.code) == (400, "invalid_times")
            assert {error["pointer"] for error in refused.body["errors"]} == {pointer}
    assert ada.correct(entered, startedAt="2026-11-19T10:00:00Z").body["elapsedMs"] == 24 * HOUR


def test_an_entry_of_several_days_may_be_moved_but_not_lengthened(world, clock):
    ada = world.tenant()
    ada.start(7)
    clock.tick(days=3)
    stopped = ada.stop()
    moved = ada.correct(stopped, startedAt="2026-11-22T09:00:00Z", stoppedAt="2026-11-25T09:00:00Z")

    assert moved.body["elapsedMs"] == 72 * HOUR
    assert ada.correct(moved, startedAt="2026-11-22T08:59:00Z").code == "invalid_times"
    assert ada.correct(moved, stoppedAt="2026-11-22T17:00:00Z").body["elapsedMs"] == 8 * HOUR


def test_days_are_split_again_across_midnight_and_the_change_of_the_clocks(world):
    ada = world.tenant("Europe/Berlin")
    entered = ada.enter("2026-10-24T20:00:00+02:00", "2026-10-24T21:00:00+02:00")
    corrected = ada.correct(entered, stoppedAt="2026-10-25T04:00:00+01:00")

    assert days(entered) == [("2026-10-24", HOUR)]
    assert days(corrected) == [("2026-10-24", 4 * HOUR), ("2026-10-25", 5 * HOUR)]
    assert corrected.body["elapsedMs"] == 9 * HOUR
    assert ada.report("2026-10").body["totalMs"] == 9 * HOUR


def test_a_correction_keeps_the_entrys_time_zone(world):
    ada = world.tenant("Europe/Berlin")
    entered = ada.enter("2026-11-20T21:00:00+01:00", "2026-11-20T22:00:00+01:00")
    settings = ada.get("tenant")
    moved = ada.patch("tenant", {"timeZone": "Asia/Kolkata"}, version=settings.body["version"])
    corrected = ada.correct(entered, stoppedAt="2026-11-21T01:00:00+01:00")
    new = ada.enter("2026-11-20T21:00:00+01:00", "2026-11-20T22:00:00+01:00")

    assert moved.body["timeZone"] == "Asia/Kolkata"
    assert days(corrected) == [("2026-11-20", 3 * HOUR), ("2026-11-21", HOUR)]
    assert days(new) == [("2026-11-21", HOUR)]


def test_a_correction_keeps_the_entrys_organization(world):
    ada = world.tenant()
    entered = ada.enter()
    version = ada.get("tenant").body["version"]
    ada.patch("tenant", {"azureDevOpsOrganization": "fabrikam"}, version=version)
    corrected = ada.correct(entered, project="Billing")

    assert (corrected.body["organization"], corrected.body["project"]) == ("contoso", "Billing")
    assert ada.enter(organization="fabrikam").body["organization"] == "fabrikam"
    assert len(ada.entries(project="website")) == 1


def test_a_closed_month_is_changed_as_an_adjustment_and_an_open_one_is_not(world, engine):
    ada = world.tenant()
    october = ada.enter("2026-10-05T09:00:00Z", "2026-10-05T10:00:00Z")
    november = ada.enter("2026-11-05T09:00:00Z", "2026-11-05T10:00:00Z")
    close_month(engine, ada, 202610)
    corrected = ada.correct(october, stoppedAt="2026-10-05T11:00:00Z")
    added = ada.enter("2026-10-06T09:00:00Z", "2026-10-06T10:00:00Z")
    moved_away = ada.correct(added, startedAt="2026-11-06T09:00:00Z", stoppedAt="2026-11-06T10:00:00Z")
    moved_in = ada.correct(moved_away, startedAt="2026-10-31T23:30:00Z", stoppedAt="2026-11-01T00:30:00Z")
    noted = ada.correct(corrected, note="only words")
    open_month = ada.correct(november, stoppedAt="2026-11-05T11:00:00Z")

    assert [each.body.get("isAdjustment") for each in (corrected, added, moved_away, moved_in)] == [True] * 4
    assert "isAdjustment" not in october.body | november.body | noted.body | open_month.body
    assert "isAdjustment" not in ada.get(f"entries/{october.body['id']}").body
    assert sum("isAdjustment" in row for row in ada.log()) == 4
    assert ada.report("2026-10").body["totalMs"] == 2 * HOUR + HOUR // 2


def test_a_correction_shows_the_new_overlaps(world):
    ada = world.tenant()
    first = ada.enter("2026-11-20T09:00:00Z", "2026-11-20T10:00:00Z")
    second = ada.enter("2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z")
    overlapping = ada.correct(second, startedAt="2026-11-20T09:59:00Z")
    apart = ada.correct(overlapping, startedAt="2026-11-20T10:00:00Z")

    assert overlapping.body["overlapsWith"] == [first.body["id"]]
    assert "overlapsWith" not in apart.body


def test_a_deleted_entry_is_in_no_list_or_report_but_in_the_log(world):
    ada = world.tenant()
    entered = ada.enter()
    path = f"entries/{entered.body['id']}"
    refused = [ada.delete(path, reason="why"), ada.delete(path, version=2, reason="why"), ada.delete(path, version=1)]
    deleted = ada.remove(entered)

    assert [answer.status for answer in refused] == [428, 412, 400]
    assert (refused[2].code, refused[2].body["errors"][0]["pointer"]) == ("invalid_query", "reason")
    assert (deleted.status, deleted.raw) == (204, b"")
    assert (ada.get(path).status, ada.remove(entered).status, ada.correct(entered, workItemId=7).status) == (404,) * 3
    assert (ada.entries(), ada.report().body["totalMs"]) == ([], 0)
    assert ada.log()[0]["before"]["elapsedMs"] == HOUR


def delete_for(person, entry, body, *, version="*", key=None):
    path = f"entries/{entry.body['id']}/delete"
    return person.http.send("POST", path, body, token=person.token, key=key, headers={"If-Match": version})


def test_the_reason_of_a_deletion_is_in_the_body_and_a_repeat_deletes_nothing_more(world):
    """Proxies store URLs, and a reason may be about people."""
    ada = world.tenant()
    entered = ada.enter()
    refused = [delete_for(ada, entered, body, key="one") for body in ({}, {"reason": " "}, {"reason": "x" * 401})]
    stale = delete_for(ada, entered, {"reason": "why"}, version='"2"')
    done = [delete_for(ada, entered, {"reason": "twice by mistake"}, version='"1"', key="two") for _ in range(2)]

    assert [(each.status, each.body["errors"][0]["pointer"]) for each in refused] == [(400, "/reason")] * 3
    assert stale.status == 412
    assert [(each.status, each.raw) for each in done] == [(204, b"")] * 2
    assert done[1].headers["Idempotent-Replayed"] == "true"
    assert "Deprecation" not in done[0].headers
    assert [(row["event"], row.get("reason")) for row in ada.log()] == [
        ("deleted", "twice by mistake"),
        ("entered", None),
    ]


@pytest.mark.parametrize(
    "blank", ["\u200b\u2060", "\u2800", "\u202e\u2066", " \u00ad\n", "\ufeff", "\U000e0041", "\u3164", "\ufff9"]
)
def test_an_invisible_reason_is_refused(world, blank):
    ada = world.tenant()
    entered = ada.enter()
    [deleted, corrected] = [delete_for(ada, entered, {"reason": blank}), ada.correct(entered, note="x", reason=blank)]
    named = ada.patch(f"users/{ada.get('users').body['items'][0]['id']}", {"displayName": blank}, version=1)

    assert [(each.status, each.body["errors"][0]["pointer"]) for each in (deleted, corrected, named)] == [
        (400, "/reason"),
        (400, "/reason"),
        (400, "/displayName"),
    ]
    assert delete_for(ada, entered, {"reason": "\u202eevil\u200b"}).status == 204


def test_a_reason_in_the_query_still_works_and_is_announced_as_deprecated(world):
    ada = world.tenant()
    entered = ada.enter()
    path = f"entries/{entered.body['id']}"
    refused, deleted = ada.delete(path, reason="why"), ada.delete(path, version=1, reason="why")

    assert [refused.status, deleted.status] == [428, 204]
    for answer in (refused, deleted):
        assert answer.headers["Deprecation"] == "@1795996800"  # 2026-11-30T00:00:00Z
        assert answer.headers["Link"] == f'</api/{path}/delete>; rel="successor-version"'


def test_only_admins_change_entries_of_others_and_other_tenants_none(world):
    ada, eve = world.tenant(), world.tenant()
    ben, chloe = world.member(ada), world.member(ada)
    entered = ben.enter()

    for other in (chloe, eve):
        assert other.correct(entered, workItemId=7).status == 404
        assert other.remove(entered).status == 404
    corrected = ada.correct(entered, workItemId=7)
    assert corrected.body["userId"] == entered.body["userId"]
    assert ada.remove(corrected).status == 204
