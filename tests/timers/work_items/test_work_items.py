"""Work items are read with the caller's token, cached for a day, and shown to people who have read them."""

import uuid

import pytest
import sqlalchemy as sa

from shared.db.schema import tenants, work_items
from tests.support.world import START
from timers.work_items import store as work_items_store


HEADER = "X-AzureDevOps-Token"
BUG, STORY, UNKNOWN = 42, 61, 4711


def look(person, number, token=None, organization="contoso"):
    headers = {} if token is None else {HEADER: token}
    return person.http.send("GET", f"work-items/{organization}/{number}", token=person.token, headers=headers)


def refresh(person, ids, token=None, organization="contoso"):
    headers = {} if token is None else {HEADER: token}
    body = {"organization": organization, "ids": ids}
    return person.http.send("POST", "work-items/refresh", body, token=person.token, headers=headers)


def run_timer(person, clock, number):
    person.start(number)
    clock.tick(minutes=5)
    person.stop()


def test_a_work_item_is_read_with_the_callers_token_and_then_cached(world, azure_devops):
    ada = world.tenant()
    unknown = look(ada, BUG)
    first = look(ada, BUG, azure_devops.token())
    known = look(ada, BUG)

    assert (unknown.status, unknown.code) == (404, "not_found")
    assert "Open it in Azure DevOps" in unknown.body["detail"]
    assert first.body == {
        "organization": "contoso",
        "id": BUG,
        "project": "Website",
        "type": "Bug",
        "title": "Checkout fails for guests",
        "assigneeName": "Ben Okafor",
        "state": "Active",
        "fetchedAt": "2026-11-23T09:00:00.000Z",
    }
    assert known.body == first.body


def test_it_is_read_again_after_a_day_and_not_before(world, clock, azure_devops):
    ada = world.tenant()
    look(ada, BUG, azure_devops.token())
    azure_devops.edit(BUG, Title="Checkout fails for everybody")
    clock.tick(days=1)
    young = look(ada, BUG, azure_devops.token())
    clock.tick(milliseconds=1)
    old = look(ada, BUG, azure_devops.token())

    assert young.body["title"] == "Checkout fails for guests"
    assert old.body["title"] == "Checkout fails for everybody"
    assert old.body["fetchedAt"] == "2026-11-24T09:00:00.001Z"


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 401}, {"cut": True}])
def test_the_cached_work_item_is_shown_when_azure_devops_does_not_respond(world, clock, azure_devops, fault):
    ada = world.tenant()
    known = look(ada, BUG, azure_devops.token())
    clock.tick(days=2)
    azure_devops.set_fault("batch", **fault)

    assert look(ada, BUG, azure_devops.token()).body == known.body


def test_colleagues_and_admins_see_only_work_items_that_they_have_read(world, clock, azure_devops):
    ada = world.tenant()
    ben = world.member(ada)
    refresh(ben, [BUG], azure_devops.token("ben"))
    run_timer(ben, clock, STORY)
    refresh(ada, [STORY], azure_devops.token())

    assert [look(ben, BUG).status, look(ben, STORY).status] == [200, 404]
    assert [look(ada, BUG).status, look(ada, STORY).status] == [404, 200]


def test_another_tenant_does_not_see_it(world, azure_devops):
    ada, bob = world.tenant(), world.tenant()
    refresh(ada, [BUG], azure_devops.token())

    assert look(bob, BUG).status == 404


def test_many_are_refreshed_and_the_missing_are_named(world, azure_devops):
    ada = world.tenant()
    answer = refresh(ada, [STORY, UNKNOWN, BUG, BUG], azure_devops.token(hidden=["Billing"]))
    hidden = refresh(ada, [74], azure_devops.token(hidden=["Billing"]))

    assert [item["id"] for item in answer.body["items"]] == [STORY, BUG]
    assert answer.body["missing"] == [UNKNOWN]
    assert hidden.body == {"items": [], "missing": [74]}


def test_an_earlier_read_does_not_overwrite_a_later_one(world, clock, azure_devops):
    ada = world.tenant()
    refresh(ada, [BUG], azure_devops.token())
    clock.tick(hours=-1)
    azure_devops.edit(BUG, Title="An older look")
    refresh(ada, [BUG], azure_devops.token())

    assert look(ada, BUG).body["title"] == "Checkout fails for guests"


