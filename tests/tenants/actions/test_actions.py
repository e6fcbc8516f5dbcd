import dataclasses
import threading

import pytest
import urllib3

from shared.app import use
from shared.tenancy.store import find_caller
from tenants.actions import log as action_log
from tests.support.world import Http


ACTION = {"type": "page.open", "page": "/reports/month"}


# For tests that write or read the log; refused requests reach neither implementation.
by_each_keeper = pytest.mark.parametrize("app", ["sql", "tables"], indirect=True)


@pytest.fixture
def app(app, request):
    """The App with its log in SQL, unless a test chooses another implementation."""
    if getattr(request, "param", "sql") == "sql":
        yield app
        return
    with use(keeping_at(app, request.getfixturevalue("azurite").connection_string)) as other:
        yield other


@pytest.fixture
def admin(world):
    return world.tenant()


def keeping_at(app, endpoint):
    settings = app.settings.model_copy(update={"action_log_table_endpoint": endpoint})
    return dataclasses.replace(app, settings=settings)


def list_actions(person, **params):
    answer = person.get("actions", **params)
    assert answer.status == 200, answer.raw
    return answer.body["items"]


def record(person, *pages: str, key=None):
    items = [{"type": "page.open", "page": page} for page in pages]
    answer = person.post("actions", {"items": items}, key=key)
    assert answer.status == 202, answer.raw
    return answer.body


@by_each_keeper
def test_one_action_is_recorded(admin, world):
    member = world.member(admin)
    answer = member.post("actions", ACTION)

    assert (answer.status, answer.body) == (202, {"accepted": 1, "dropped": 0})
    me = member.get("me").body
    user = {"id": me["id"], "displayName": me["displayName"]}
    assert list_actions(admin) == [{"userId": me["id"], "user": user, **ACTION, "at": "2026-11-23T09:00:00.000Z"}]


@by_each_keeper
def test_fifty_at_once_are_recorded_in_order(admin):
    assert record(admin, *(f"/{number}" for number in range(50))) == {"accepted": 50, "dropped": 0}
    assert [item["page"] for item in list_actions(admin)] == [f"/{number}" for number in reversed(range(50))]


@pytest.mark.parametrize("count", [0, 51])
def test_none_and_more_than_fifty_are_refused(admin, count):
    answer = admin.post("actions", {"items": [ACTION] * count})

    assert (answer.status, answer.code) == (400, "invalid_body")
    assert [error["pointer"] for error in answer.body["errors"]] == ["/items"]
    assert list_actions(admin) == []


@by_each_keeper
def test_the_newest_comes_first_page_by_page_across_a_month(admin, world, clock):
    clock.set("2026-10-31T22:00:00Z")
    admin = world.tenant()
    members = [admin, world.member(admin), world.member(admin)]
    for hour in range(5):
        for number, person in enumerate(members):
            record(person, f"/{hour}/{number}/a", f"/{hour}/{number}/b")
        clock.tick(hours=1)
    answer, found = admin.get("actions", pageSize="7"), []
    while True:
        found.append([item["page"] for item in answer.body["items"]])
        if "nextLink" not in answer.body:
            break
        answer = admin.http.send("GET", answer.body["nextLink"], token=admin.token)
    pages = [page for each in found for page in each]

    assert [len(each) for each in found] == [7, 7, 7, 7, 2]
    assert len(set(pages)) == 30
    assert [page[:3] for page in pages] == [f"/{hour}/" for hour in (4, 3, 2, 1, 0) for _ in range(6)]


@by_each_keeper
def test_one_persons_actions_are_found_by_their_id(admin, world):
    bob = world.member(admin)
    bob_id = bob.get("me").body["id"]
    for number in range(3):
        record(admin, f"/admin/{number}")
        record(bob, f"/bob/{number}")
    first = admin.get("actions", user=bob_id, pageSize="2").body
    second = admin.http.send("GET", first["nextLink"], token=admin.token).body

    assert {item["page"] for item in first["items"] + second["items"]} == {"/bob/0", "/bob/1", "/bob/2"}
    assert "nextLink" not in second


