"""A tenant has several Azure DevOps organizations, each with its own time, and one default."""

import datetime as dt

import pytest

from shared.instants import rfc3339
from tests.support.world import START, new_id
from tests.timers.work_items.test_work_items import look, refresh


def change(person, which, **fields):
    return person.patch(f"organizations/{by_name(person)[which]['id']}", fields)


def by_name(person):
    return {each["name"]: each for each in person.get("organizations").body["items"]}


def settings(person, **fields):
    return person.http.send("PATCH", "tenant", fields, token=person.token, headers={"If-Match": "*"})


def add(person, name):
    return person.post("organizations", {"name": name})


def record(person):
    return [(row["action"], row.get("before"), row["after"]) for row in person.get("audit").body["items"]]


def test_a_tenant_begins_with_one_organization_and_shows_it(world):
    ada = world.tenant()
    [only] = ada.get("organizations").body["items"]

    assert (only["name"], only["isActive"], only["isDefault"]) == ("contoso", True, True)
    assert ada.get("tenant").body["organizations"] == [only]
    assert ada.post("sign-in").body["tenant"]["organizations"] == [only]


def test_time_goes_to_every_active_organization_and_to_no_other(world, clock):
    ada = world.tenant()
    refused = ada.start(1, organization="contoso-labs")
    added = add(ada, "Contoso-Labs")
    there = ada.start(1, organization="contoso-labs")
    clock.tick(minutes=5)
    here = ada.start(1, switch=True)
    ada.stop()
    change(ada, "Contoso-Labs", isActive=False)
    closed = ada.enter(organization="contoso-labs")

    assert (refused.status, refused.code) == (400, "wrong_organization")
    words = "must be an active Azure DevOps organization of Contoso: contoso"
    assert refused.body["errors"] == [{"pointer": "/organization", "detail": words}]
    assert (added.status, added.body["name"], added.body["isDefault"]) == (201, "Contoso-Labs", False)
    assert (there.status, there.body["organization"]) == (201, "Contoso-Labs")
    assert (here.status, here.body["stopped"]["organization"]) == (201, "Contoso-Labs")
    assert closed.code == "wrong_organization"
    assert "contoso" in closed.body["detail"]


def test_a_start_from_before_a_deactivation_is_accepted(world, clock):
    ada, timer = world.tenant(), new_id()
    add(ada, "labs")
    clock.tick(hours=2)
    change(ada, "labs", isActive=False)
    started = ada.start(1, organization="labs", startedAt=rfc3339(START), timerId=timer)
    stopped = ada.post("timers/stop", {"timerId": timer, "stoppedAt": rfc3339(START + dt.timedelta(hours=1))})

    assert (started.status, stopped.status, stopped.body["elapsedMs"]) == (201, 200, 3_600_000)
    assert stopped.body["organization"] == "labs"
    assert ada.start(1, organization="labs").code == "wrong_organization"
    assert ada.start(1, organization="nobodys", startedAt=rfc3339(START)).code == "wrong_organization"


def test_a_timer_in_an_inactive_organization_can_be_stopped(world, clock):
    ada = world.tenant()
    add(ada, "labs")
    ada.start(1, organization="labs")
    change(ada, "labs", isActive=False)
    clock.tick(minutes=5)
    stopped = ada.stop()

    assert (stopped.status, stopped.body["organization"], stopped.body["elapsedMs"]) == (200, "labs", 300_000)


def test_a_renamed_organization_keeps_its_time_projects_and_titles(world, clock, azure_devops):
    ada = world.tenant()
    refresh(ada, [42], azure_devops.token())
    ada.enter()
    ada.start(43)
    renamed = change(ada, "contoso", name="Fabrikam")
    clock.tick(minutes=5)
    stopped = ada.stop()
    again = ada.enter(organization="fabrikam", workItemId=42)
    report = ada.get("reports/summary", **{"from": "2026-11-01", "to": "2026-11-30", "groupBy": "project"}).body
    titles = ada.report(groupBy="workItem").body["rows"]

    assert (renamed.body["name"], renamed.body["isDefault"]) == ("Fabrikam", True)
    assert ada.get("tenant").body["azureDevOpsOrganization"] == "Fabrikam"
    assert stopped.body["organization"] == again.body["organization"] == "Fabrikam"
    assert [(row["organization"], row["project"], row["entries"]) for row in report["rows"]] == [
        ("Fabrikam", "Website", 3)
    ]
    assert titles[0]["workItem"]["title"] == "Checkout fails for guests"
    assert len(ada.get("projects").body["items"]) == 1
    assert ada.enter().code == "wrong_organization"


def test_the_old_name_of_a_renamed_organization_can_be_used_again(world):
    ada = world.tenant()
    ada.enter()
    change(ada, "contoso", name="fabrikam")
    add(ada, "contoso")
    ada.enter()
    rows = ada.report().body["rows"]

    assert [(row["organization"], row["entries"]) for row in rows] == [("contoso", 1), ("fabrikam", 1)]


def test_logs_keep_the_name_from_before_a_rename(world):
    ada = world.tenant()
    entered = ada.enter()
    ada.correct(entered, note="more")
    change(ada, "contoso", name="fabrikam")
    [corrected] = [row for row in ada.log() if row["event"] == "corrected"]

    assert corrected["before"]["organization"] == corrected["after"]["organization"] == "contoso"


def test_two_organizations_cannot_have_one_name(world):
    ada, bob = world.tenant(), world.tenant()
    again = add(ada, "CONTOSO")
    add(ada, "labs")
    taken = change(ada, "labs", name="Contoso")

    assert (again.status, again.code) == (taken.status, taken.code) == (409, "organization_exists")
    assert list(by_name(bob)) == ["contoso"]