def test_the_assignees_address_is_not_stored(world, engine, azure_devops):
    ada = world.tenant()
    refresh(ada, [BUG, STORY], azure_devops.token())
    with engine.connect() as connection:
        own = sa.select(tenants.c.id).where(tenants.c.entra_tenant_id == uuid.UUID(ada.tid)).scalar_subquery()
        rows = connection.execute(sa.select(work_items).where(work_items.c.tenant_id == own)).all()

    assert len(rows) == 2
    assert all("@" not in str(value) for row in rows for value in row)


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ({"status": 203, "body": "<html>Sign In</html>"}, 403, "azure_devops_sign_in_required"),
        ({"status": 302, "headers": {"Location": "https://elsewhere.example/"}}, 403, "azure_devops_sign_in_required"),
        ({"status": 401}, 403, "azure_devops_sign_in_required"),
        (
            {"status": 403, "body": "{}", "headers": {"Content-Type": "application/json"}},
            403,
            "azure_devops_forbidden",
        ),
        ({"status": 429, "headers": {"Retry-After": "7"}}, 429, "azure_devops_throttled"),
        ({"status": 500}, 503, "azure_devops_unavailable"),
        ({"cut": True}, 503, "azure_devops_unavailable"),
    ],
)
def test_each_refusal_of_azure_devops_has_its_problem(world, azure_devops, fault, status, code):
    ada = world.tenant()
    azure_devops.set_fault("batch", **fault)
    answer = refresh(ada, [BUG], azure_devops.token())

    assert (answer.status, answer.code) == (status, code)
    assert answer.headers.get("Retry-After", "none") == {429: "7", 503: "10"}.get(status, "none")


def test_without_a_token_nothing_is_read(world):
    answer = refresh(world.tenant(), [BUG])

    assert (answer.status, answer.code) == (403, "azure_devops_sign_in_required")


@pytest.mark.parametrize("organization", ["fabrikam", "contoso.evil", "contoso%2f..", "contoso@evil.example"])
def test_only_the_tenants_own_organization_is_read(world, azure_devops, organization):
    ada = world.tenant()
    before = azure_devops.hits("batch")
    answers = [
        look(ada, BUG, azure_devops.token(), organization),
        refresh(ada, [BUG], azure_devops.token(), organization),
    ]

    assert [answer.status for answer in answers] == [404, 400]
    assert azure_devops.hits("batch") == before


@pytest.mark.parametrize(
    "number", ["0", "-1", "4.2", "٤٢", "2147483648", "9" * 30, "9" * 5000, f"{1:010}{'9' * 20}", "x"]
)
def test_an_invalid_work_item_number_is_not_found_without_a_request(world, azure_devops, number):
    before = azure_devops.hits("batch")
    refused = look(world.tenant(), number, azure_devops.token())

    assert (refused.status, refused.code) == (404, "not_found")
    assert azure_devops.hits("batch") == before


@pytest.mark.parametrize("number", [1, 2**31 - 1])
def test_the_least_and_the_greatest_work_item_number_are_valid(world, azure_devops, number):
    ada = world.tenant()
    before = azure_devops.hits("batch")
    missing = look(ada, number, azure_devops.token())
    started = ada.start(number)

    assert (missing.status, missing.code, azure_devops.hits("batch") - before) == (404, "work_item_not_found", 1)
    assert (started.status, started.body["workItemId"], ada.stop().body["workItemId"]) == (201, number, number)


@pytest.mark.parametrize("number", [0, 2**31])
def test_a_work_item_number_out_of_range_is_refused_with_its_field(world, azure_devops, number):
    ada = world.tenant()
    refused = [ada.start(number), refresh(ada, [number], azure_devops.token())]

    assert [answer.status for answer in refused] == [400, 400]
    assert [answer.body["errors"][0]["pointer"] for answer in refused] == ["/workItemId", "/ids/0"]


def test_rows_stored_meanwhile_by_another_request_stay(world, engine, azure_devops):
    ada = world.tenant()
    refresh(ada, [BUG], azure_devops.token())
    with engine.begin() as tx:
        own = sa.select(work_items.c.tenant_id, work_items.c.organization_id, work_items.c.organization_key)
        of = tx.execute(own.order_by(work_items.c.id.desc()).limit(1)).mappings().one()
        seen = {"type": "Bug", "title": "From before", "assignee_name": None, "state": "New", "project": "Website"}
        work_items_store._ADD.run_all(
            tx, [{**of, "work_item_id": number, **seen, "fetched_at": START} for number in (BUG, STORY)]
        )
        titles = sa.select(work_items.c.work_item_id, work_items.c.title)
        stored = tx.execute(titles.where(work_items.c.tenant_id == of["tenant_id"])).all()

    assert sorted(stored) == [(BUG, "Checkout fails for guests"), (STORY, "From before")]