@by_each_keeper
def test_actions_are_filtered_by_days_of_the_tenants_time_zone(world, clock):
    admin = world.tenant("Europe/Berlin")
    for day, at in enumerate(("10-31T22:59:59.999", "10-31T23:00:00", "11-01T22:59:59.999", "11-01T23:00:00")):
        clock.set(f"2026-{at}Z")
        record(admin, f"/{day}/first", f"/{day}/second")
    pages: list[str] = []
    link: str | None = "actions?from=2026-11-01&to=2026-11-01&pageSize=1"
    while link is not None:
        answer = admin.get(link).body
        pages += [item["page"] for item in answer["items"]]
        link = answer.get("nextLink")

    assert pages == ["/2/second", "/2/first", "/1/second", "/1/first"]
    assert [item["page"] for item in list_actions(admin, **{"from": "2026-11-02"})] == ["/3/second", "/3/first"]
    assert [item["page"] for item in list_actions(admin, to="2026-10-31")] == ["/0/second", "/0/first"]
    assert list_actions(admin, **{"from": "2026-11-03"}) == []

    refused = admin.get("actions", **{"from": "2026-11-02", "to": "2026-11-01"})
    assert (refused.status, refused.body["errors"][0]["pointer"]) == (400, "to")


@pytest.mark.parametrize("user", ["nobody", "7d9ac0a5-93a3-4c5f-9b4d-0d6a2f0f8f11"])
def test_an_unknown_person_is_not_found(admin, user):
    assert admin.get("actions", user=user).status == 404


@by_each_keeper
def test_people_and_cursors_of_another_tenant_are_refused(admin, world):
    stranger = world.tenant()
    record(stranger, "/1", "/2", "/3")
    link = stranger.get("actions", pageSize="1").body["nextLink"]

    assert list_actions(admin) == []
    assert admin.get("actions", user=stranger.get("me").body["id"]).status == 404
    assert admin.http.send("GET", link, token=admin.token).code == "invalid_query"


@pytest.mark.parametrize("after", ["x", "1", "A" * 38, "_" * 38, "%00"])
def test_an_invented_cursor_is_refused(admin, after):
    answer = admin.get("actions", after=after)

    assert (answer.status, answer.code) == (400, "invalid_query")


@by_each_keeper
def test_the_link_to_the_next_page_has_no_row_ids(admin, app):
    record(admin, "/1", "/2")
    link = admin.get("actions", pageSize="1").body["nextLink"]
    with app.transaction(reads_only=True) as tx:
        caller = find_caller(tx, tid=admin.tid, oid=admin.oid, lock=False)
    assert caller is not None
    stored = action_log.of(app).page(caller.tenant.id, action_log.LogQuery(limit=1))[0]

    assert f"_{caller.user.id}_" in stored.row_key
    assert stored.row_key not in link
    assert set(admin.get("actions").body["items"][0]) == {"userId", "user", "type", "page", "at"}


def test_users_record_actions_and_do_not_list_them(admin, world):
    member = world.member(admin)
    answer = member.get("actions")

    assert record(member, "/x")["accepted"] == 1
    assert (answer.status, answer.code) == (403, "role_required")


@by_each_keeper
@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("2026-11-23T08:59:59.9994Z", "2026-11-23T08:59:59.999Z"),
        ("2026-11-22T09:00:00Z", "2026-11-22T09:00:00.000Z"),
        ("2026-11-23T10:30:00.5+02:00", "2026-11-23T08:30:00.500Z"),
        ("2026-11-23T09:02:00Z", "2026-11-23T09:00:00.000Z"),
    ],
)
def test_an_action_may_be_a_day_old_and_a_fast_clock_counts_as_now(admin, said, kept):
    assert admin.post("actions", {**ACTION, "at": said}).status == 202
    assert [item["at"] for item in list_actions(admin)] == [kept]


@pytest.mark.parametrize(
    "said",
    [
        "2026-11-22T08:59:59.999Z",
        "2026-11-23T09:02:00.001Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59.999-14:00",
        "2026-11-23T08:00:00",
        "2026-11-23",
        "2026-13-01T00:00:00Z",
        "now",
        1_795_424_400,
    ],
)
def test_one_time_too_old_in_the_future_or_without_offset_refuses_all(admin, said):
    answer = admin.post("actions", {"items": [ACTION, {**ACTION, "at": said}]})

    assert (answer.status, answer.code) == (400, "invalid_body")
    assert [error["pointer"] for error in answer.body["errors"]] == ["/items/1/at"]
    assert list_actions(admin) == []


