import pytest
import sqlalchemy as sa

from shared.db.schema import audit_log
from tests.support.months import close_month
from tests.support.world import WORK_ITEM
from timers.forgotten.jobs import stop_all_forgotten


HOUR = 3_600_000


def ids(entries):
    return [entry["id"] for entry in entries]


def pages(person, link):
    """The items of each page."""
    read = []
    while link:
        page = person.get(link).body
        read.append(page["items"])
        link = page.get("nextLink")
    return read


def test_an_entry_is_added_by_hand(world):
    ada = world.tenant()
    entered = ada.enter(note="at the customer's")
    body = entered.body

    assert (entered.status, entered.headers["ETag"]) == (201, '"1"')
    assert body == {
        "id": body["id"],
        "userId": ada.get("me").body["id"],
        **WORK_ITEM,
        "startedAt": "2026-11-20T09:00:00.000Z",
        "stoppedAt": "2026-11-20T10:00:00.000Z",
        "elapsedMs": HOUR,
        "note": "at the customer's",
        "source": "manual",
        "needsReview": False,
        "version": 1,
        "days": [{"date": "2026-11-20", "elapsedMs": HOUR}],
    }
    assert ada.get(f"entries/{body['id']}").body == body
    assert ada.entries() == [{**body, "user": {"id": body["userId"], "displayName": ada.name}}]
    assert ada.report().body["totalMs"] == HOUR


def test_a_time_may_have_any_offset_and_is_cut_to_the_millisecond(world):
    ada = world.tenant()
    body = ada.enter("2026-11-20T09:00:00.1239+05:30", "2026-11-20T09:00:00-03:00").body

    assert (body["startedAt"], body["stoppedAt"]) == ("2026-11-20T03:30:00.123Z", "2026-11-20T12:00:00.000Z")


WRONG_TIMES = [
    ("2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z", "/stoppedAt"),
    ("2026-11-20T10:00:00Z", "2026-11-20T09:00:00Z", "/stoppedAt"),
    ("2026-11-20T10:00:00Z", "2026-11-21T10:00:00.001Z", "/stoppedAt"),
    ("2026-11-23T08:00:00Z", "2026-11-23T09:02:00.001Z", "/stoppedAt"),
    ("2026-11-23T10:00:00Z", "2026-11-23T08:00:00Z", "/startedAt"),
]


@pytest.mark.parametrize(("started_at", "stopped_at", "pointer"), WRONG_TIMES)
def test_impossible_times_are_refused_and_named(world, started_at, stopped_at, pointer):
    ada = world.tenant()
    refused = ada.enter(started_at, stopped_at)

    assert (refused.status, refused.code) == (400, "invalid_times")
    assert pointer in {error["pointer"] for error in refused.body["errors"]}
    assert ada.entries() == []


@pytest.mark.parametrize(
    "given",
    [
        "2026-11-20T09:00:00",
        "2026-11-20",
        "1763888400",
        "2026-11-20 09:00:00Z",
        "2026-02-30T09:00:00Z",
        "1999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2026-11-20T09:00:00+99:00",
        1763888400,
    ],
)
def test_an_invalid_time_is_refused_with_its_field(world, given):
    ada = world.tenant()
    refused = ada.enter(started_at=given)

    assert (refused.status, refused.code) == (400, "invalid_body")
    assert refused.body["errors"][0]["pointer"] == "/startedAt"


def test_an_entry_of_24_hours_is_accepted(world):
    assert world.tenant().enter("2026-11-20T10:00:00Z", "2026-11-21T10:00:00Z").body["elapsedMs"] == 24 * HOUR


def test_an_end_two_minutes_ahead_counts_as_now(world):
    ahead = world.tenant().enter("2026-11-23T08:00:00Z", "2026-11-23T09:02:00Z")

    assert (ahead.status, ahead.body["stoppedAt"]) == (201, "2026-11-23T09:00:00.000Z")


def test_after_the_trial_nothing_is_added_but_entries_may_be_corrected(world, clock):
    ada = world.tenant()
    entered, other = ada.enter(), ada.enter()
    clock.tick(days=30)
    refused = ada.enter()

    assert (refused.status, refused.code) == (402, "trial_expired")
    assert ada.correct(entered, workItemId=7).status == 200
    assert ada.remove(other).status == 204


def test_the_organization_of_an_entry_must_be_the_tenants(world):
    ada = world.tenant()
    refused = ada.enter(organization="fabrikam")

    assert (refused.status, refused.code) == (400, "wrong_organization")
    assert refused.body["errors"][0]["pointer"] == "/organization"
    assert ada.enter(organization="CONTOSO").body["organization"] == "contoso"


