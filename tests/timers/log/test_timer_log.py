import re
import uuid

import sqlalchemy as sa

from shared.db.schema import timer_log
from shared.instants import rfc3339
from tests.support.months import close_month
from tests.support.record_protection import unprotected_records
from tests.support.world import START, read_pages
from tests.timers.running.late import HOUR, start
from timers.forgotten.jobs import stop_all_forgotten


def test_an_invalid_cursor_is_refused_and_not_treated_as_the_last_page(world):
    ada = world.tenant()
    refused = [ada.get("timer-log", after=f"{uuid.UUID(int=7)}.stopped.1"), ada.get("timer-log", after="nonsense")]

    assert {(answer.status, answer.code) for answer in refused} == {(400, "invalid_query")}


def test_the_log_shows_every_start_and_stop_newest_first(world, clock):
    ada = world.tenant()
    for work_item in (1, 2):
        ada.start(work_item)
        clock.tick(minutes=work_item)
        ada.stop()
    rows = ada.log()

    assert [(row["event"], row["workItemId"], row.get("elapsedMs")) for row in rows] == [
        ("stopped", 2, 120_000),
        ("started", 2, None),
        ("stopped", 1, 60_000),
        ("started", 1, None),
    ]
    assert rows[0]["timerId"] == rows[1]["timerId"]


def instants_in(value):
    """All instants in a document, under any name."""
    if isinstance(value, dict):
        return [each for field in value.values() for each in instants_in(field)]
    if isinstance(value, list):
        return [each for item in value for each in instants_in(item)]
    return [value] if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value) else []


def test_versions_of_entries_have_one_spelling_and_the_former_one_is_readable(world, engine):
    ada = world.tenant()
    entry = ada.enter()
    of_entry = timer_log.c.timer_id == uuid.UUID(entry.body["id"])
    with unprotected_records(engine) as tx:
        stored = tx.execute(sa.select(timer_log.c.after_change).where(of_entry)).scalar_one()
        former = stored | {name: stored[name].replace("Z", "+00:00") for name in ("startedAt", "stoppedAt")}
        tx.execute(timer_log.update().where(of_entry).values(after_change=former))
    read = ada.log()[0]["after"]

    assert (stored["startedAt"], stored["stoppedAt"]) == ("2026-11-20T09:00:00.000Z", "2026-11-20T10:00:00.000Z")
    assert former["startedAt"] == "2026-11-20T09:00:00.000+00:00"
    assert (read["startedAt"], read["stoppedAt"]) == (stored["startedAt"], stored["stoppedAt"])


def test_every_response_and_export_spells_instants_alike(world, clock):
    ada = world.tenant()
    ada.start(switch=True, startedAt="2026-11-23T10:00:00.1239+01:00")
    clock.tick(minutes=30)
    ada.stop()
    ada.correct(ada.enter(), note="why")
    ada.post("actions", {"type": "page.open", "page": "/reports", "at": "2026-11-23T10:20:00+01:00"})
    ada.http.send("PATCH", "tenant", {"timeZone": "Asia/Tokyo"}, token=ada.token, headers={"If-Match": "*"})
    paths = ["me", "tenant", "entries", "timer-log", "audit", "actions", "users", "privacy/export?scope=tenant"]
    instants = {path: instants_in(ada.get(path).body) for path in paths}

    assert all(instants.values()), instants
    for path, texts in instants.items():
        assert {each for each in texts if not re.fullmatch(r"[0-9T:-]{19}\.\d{3}Z", each)} == set(), path


def test_the_log_is_read_page_by_page_without_gap_or_repeat(world, clock):
    ada = world.tenant()
    for work_item in range(1, 6):
        ada.start(work_item)
        clock.tick(minutes=1)
        ada.stop()
    pages, link = [], "timer-log?pageSize=4"
    while link:
        page = ada.get(link).body
        pages.append([(row["event"], row["workItemId"]) for row in page["items"]])
        link = page.get("nextLink")

    assert [len(page) for page in pages] == [4, 4, 2]
    assert [row for page in pages for row in page] == [(row["event"], row["workItemId"]) for row in ada.log()]