@pytest.mark.parametrize(
    "page",
    [
        "https://dev.azure.com/contoso",
        "//dev.azure.com/contoso",
        "dev.azure.com/contoso",
        "/reports?user=ada",
        "/reports#ada",
        "/people/ada@contoso.example",
        "/people/ada%40contoso.example",
        "/people/ada%2540contoso.example",
        "/x%3Fuser=ada",
        "/x//y",
        "/x%2F%2Fy",
        "/a b",
        "/a\\b",
        "/a\n",
        "/%0a",
        "/%zz",
        "/mailto:ada",
        "/é",
        "",
        "/" + "a" * 200,
    ],
)
def test_a_page_that_might_name_somebody_is_refused(admin, page):
    answer = admin.post("actions", {**ACTION, "page": page})

    assert (answer.status, answer.code) == (400, "invalid_body")
    assert [error["pointer"] for error in answer.body["errors"]] == ["/page"]


@pytest.mark.parametrize("page", ["/", "/timer", "/reports/month", "/My%20Project/_workitems/42", "/" + "a" * 199])
def test_a_path_is_accepted(admin, page):
    record(admin, page)

    assert [item["page"] for item in list_actions(admin)] == [page]


@pytest.mark.parametrize("kind", ["", "Timer", "1", "timer start", "ada@contoso.example", "a" * 65, "timer\n", 5])
def test_a_type_is_a_short_plain_word(admin, kind):
    assert admin.post("actions", {**ACTION, "type": kind}).code == "invalid_body"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": "x"},
        {"page": "/x"},
        {"items": [ACTION], **ACTION},
        {"items": [ACTION], "at": "2026-11-23T09:00:00Z"},
    ],
)
def test_a_body_is_either_one_action_or_items(admin, body):
    answer = admin.post("actions", body)

    assert (answer.status, answer.code) == (400, "invalid_body")


def test_no_body_at_all_is_refused(admin):
    assert admin.post("actions", b"").code in {"invalid_body", "unsupported_media_type"}


@by_each_keeper
def test_a_repeat_with_the_same_key_is_recorded_once_with_the_same_response(admin, clock):
    first = admin.post("actions", ACTION, key="k-1")
    clock.tick(minutes=5)
    second = admin.post("actions", ACTION, key="k-1")
    other = admin.post("actions", {**ACTION, "page": "/other"}, key="k-1")

    assert (second.status, second.raw) == (first.status, first.raw)
    assert second.headers["Idempotent-Replayed"] == "true"
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    assert len(list_actions(admin)) == 1


@by_each_keeper
def test_concurrent_requests_with_one_key_are_recorded_once(admin, host):
    answers = []

    def send():
        with urllib3.PoolManager() as pool:
            sent = Http(host, pool).send("POST", "actions", ACTION, token=admin.token, key="k-2")
            answers.append((sent.status, sent.raw))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(answers) == {(202, b'{"accepted":1,"dropped":0}')}
    assert len(answers) == 8
    assert len(list_actions(admin)) == 1


@by_each_keeper
def test_without_a_key_the_same_action_twice_is_two(admin):
    record(admin, "/x")
    record(admin, "/x")

    assert len(list_actions(admin)) == 2


@by_each_keeper
def test_actions_are_filtered_by_type_with_their_persons_name(admin, world):
    bob = world.member(admin, name="Bob Builder")
    for person in (admin, bob):
        person.post("actions", {"items": [{"type": kind, "page": "/hub"} for kind in ("page.open", "timer.start")]})
    started = list_actions(admin, type="timer.start")

    assert {item["type"] for item in started} == {"timer.start"}
    assert {item["user"]["displayName"] for item in started} == {admin.name, "Bob Builder"}
    assert [item["user"]["id"] == item["userId"] for item in started] == [True, True]
    assert list_actions(admin, type="no.such.type") == []
    assert admin.get("actions", type="No Type").code == "invalid_query"


def test_a_page_of_actions_takes_as_many_statements_however_many_people_it_names(admin, world, record_statements):
    for person in (admin, *(world.member(admin) for _ in range(4))):
        record(person, "/hub")
    with record_statements() as sent:
        found = list_actions(admin)

    assert len({item["userId"] for item in found}) == 5
    assert len(sent) == 4, sent  # caller; actions; caller, their people