def test_an_entry_sent_twice_with_one_key_is_added_once(world, clock):
    ada = world.tenant()
    first = ada.enter(key="entry-1")
    clock.tick(minutes=1)
    again = ada.enter(key="entry-1")

    assert (again.status, again.raw) == (201, first.raw)
    assert (again.headers["ETag"], again.headers["Idempotent-Replayed"]) == ('"1"', "true")
    assert len(ada.entries()) == 1


def test_overlapping_entries_name_each_other_and_adjacent_ones_do_not(world):
    ada = world.tenant()
    ben = world.member(ada)
    first = ada.enter("2026-11-20T09:00:00Z", "2026-11-20T10:00:00Z").body
    touching = ada.enter("2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z").body
    across = ada.enter("2026-11-20T09:30:00Z", "2026-11-20T10:30:00Z").body
    bens = ben.enter("2026-11-20T09:30:00Z", "2026-11-20T10:30:00Z").body
    listed = {entry["id"]: entry.get("overlapsWith") for entry in ada.entries()}

    assert "overlapsWith" not in first | touching | bens
    assert across["overlapsWith"] == [first["id"], touching["id"]]
    assert listed == {
        first["id"]: [across["id"]],
        touching["id"]: [across["id"]],
        across["id"]: [first["id"], touching["id"]],
        bens["id"]: None,
    }
    assert ada.get(f"entries/{first['id']}").body["overlapsWith"] == [across["id"]]
    assert ada.report().body["totalMs"] == 4 * HOUR


def test_a_page_names_overlapping_entries_of_other_pages(world):
    ada = world.tenant()
    long = ada.enter("2026-11-20T00:00:00Z", "2026-11-20T12:00:00Z").body["id"]
    short = ada.enter("2026-11-20T09:00:00Z", "2026-11-20T10:00:00Z").body["id"]
    listed = [items[0] for items in pages(ada, "entries?pageSize=1")]

    assert [(item["id"], item["overlapsWith"]) for item in listed] == [(short, [long]), (long, [short])]


def test_a_stop_and_a_switch_show_overlaps(world, clock):
    ada = world.tenant()
    ada.start(7)
    clock.tick(minutes=30)
    by_hand = ada.enter("2026-11-23T09:10:00Z", "2026-11-23T09:20:00Z").body["id"]
    switched = ada.start(8, switch=True).body["stopped"]
    clock.tick(minutes=30)
    later = ada.enter("2026-11-23T09:40:00Z", "2026-11-23T09:50:00Z").body["id"]

    assert switched["overlapsWith"] == [by_hand]
    assert ada.stop().body["overlapsWith"] == [later]


def test_people_see_their_own_entries_and_admins_everyones(world):
    ada = world.tenant()
    ben, chloe = world.member(ada), world.member(ada)
    bens, chloes = ben.enter().body, chloe.enter().body
    ben_id = bens["userId"]

    assert ids(ben.entries()) == [bens["id"]]
    assert {(entry["id"], entry["userId"]) for entry in ada.entries()} == {
        (bens["id"], ben_id),
        (chloes["id"], chloes["userId"]),
    }
    assert ids(ada.entries(user=ben_id)) == ids(ben.entries(user=ben_id)) == [bens["id"]]
    assert ada.get(f"entries/{bens['id']}").body == bens
    assert chloe.get("entries", user=ben_id).status == 404
    assert ada.get("entries", user="nonsense").status == 404
    assert chloe.get(f"entries/{bens['id']}").status == 404
    assert world.tenant().get(f"entries/{bens['id']}").status == 404
    assert ada.get("entries/nonsense").status == 404


def test_an_admin_adds_time_for_another_person_and_it_is_audited(world, engine):
    ada = world.tenant()
    ben = world.member(ada)
    ben_id = ben.get("me").body["id"]
    entered = ada.enter(userId=ben_id, note="a secret of Ben's")
    corrected = ada.correct(entered, note="another secret", reason="a private reason")
    ada.remove(corrected)
    ada.enter()
    rows = [row for row in ada.get("audit").body["items"] if row["action"].startswith("entry.")]
    with engine.connect() as tx:
        texts = [str(tuple(row)) for row in tx.execute(sa.select(audit_log))]

    assert entered.body["userId"] == ben_id
    assert [(row["action"], row["subjectUserId"], row["after"]) for row in rows] == [
        (action, ben_id, {"entryId": entered.body["id"], "version": version, "isAdjustment": False})
        for action, version in (("entry.deleted", 2), ("entry.corrected", 2), ("entry.added", 1))
    ]
    assert not [text for text in texts if "secret" in text or "private" in text]


