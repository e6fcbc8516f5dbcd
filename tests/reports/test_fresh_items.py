"""Reports with a token refresh work items that were read more than a day ago."""

import pytest


SPAN = {"from": "2026-11-01", "to": "2026-11-30", "groupBy": "workItem"}


def report(person, token=None):
    headers = {} if token is None else {"X-AzureDevOps-Token": token}
    return person.http.send("GET", "reports/summary", token=person.token, params=SPAN, headers=headers)


@pytest.fixture
def ada(world, clock):
    ada = world.tenant()
    ada.start(42)
    clock.tick(minutes=30)
    ada.stop()
    return ada


def test_a_report_with_a_token_shows_refreshed_work_items(ada, clock, azure_devops):
    before = report(ada).body["rows"][0]["workItem"]
    looked = report(ada, azure_devops.token()).body["rows"][0]["workItem"]
    azure_devops.edit(42, Title="Checkout fails for everybody")
    young = report(ada, azure_devops.token()).body["rows"][0]["workItem"]
    clock.tick(days=1, milliseconds=1)
    old = report(ada, azure_devops.token()).body["rows"][0]["workItem"]

    assert before == {"organization": "contoso", "id": 42, "titleStatus": "notAsked"}
    assert (looked["type"], looked["title"], looked["state"]) == ("Bug", "Checkout fails for guests", "Active")
    assert young == looked
    assert old["title"] == "Checkout fails for everybody"


@pytest.mark.parametrize("fault", [{"status": 401}, {"status": 500}, {"cut": True}])
def test_a_failure_of_azure_devops_does_not_stop_a_report(ada, azure_devops, fault):
    azure_devops.set_fault("batch", **fault)
    made = report(ada, azure_devops.token())

    assert (made.status, made.body["totalMs"]) == (200, 1_800_000)


def test_only_work_items_visible_in_the_report_are_refreshed(world, ada, azure_devops):
    ben = world.member(ada)
    before = azure_devops.hits("batch")
    made = report(ben, azure_devops.token())

    assert made.body["rows"] == []
    assert azure_devops.hits("batch") == before


def test_a_start_with_a_token_stores_the_existing_hours(world, azure_devops):
    ada = world.tenant()
    body = {"organization": "contoso", "project": "Website", "workItemId": 42}
    headers = {"X-AzureDevOps-Token": azure_devops.token()}
    started = ada.http.send("POST", "timers/start", body, token=ada.token, headers=headers)
    azure_devops.set_fault("work_item", status=500)
    other = ada.http.send(
        "POST", "timers/start", {**body, "workItemId": 57, "switch": True}, token=ada.token, headers=headers
    )

    assert (started.status, started.body["existingHours"]) == (201, 3.5)
    assert other.status == 201
    assert "existingHours" not in other.body
