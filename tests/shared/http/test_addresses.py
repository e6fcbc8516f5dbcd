"""Links in responses: absolute where the app knows its address, and never built from a client's Host."""

import pytest

from shared.app import use
from tests.support.landing import with_settings


PUBLIC = "https://time.example.com"


def send(person, method, path, body=None, **headers):
    return person.http.send(method, path, body, token=person.token, headers=headers)


def test_a_created_resource_has_its_address(world):
    ada = world.person()
    created = [
        ada.post("tenants", {"name": "Contoso", "azureDevOpsOrganization": "contoso", "timeZone": "Europe/Berlin"}),
        ada.start(),
        ada.enter(),
    ]
    found = [ada.get(each.headers["Location"]) for each in created]
    base = ada.http.base

    assert [each.status for each in created] == [201, 201, 201]
    assert [each.headers["Location"] for each in created] == [
        f"{base}/api/tenant",
        f"{base}/api/timers/running",
        f"{base}/api/entries/{created[2].body['id']}",
    ]
    assert [each.status for each in found] == [200, 200, 200]
    assert [each.body["id"] for each in found] == [
        created[0].body["tenant"]["id"],
        created[1].body["id"],
        created[2].body["id"],
    ]


def test_a_late_start_that_has_ended_has_the_address_of_its_entry(world):
    ada = world.tenant()
    ada.start(7)
    late = ada.start(8, startedAt="2026-11-23T08:00:00Z", timerId="3f2b8c1e-5d47-4a90-b6f1-0c9e7d2a4b58")

    assert late.status == 201
    assert ada.get(late.headers["Location"]).body["id"] == late.body["ended"]["id"]


def test_a_repeated_start_has_the_address_of_the_first_response(world):
    ada = world.tenant()
    first, again = (ada.start(key="start") for _ in range(2))

    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]


@pytest.mark.parametrize("name", ["time.example.com", "evil.example"])
def test_a_link_has_the_configured_address_for_any_host_header(app, world, name):
    ada = world.tenant()
    for _ in range(2):
        ada.enter()
    with use(with_settings(app, app.settings.model_copy(update={"public_url": PUBLIC}))):
        page = send(ada, "GET", "entries?pageSize=1", Host=name)

    assert page.body["nextLink"].startswith(f"{PUBLIC}/api/entries?pageSize=1&after=")


def test_a_link_has_no_host_where_the_address_is_not_known(world):
    ada = world.tenant()
    for _ in range(2):
        ada.enter()
    page = send(ada, "GET", "entries?pageSize=1", Host="evil.example")
    rest = ada.get(page.body["nextLink"])

    assert page.body["nextLink"].startswith("/api/entries?pageSize=1&after=")
    assert (rest.status, len(rest.body["items"])) == (200, 1)


def test_a_link_can_be_followed_unchanged(world):
    ada = world.tenant()
    for _ in range(2):
        ada.enter()
    page = ada.get("entries", pageSize="1").body
    rest = ada.get(page["nextLink"])

    assert page["nextLink"].startswith(f"{ada.http.base}/api/entries?pageSize=1&after=")
    assert (rest.status, len(rest.body["items"])) == (200, 1)
    assert "nextLink" not in rest.body