def test_an_admins_change_in_a_closed_month_is_audited_as_an_adjustment(world, engine):
    ada = world.tenant()
    ben_id = world.member(ada).get("me").body["id"]
    close_month(engine, ada, 202610)
    entered = ada.enter("2026-10-05T09:00:00Z", "2026-10-05T10:00:00Z", userId=ben_id)
    ada.remove(ada.correct(entered, stoppedAt="2026-10-05T11:00:00Z"))
    rows = [row for row in ada.get("audit").body["items"] if row["action"].startswith("entry.")]

    assert [(row["action"], row["after"]["isAdjustment"]) for row in rows] == [
        ("entry.deleted", True),
        ("entry.corrected", True),
        ("entry.added", True),
    ]


def test_only_an_admin_adds_time_for_another_person(world):
    ada, eve = world.tenant(), world.tenant()
    ben = world.member(ada)
    ada_id, ben_id, eve_id = (person.get("me").body["id"] for person in (ada, ben, eve))

    assert ben.enter(userId=ada_id).status == 404
    assert ada.enter(userId=eve_id).status == 404
    assert ada.enter(userId="nonsense").status == 404
    assert ben.enter(userId=ben_id).status == 201
    assert len(ada.entries()) == 1


def test_entries_are_filtered_by_project_and_work_item(world):
    ada = world.tenant()
    website, billing = ada.enter(workItemId=1).body["id"], ada.enter(project="Billing", workItemId=2).body["id"]

    assert ids(ada.entries(project="bILLING")) == [billing]
    assert ids(ada.entries(project="WEBSITE", workItemId="1")) == [website]
    assert ada.entries(project="Website", workItemId="2") == []
    assert ada.entries(project="Nowhere") == []
    assert ids(ada.entries(workItemId="1,2")) == ids(ada.entries(workItemId="2,1,2,3")) == ids(ada.entries())
    assert ids(ada.entries(workItemId="2,3")) == [billing]
    for wrong in ("0", "1,", ",1", "1,x", "1, 2", "2147483648", "+1", "1.0", "\N{ARABIC-INDIC DIGIT ONE}"):
        assert ada.get("entries", workItemId=wrong).code == "invalid_query"
    assert ada.entries(workItemId=",".join(map(str, range(10, 60)))) == []
    assert ada.get("entries", workItemId=",".join(map(str, range(10, 61)))).status == 400


def test_entries_are_filtered_by_the_need_of_a_review(world, clock):
    ada = world.tenant()
    ada.start(7)
    clock.tick(seconds=-30)
    odd = ada.stop().body["id"]
    right = ada.enter().body["id"]

    assert ids(ada.entries(needsReview="true")) == [odd]
    assert ids(ada.entries(needsReview="false")) == [right]
    assert ids(ada.post("sign-in").body["needsReview"]) == [odd]


def test_a_range_of_days_has_the_entries_of_the_report_of_those_days(world, clock):
    ada = world.tenant("Asia/Kolkata")
    clock.set("2026-11-01T09:00:00+00:00")
    ada.start(1)
    clock.tick(days=6)
    week = ada.stop().body["id"]
    clock.tick(days=16)
    night = ada.enter("2026-11-10T17:30:00Z", "2026-11-10T19:30:00Z").body["id"]  # around midnight in Kolkata
    day = ada.enter("2026-11-12T04:00:00Z", "2026-11-12T05:00:00Z").body["id"]

    def between(first, last):
        return ids(ada.entries(**{"from": first, "to": last}))

    assert between("2026-11-04", "2026-11-05") == [week]
    assert between("2026-11-07", "2026-11-10") == [night, week]
    assert between("2026-11-08", "2026-11-10") == [night]
    assert between("2026-11-11", "2026-11-11") == [night]
    assert between("2026-11-12", "2026-11-12") == [day]
    assert between("2026-11-13", "2026-11-30") == []
    assert between("2026-10-01", "2026-10-31") == []
    assert between("2026-01-01", "2027-01-01") == [day, night, week]


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2026-11-02", "2026-11-01"),
        ("2026-01-01", "2027-01-02"),
        ("2026-11-01", None),
        (None, "2026-11-01"),
        ("2026-11-01", "1763888400"),
        ("2026-11-01", "2026-11-31"),
    ],
)
def test_an_impossible_range_is_refused(world, first, last):
    ada = world.tenant()
    given = {name: value for name, value in (("from", first), ("to", last)) if value is not None}
    refused = ada.get("entries", **given)

    assert (refused.status, refused.code) == (400, "invalid_query")
    assert refused.body["errors"][0]["pointer"] == "to"