def test_people_see_their_own_log_and_admins_everyones(world):
    ada = world.tenant()
    ben, chloe = world.member(ada), world.member(ada)
    for person in (ben, chloe):
        person.start(7)
        person.stop()
    ben_id = ben.get("me").body["id"]

    assert {row["userId"] for row in ben.log()} == {ben_id}
    assert len({row["userId"] for row in ada.log()}) == 2
    assert {row["userId"] for row in ada.get("timer-log", user=ben_id).body["items"]} == {ben_id}
    assert chloe.get("timer-log", user=ben_id).status == 404
    assert chloe.get("timer-log", user="nonsense").status == 404


def test_the_log_has_every_version_with_its_author_and_reason(world, clock):
    ada = world.tenant()
    ben = world.member(ada)
    entered = ben.enter(note="as I remember")
    clock.tick(minutes=1)
    corrected = ada.correct(entered, stoppedAt="2026-11-20T10:30:00Z", reason="the meeting was longer")
    clock.tick(minutes=1)
    ben.remove(corrected)
    rows = ben.log()
    ada_id, ben_id = (person.get("me").body["id"] for person in (ada, ben))

    assert [(row["event"], row["entryVersion"], row["actorId"], row.get("reason")) for row in rows] == [
        ("deleted", 3, ben_id, "by mistake"),
        ("corrected", 2, ada_id, "the meeting was longer"),
        ("entered", 1, ben_id, None),
    ]
    assert {row["userId"] for row in rows} == {ben_id}
    assert rows[2]["after"] == rows[1]["before"]
    assert rows[1]["after"] == rows[0]["before"]
    assert "before" not in rows[2]
    assert "after" not in rows[0]
    assert rows[1]["before"] == {
        "organization": "contoso",
        "project": "Website",
        "workItemId": 42,
        "startedAt": "2026-11-20T09:00:00.000Z",
        "stoppedAt": "2026-11-20T10:00:00.000Z",
        "elapsedMs": 3_600_000,
        "timeZone": "UTC",
        "note": "as I remember",
        "source": "manual",
        "needsReview": False,
        "version": 1,
    }
    assert rows[1]["after"]["stoppedAt"] == "2026-11-20T10:30:00.000Z"


def test_the_log_of_one_timer_has_all_its_events(world, clock):
    ada = world.tenant()
    ada.start(7)
    clock.tick(minutes=5)
    stopped = ada.stop()
    ada.correct(stopped, workItemId=8)
    ada.enter()
    rows = ada.get("timer-log", timerId=stopped.body["id"]).body["items"]

    assert [(row["event"], row.get("entryVersion"), row["workItemId"]) for row in rows] == [
        ("corrected", 2, 8),
        ("stopped", 1, 7),
        ("started", None, 7),
    ]


def test_the_log_of_anothers_timer_is_not_found(world):
    ada, eve = world.tenant(), world.tenant()
    ben = world.member(ada)
    entry = ada.enter().body["id"]

    assert ben.get("timer-log", timerId=entry).body["items"] == []
    assert eve.get("timer-log", timerId=entry).body["items"] == []
    assert ben.get("timer-log", timerId="nonsense").status == 404


def test_many_versions_of_one_entry_are_read_page_by_page(world, clock):
    ada = world.tenant()
    entry = ada.enter()
    for minute in range(1, 6):
        clock.tick(minutes=1)
        entry = ada.correct(entry, stoppedAt=f"2026-11-20T10:0{minute}:00Z")
    versions, link = [], f"timer-log?pageSize=2&timerId={entry.body['id']}"
    while link:
        page = ada.get(link).body
        versions += [row["entryVersion"] for row in page["items"]]
        link = page.get("nextLink")

    assert versions == [6, 5, 4, 3, 2, 1]