def test_only_the_case_of_a_name_may_change(world):
    ada = world.tenant()
    ada.enter()

    assert change(ada, "contoso", name="Contoso").body["name"] == "Contoso"
    assert ada.enter().body["organization"] == "Contoso"
    assert len(ada.get("projects").body["items"]) == 1


def test_the_default_is_always_active(world):
    ada = world.tenant()
    refused = change(ada, "contoso", isActive=False)
    add(ada, "labs")
    both = change(ada, "labs", isActive=False, isDefault=True)
    change(ada, "labs", isActive=False)
    chosen = change(ada, "labs", isActive=True, isDefault=True)

    assert (refused.status, refused.code) == (both.status, both.code) == (409, "default_organization")
    assert chosen.body["isDefault"]
    assert not by_name(ada)["contoso"]["isDefault"]
    assert change(ada, "contoso", isActive=False).status == 200


def test_another_name_in_the_settings_becomes_the_default_organization_with_a_notice(world):
    ada = world.tenant()
    added = settings(ada, azureDevOpsOrganization="labs")
    back = settings(ada, azureDevOpsOrganization="CONTOSO")
    same = settings(ada, azureDevOpsOrganization="Contoso", name="Contoso Ltd")
    change(ada, "labs", isActive=False)
    woken = settings(ada, azureDevOpsOrganization="labs")

    assert added.body["notice"] == (
        "labs was added and is the default now. Time on contoso stays there, and it stays active."
    )
    assert back.body["notice"].startswith("contoso is the default organization now.")
    assert back.body["azureDevOpsOrganization"] == same.body["azureDevOpsOrganization"] == "contoso"
    assert "notice" not in same.body
    assert woken.body["notice"].startswith("labs is active again")
    assert {name: each["isActive"] for name, each in by_name(ada).items()} == {"contoso": True, "labs": True}


def test_changes_of_organizations_are_recorded(world):
    ada = world.tenant()
    add(ada, "labs")
    change(ada, "labs", name="research")
    change(ada, "research", isActive=False)
    change(ada, "research", isActive=True, isDefault=True)
    default = "azureDevOpsOrganization"

    assert record(ada)[:-1] == [
        ("tenant.changed", {default: "contoso"}, {default: "research", "changed": [default]}),
        (
            "organization.activated",
            {"organization": "research", "isActive": False},
            {"organization": "research", "isActive": True},
        ),
        (
            "organization.deactivated",
            {"organization": "research", "isActive": True},
            {"organization": "research", "isActive": False},
        ),
        (
            "organization.renamed",
            {"organization": "labs", "isActive": True},
            {"organization": "research", "isActive": True},
        ),
        ("organization.added", None, {"organization": "labs", "isActive": True}),
    ]


def test_only_super_admins_change_organizations_and_everyone_sees_them(world):
    ada = world.tenant()
    ben = world.member(ada)

    assert by_name(ben) == by_name(ada)
    assert add(ben, "labs").code == change(ben, "contoso", name="labs").code == "role_required"
    assert ada.patch("organizations/nonsense", {"name": "labs"}).status == 404
    assert ada.patch(f"organizations/{by_name(ada)['contoso']['id']}", {}).status == 400


@pytest.mark.parametrize("name", ["a b", "-labs", "lábs", "l" * 51, "labs/x", "labs\n"])
def test_a_name_that_azure_devops_does_not_allow_is_refused(world, name):
    ada = world.tenant()

    assert add(ada, name).status == change(ada, "contoso", name=name).status == 400


def test_work_items_are_looked_up_in_their_own_organization(world, clock, azure_devops):
    ada = world.tenant()
    add(ada, "contoso-labs")
    headers = {"X-AzureDevOps-Token": azure_devops.token()}
    here = look(ada, 42, azure_devops.token())
    there = look(ada, 42, azure_devops.token(), organization="contoso-labs")
    ada.enter(workItemId=42)
    ada.enter(workItemId=42, organization="contoso-labs")
    ada.enter(workItemId=58, organization="contoso-labs")
    clock.tick(days=2)
    azure_devops.edit(42, Title="Checkout fails for all")
    rows = ada.http.send(
        "GET", "reports/month", token=ada.token, params={"month": "2026-11", "groupBy": "workItem"}, headers=headers
    ).body["rows"]
    azure_devops.reset()
    shown = [(row["workItem"]["organization"], row["workItem"]["id"], row["workItem"]["title"]) for row in rows]

    assert (here.body["organization"], here.body["title"]) == ("contoso", "Checkout fails for guests")
    assert (there.body["organization"], there.body["title"]) == ("contoso-labs", "Try a shop without a server")
    assert shown == [
        ("contoso", 42, "Checkout fails for all"),
        ("contoso-labs", 42, "Try a shop without a server"),
        ("contoso-labs", 58, "The prototype forgets its visitors"),
    ]


def test_a_colleague_sees_the_item_of_the_organization_where_they_have_read_it(world, azure_devops):
    ada = world.tenant()
    ben = world.member(ada)
    add(ada, "contoso-labs")
    refresh(ada, [58], azure_devops.token())
    refresh(ben, [58], azure_devops.token("ben"), organization="contoso-labs")

    assert look(ben, 58).status == 404
    assert look(ben, 58, organization="contoso-labs").body["title"] == "The prototype forgets its visitors"
    assert look(ada, 58, organization="contoso-labs").status == 404