def test_pages_have_no_gap_and_no_repeat_while_entries_are_added_and_deleted(world):
    ada = world.tenant()
    there = [ada.enter(f"2026-11-{day}T09:00:00Z", f"2026-11-{day}T10:00:00Z") for day in range(18, 10, -1)]
    seen, link = [], "entries?pageSize=3"
    while link:
        page = ada.get(link).body
        seen += ids(page["items"])
        link = page.get("nextLink")
        ada.enter("2026-11-19T09:00:00Z", "2026-11-19T10:00:00Z")
        last = next(each for each in there if each.body["id"] == seen[-1])
        ada.remove(last)  # the next page follows a deleted entry

    assert seen == [each.body["id"] for each in there]


def test_pages_of_entries_with_equal_starts_have_no_gap_and_no_repeat(world):
    ada = world.tenant()
    there = [ada.enter(workItemId=number).body["id"] for number in range(1, 8)]
    read = pages(ada, "entries?pageSize=2")

    assert [len(items) for items in read] == [2, 2, 2, 1]
    assert [each for items in read for each in ids(items)] == sorted(there, reverse=True)


def test_the_next_page_follows_a_deleted_entry_among_equal_starts(world):
    ada = world.tenant()
    there = {each.body["id"]: each for each in (ada.enter(workItemId=number) for number in range(801, 807))}
    seen, link = [], "entries?pageSize=2"
    while link:
        page = ada.get(link).body
        seen += ids(page["items"])
        link = page.get("nextLink")
        assert ada.remove(there[seen[-1]]).status == 204

    assert sorted(seen) == sorted(there)
    assert len(seen) == len(there)


def test_a_page_of_deleted_entries_is_empty(world):
    ada = world.tenant()
    first, last = (ada.enter(f"2026-11-{day}T09:00:00Z", f"2026-11-{day}T10:00:00Z") for day in (20, 19))
    link = ada.get("entries?pageSize=1").body["nextLink"]
    ada.remove(last)
    page = ada.get(link)

    assert first.status == 201
    assert (page.status, page.body) == (200, {"items": []})


def test_the_next_page_keeps_every_filter(world):
    ada = world.tenant()
    ben = world.member(ada)
    matching = [ben.enter(workItemId=7).body for _ in range(3)]
    for other in (ada.enter(workItemId=7), ben.enter(workItemId=8), ben.enter(workItemId=7, project="Billing")):
        assert other.status == 201
    ben.enter("2026-11-19T09:00:00Z", "2026-11-19T10:00:00Z", workItemId=7)
    query = (
        f"user={matching[0]['userId']}&project=website&workItemId=7,9&from=2026-11-20&to=2026-11-20&needsReview=false"
    )
    read = pages(ada, f"entries?pageSize=1&{query}")

    assert [each for items in read for each in ids(items)] == sorted([entry["id"] for entry in matching], reverse=True)


@pytest.mark.parametrize("needs_review", ["true", "false"])
def test_the_next_page_keeps_the_review_filter(world, clock, needs_review):
    ada = world.tenant()
    entries: dict[str, list[str]] = {"true": [], "false": []}
    for number in range(6):
        ada.start(7)
        clock.tick(seconds=(-30, 30)[number % 2])
        entries[("true", "false")[number % 2]].append(ada.stop().body["id"])
        clock.tick(minutes=1)
    read = pages(ada, f"entries?pageSize=1&needsReview={needs_review}")

    assert [ids(items) for items in read] == [[each] for each in entries[needs_review][::-1]]


def test_an_invalid_cursor_is_refused(world):
    ada = world.tenant()
    entry = ada.enter().body["id"]
    ends = ["nonsense", entry, f"{entry}.", f"{entry}.yesterday", f"{entry}.2020-01-01"]

    assert {ada.get("entries", after=end).code for end in ends} == {"invalid_query"}


def test_entries_are_filtered_by_their_source_and_pages_keep_the_filter(world, app, clock):
    ada = world.tenant()
    manual = [ada.enter(f"2026-11-{day}T09:00:00Z", f"2026-11-{day}T10:00:00Z").body["id"] for day in (18, 19)]
    ada.start(7)
    clock.tick(minutes=1)
    timed = ada.stop().body["id"]
    ada.start(8)
    clock.tick(hours=13)
    stop_all_forgotten(app)
    found = {
        source: [each for items in pages(ada, f"entries?source={source}&pageSize=1") for each in ids(items)]
        for source in ("manual", "timer", "autoStopped")
    }

    assert found["manual"] == manual[::-1]
    assert found["timer"] == [timed]
    assert len(found["autoStopped"]) == 1
    assert ada.get("entries", source="guess").body["errors"][0]["pointer"] == "source"