def test_a_cursor_without_its_version_is_refused(world):
    ada = world.tenant()
    entry = ada.enter().body["id"]
    ends = [f"{entry}.entered", f"{entry}.entered.x", f"{entry}.entered.-1", f"{entry}.entered.{'9' * 30}", entry]

    assert {ada.get("timer-log", after=end).code for end in ends} == {"invalid_query"}


def test_the_log_marks_adjustments_of_a_closed_month(world, engine):
    ada = world.tenant()
    before = ada.enter("2026-10-05T09:00:00Z", "2026-10-05T10:00:00Z")
    close_month(engine, ada, 202610)
    ada.remove(before)
    deleted, entered = ada.log()

    assert deleted["isAdjustment"] is True
    assert "isAdjustment" not in entered


def late_rows(person, *, since):
    """Events of the log since an instant: author, instant, and whether they were late."""
    mine = person.get("me").body["id"]
    rows = [row for row in person.log() if row["receivedAt"] >= rfc3339(since)]
    assert {row.get("actorId") for row in rows} == {mine}
    return [(row["event"], row["workItemId"], row["happenedAt"], row.get("reportedLate")) for row in rows]


def test_the_log_has_a_correction_by_a_late_start_as_its_persons_and_as_late(world, app, clock):
    ada = world.tenant()
    ada.start(7)
    clock.tick(hours=13)
    stop_all_forgotten(app)
    clock.tick(minutes=1)
    start(ada, START + 2 * HOUR, workItemId=8)

    assert late_rows(ada, since=clock()) == [
        ("started", 8, "2026-11-23T11:00:00.000Z", True),
        ("corrected", 7, "2026-11-23T11:00:00.000Z", True),
    ]


def test_the_log_has_a_late_switch_as_its_persons_and_as_late(world, clock):
    ada = world.tenant()
    ada.start(7)
    clock.tick(hours=2)
    start(ada, START + HOUR, workItemId=8, switch=True)

    assert late_rows(ada, since=clock()) == [
        ("started", 8, "2026-11-23T10:00:00.000Z", True),
        ("stopped", 7, "2026-11-23T10:00:00.000Z", True),
    ]


def test_the_log_has_a_late_start_and_its_inferred_end_as_its_persons_and_as_late(world, clock):
    ada = world.tenant()
    clock.tick(hours=2)
    ada.start(8)
    clock.tick(minutes=1)
    start(ada, START + HOUR, workItemId=7)

    assert late_rows(ada, since=clock()) == [
        ("stopped", 7, "2026-11-23T11:00:00.000Z", True),
        ("started", 7, "2026-11-23T10:00:00.000Z", True),
    ]


def test_an_auditor_reads_the_events_of_a_month_in_the_tenants_time_zone(world, clock):
    ada = world.tenant("Europe/Berlin")
    for number, at in enumerate(("10-31T22:59:59.999", "10-31T23:00:00", "11-30T22:59:59.999", "11-30T23:00:00"), 1):
        clock.set(f"2026-{at}Z")
        ada.start(number, switch=True)
    november = read_pages(ada, "timer-log?from=2026-11-01&to=2026-11-30&pageSize=1")
    later = ada.get("timer-log", **{"from": "2026-12-01"}).body["items"]

    assert [(row["event"], row["workItemId"]) for row in november] == [
        ("started", 3),
        ("stopped", 2),
        ("started", 2),
        ("stopped", 1),
    ]
    assert [(row["event"], row["workItemId"]) for row in later] == [("started", 4), ("stopped", 3)]
    assert [row["workItemId"] for row in ada.get("timer-log", to="2026-10-31").body["items"]] == [1]


def test_the_log_is_filtered_by_event_person_and_days_at_once_and_pages_keep_the_filters(world, clock):
    ada = world.tenant()
    ben = world.member(ada)
    for person in (ada, ben):
        for day in range(10, 15):
            clock.set(f"2026-11-{day}T18:00:00Z")
            entry = person.enter(f"2026-11-{day}T09:00:00Z", f"2026-11-{day}T10:00:00Z")
            person.correct(entry, workItemId=day)
            person.start(day)
            person.stop()
    bens = ben.get("me").body["id"]
    query = f"user={bens}&event=corrected&from=2026-11-11&to=2026-11-13&pageSize=1"
    corrected = read_pages(ada, f"timer-log?{query}")
    stopped = read_pages(ada, "timer-log?event=stopped&pageSize=3")

    assert [(row["event"], row["userId"], row["workItemId"]) for row in corrected] == [
        ("corrected", bens, day) for day in (13, 12, 11)
    ]
    assert [row["event"] for row in stopped] == ["stopped"] * 10
    assert [row["workItemId"] for row in read_pages(ben, f"timer-log?{query}")] == [13, 12, 11]


def test_every_filter_of_the_log_finds_the_rows_that_match_it(world, clock):
    ada = world.tenant()
    entry = ada.enter()
    for minute in (1, 2):
        clock.tick(days=1)
        entry = ada.correct(entry, stoppedAt=f"2026-11-20T10:0{minute}:00Z")
    ada.start()
    ada.delete("timers/running")
    ada.remove(entry)
    rows = ada.log()
    kinds = {row["event"] for row in rows}
    of_entry = ada.get("timer-log", timerId=entry.body["id"], event="corrected", **{"from": "2026-11-25"})

    assert kinds == {"entered", "corrected", "started", "discarded", "deleted"}
    for kind in kinds:
        assert ada.get("timer-log", event=kind).body["items"] == [row for row in rows if row["event"] == kind]
    assert [row["entryVersion"] for row in of_entry.body["items"]] == [3]
    assert ada.get("timer-log", event="confirmed").body["items"] == []


def test_a_wrong_filter_of_the_log_is_named(world):
    ada = world.tenant()
    wrong = [
        ("event", {"event": "vanished"}),
        ("to", {"from": "2026-11-02", "to": "2026-11-01"}),
        ("from", {"from": "November"}),
    ]
    for name, params in wrong:
        refused = ada.get("timer-log", **params)

        assert (refused.status, [error["pointer"] for error in refused.body["errors"]]) == (400, [name])


def test_the_log_names_people_and_hides_the_name_of_one_whose_processing_is_stopped(world, record_statements):
    ada = world.tenant()
    ben, chloe = world.member(ada, name="Ben Baker"), world.member(ada, name="Chloe Cook")
    entry = chloe.enter()
    admin_id = ben.get("me").body["id"]
    ada.patch(f"users/{admin_id}", {"role": "admin"})
    corrected = ben.correct(entry, workItemId=7)
    with record_statements() as sent:
        row = ada.log()[0]
    people = (row["user"]["displayName"], row["actor"]["displayName"])
    restricted = ben.patch("privacy", {"restricted": True})
    hidden = ada.log()[0]

    assert corrected.status == 200
    assert people == ("Chloe Cook", "Ben Baker")
    assert (row["user"]["id"], row["actor"]["id"]) == (row["userId"], row["actorId"])
    assert len(sent) == 2, sent  # caller, events
    assert restricted.status == 200, restricted.raw
    assert hidden["actor"] == {"id": admin_id}
    assert hidden["user"]["displayName"] == "Chloe Cook"


def test_the_events_of_a_timer_are_in_the_order_of_the_record_when_the_clock_was_set_back(world, clock):
    ada = world.tenant()
    ada.start(7)
    clock.tick(seconds=-30)
    timer = ada.stop().body["id"]
    of_timer = read_pages(ada, f"timer-log?timerId={timer}&from=2026-11-23&to=2026-11-23&pageSize=1")
    everything = read_pages(ada, "timer-log?pageSize=1")

    assert [row["event"] for row in of_timer] == ["stopped", "started"]
    assert sorted(row["event"] for row in everything) == ["started", "stopped"]
