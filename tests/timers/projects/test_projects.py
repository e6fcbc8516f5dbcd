"""Projects: names that look alike are one, renamed ones are joined, and work items belong to a project."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa

from shared.db.schema import tenants
from shared.instants import rfc3339
from shared.tenancy import organization_store
from tests.support.world import START, Http, new_id
from tests.timers.running.late import HOUR
from timers.projects import store as projects_store


HEADER = "X-AzureDevOps-Token"


def projects_by_name(person):
    return {each["name"]: each for each in person.get("projects").body["items"]}


def join(person, one, other):
    known = projects_by_name(person)
    return person.post(f"projects/{known[one]['id']}/join", {"projectId": known[other]["id"]})


def separate(person, one):
    return person.delete(f"projects/{projects_by_name(person)[one]['id']}/join")


def by_project(person, **params):
    return {row["project"]: row["entries"] for row in person.report(**params).body["rows"]}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Büro", "Bu\N{COMBINING DIAERESIS}ro"),
        ("Website", "Web\N{ZERO WIDTH SPACE}site"),
        ("Website", "Web\N{SOFT HYPHEN}site"),
        ("Web site", "Web\N{NO-BREAK SPACE}site"),
        ("Straße", "STRASSE"),
    ],
)
def test_names_that_look_alike_are_one_project(world, clock, one, other):
    ada = world.tenant()
    ada.enter(project=one)
    entered = ada.enter(project=other)
    ada.start(project=one)
    again = ada.start(project=other)
    clock.tick(minutes=1)
    ada.stop()

    assert entered.body["project"] == one
    assert again.status == 200
    assert by_project(ada) == {one: 3}
    assert len(ada.entries(project=other)) == 3
    assert ada.report(project=other).body["rows"][0]["entries"] == 3


@pytest.mark.parametrize("name", ["Team \u202egnp", "Web\u200fsite", "\u2066Website"])
def test_a_name_with_bidirectional_controls_is_refused(world, name):
    ada = world.tenant()
    entered = ada.enter()
    answers = [ada.start(project=name), ada.enter(project=name), ada.correct(entered, project=name)]

    assert [(each.status, each.body["errors"][0]["pointer"]) for each in answers] == [(400, "/project")] * 3
    assert "direction" in answers[0].body["errors"][0]["detail"]


def test_an_invisible_name_is_refused(world):
    refused = world.tenant().start(project="\N{ZERO WIDTH SPACE}\N{SOFT HYPHEN}")

    assert (refused.status, refused.body["errors"][0]["pointer"]) == (400, "/project")


@pytest.mark.parametrize("name", ["Website\x7f", "Website\x80", "Web\x9fsite", "Web\x85site", "\x1bWebsite"])
def test_a_name_with_control_characters_is_refused(world, name):
    ada = world.tenant()
    entered = ada.enter()
    answers = [ada.start(project=name), ada.enter(project=name), ada.correct(entered, project=name)]

    assert [(each.status, each.body["errors"][0]["pointer"]) for each in answers] == [(400, "/project")] * 3
    assert ada.start(note="it\x92s a note").status == 201  # a note is no key


def test_a_persons_name_is_never_refused_for_its_look(world):
    ada = world.tenant()
    for name in ("Ada Lovelace", "Ada\N{NO-BREAK SPACE}Lovelace", "Ada\u202e Lovelace"):
        changed = ada.patch("me", {"displayName": name})

        assert (changed.status, changed.body["displayName"]) == (200, name)


def test_a_renamed_project_is_joined_to_its_old_name_and_no_time_changes(world):
    ada = world.tenant()
    ada.enter(project="Website")
    ada.enter(project="Portal")
    before = ada.entries()
    joined = join(ada, "Website", "Portal")
    together = by_project(ada)
    ada.enter(project="website")  # offline clients still send the old name

    assert joined.status == 200
    assert together == {"Portal": 2}
    assert by_project(ada) == by_project(ada, project="Website") == by_project(ada, project="portal") == {"Portal": 3}
    assert len(ada.entries(project="Website")) == len(ada.entries(project="Portal")) == 3
    assert [entry["project"] for entry in ada.entries(project="Portal")].count(
        "Website"
    ) == 2  # under the name that was entered
    assert {entry["id"]: entry["version"] for entry in before}.items() <= {
        entry["id"]: entry["version"] for entry in ada.entries()
    }.items()
    assert [row["after"]["project"] for row in ada.log() if row["event"] == "entered"] == [
        "Website",
        "Portal",
        "Website",
    ]


def test_a_running_timer_is_found_by_either_name_of_its_project(world, azure_devops):
    ada, token = world.tenant(), azure_devops.token()
    ada.enter(project="Website")
    timer = ada.start(57, project="NoSuchProject").body["id"]
    unjoined = ada.start(57, project="Website")
    join(ada, "NoSuchProject", "Website")
    again = send(ada, "POST", "timers/start", start_of(57, "Website"), token)
    switched = ada.start(57, project="Website", switch=True)
    late = ada.start(57, organization="Contoso", project="Portal", startedAt=rfc3339(START))
    another = ada.start(58, project="NoSuchProject")

    assert [(each.status, each.body["id"]) for each in (unjoined, again, switched, late)] == [(200, timer)] * 4
    assert (another.status, another.code) == (409, "timer_already_running")
    assert ada.running().body["project"] == "NoSuchProject"


def test_a_join_is_undone_with_earlier_joins_intact(world):
    ada = world.tenant()
    for name in ("Site", "Website", "Portal"):
        ada.enter(project=name)
    join(ada, "Site", "Website")
    join(ada, "Website", "Portal")
    all_of_them = by_project(ada)
    separate(ada, "Website")
    two = by_project(ada)
    separate(ada, "Site")

    assert all_of_them == {"Portal": 3}
    assert two == {"Portal": 1, "Website": 2}
    assert by_project(ada) == {"Portal": 1, "Site": 1, "Website": 1}
    assert separate(ada, "Site").code == "project_not_joined"


def test_a_correction_to_the_other_name_stays_when_the_join_is_undone(world):
    ada = world.tenant()
    entered = ada.enter(project="Website")
    ada.enter(project="Portal")
    join(ada, "Website", "Portal")
    ada.correct(entered, project="Portal")
    separate(ada, "Website")

    assert by_project(ada) == {"Portal": 2}


def test_projects_cannot_be_joined_in_a_circle_nor_across_organizations(world):
    ada = world.tenant()
    ada.post("organizations", {"name": "labs"})
    for name in ("Website", "Portal"):
        ada.enter(project=name)
    ada.enter(project="Far away", organization="labs")
    join(ada, "Website", "Portal")

    assert join(ada, "Portal", "Website").code == "project_joined"
    assert join(ada, "Website", "Portal").code == "project_joined"
    assert join(ada, "Portal", "Portal").code == "project_joined"
    assert join(ada, "Far away", "Portal").code == "other_organization"
    assert ada.post("projects/nonsense/join", {"projectId": projects_by_name(ada)["Portal"]["id"]}).status == 404


def test_joins_are_for_admins_and_audited(world):
    ada = world.tenant()
    ben = world.member(ada)
    ada.enter(project="Website")
    ada.enter(project="Portal")
    ids = {name: each["id"] for name, each in projects_by_name(ada).items()}
    refused = ben.post(f"projects/{ids['Website']}/join", {"projectId": ids["Portal"]})
    join(ada, "Website", "Portal")
    separate(ada, "Website")
    what = {"projectId": ids["Website"], "joinedTo": ids["Portal"]}

    assert refused.code == "role_required"
    assert [(row["action"], row["after"]) for row in ada.get("audit").body["items"][:2]] == [
        ("project.separated", what),
        ("project.joined", what),
    ]


# Work item 57 is in Website, 104 in Mobile; 4711 does not exist.


def send(person, method, path, body, token, *, version=None):
    headers = {HEADER: token} | ({} if version is None else {"If-Match": f'"{version}"'})
    return person.http.send(method, path, body, token=person.token, headers=headers)


def start_of(number, project, **more):
    return {"organization": "contoso", "project": project, "workItemId": number, **more}


def entry_of(number, project):
    return start_of(number, project, startedAt="2026-11-20T09:00:00Z", stoppedAt="2026-11-20T10:00:00Z")


@pytest.mark.parametrize("project", ["NoSuchProject", "Mobile"])
def test_with_a_token_another_project_than_the_work_items_own_is_refused(world, azure_devops, project):
    ada, token = world.tenant(), azure_devops.token()
    started = send(ada, "POST", "timers/start", start_of(57, project, existingHours=1), token)
    entered = send(ada, "POST", "entries", entry_of(57, project), token)

    for refused in (started, entered):
        assert (refused.status, refused.code) == (400, "wrong_project")
        assert "is in the project Website" in refused.body["detail"]
        assert refused.body["errors"] == [
            {"pointer": "/project", "detail": "must be Website, the project of work item 57"}
        ]
    assert ada.running().status == 204
    assert ada.entries() == []


def test_the_work_items_own_project_is_accepted_and_without_a_token_any(world, azure_devops):
    ada, token = world.tenant(), azure_devops.token()

    assert send(ada, "POST", "timers/start", start_of(57, "website"), token).body["existingHours"] == 6.25
    assert send(ada, "POST", "entries", entry_of(57, "Website"), token).status == 201
    assert ada.enter(project="NoSuchProject", workItemId=57).status == 201
    assert (
        send(ada, "POST", "entries", entry_of(4711, "NoSuchProject"), token).status == 201
    )  # the work item is not shown


def test_a_late_start_from_before_a_rename_is_accepted(world, clock, azure_devops):
    ada, token, timer = world.tenant(), azure_devops.token(), new_id()
    clock.tick(hours=2)
    body = start_of(57, "OldSite", startedAt=rfc3339(START), timerId=timer)
    started = send(ada, "POST", "timers/start", body, token)
    stopped = send(ada, "POST", "timers/stop", {"timerId": timer, "stoppedAt": rfc3339(START + HOUR)}, token)
    now = send(ada, "POST", "timers/start", start_of(57, "OldSite", timerId=new_id()), token)

    assert (started.status, stopped.status, stopped.body["elapsedMs"]) == (201, 200, 3_600_000)
    assert stopped.body["project"] == "OldSite"
    assert now.code == "wrong_project"  # the project is of now, and the person can choose another one


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 401}, {"cut": True}])
def test_no_time_is_refused_while_azure_devops_does_not_respond(world, azure_devops, fault):
    ada, token = world.tenant(), azure_devops.token()
    azure_devops.set_fault("work_item", **fault)

    assert send(ada, "POST", "timers/start", start_of(57, "NoSuchProject"), token).status == 201
    assert send(ada, "POST", "entries", entry_of(57, "NoSuchProject"), token).status == 201


def test_a_correction_to_another_work_item_must_name_its_project(world, azure_devops):
    ada, token = world.tenant(), azure_devops.token()
    entered = ada.enter(project="Old", workItemId=57)
    path, say = f"entries/{entered.body['id']}", {"reason": "it was wrong"}
    elsewhere = send(ada, "PATCH", path, {**say, "workItemId": 104, "project": "Website"}, token, version=1)
    number = send(ada, "PATCH", path, {**say, "workItemId": 104}, token, version=1)
    times = send(ada, "PATCH", path, {**say, "stoppedAt": "2026-11-20T09:30:00Z", "project": "old"}, token, version=1)
    right = send(ada, "PATCH", path, {**say, "workItemId": 104, "project": "Mobile"}, token, version=2)

    assert elsewhere.code == number.code == "wrong_project"
    assert "is in the project Mobile" in number.body["detail"]
    assert (times.status, times.body["project"]) == (200, "Old")
    assert (right.status, right.body["project"], right.body["workItemId"]) == (200, "Mobile", 104)


def test_a_name_joined_to_the_work_items_project_is_accepted(world, azure_devops):
    ada, token = world.tenant(), azure_devops.token()
    ada.enter(project="Webseite")
    ada.enter(project="Website")
    join(ada, "Webseite", "Website")

    assert send(ada, "POST", "timers/start", start_of(57, "Webseite"), token).status == 201


def test_a_repeat_gets_the_first_response_also_after_changes_in_azure_devops(world, azure_devops):
    ada = world.tenant()
    headers = {HEADER: azure_devops.token()}
    sent = {"token": ada.token, "key": "k-1", "headers": headers}
    azure_devops.set_fault("work_item", status=500)
    first = ada.http.send("POST", "entries", entry_of(57, "Mobile"), **sent)
    azure_devops.clear_faults()
    again = ada.http.send("POST", "entries", entry_of(57, "Mobile"), **sent)

    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body
    assert len(ada.entries()) == 1


def wait_until_somebody_waits(engine):
    """Waits for a lock; on SQLite a second writer waits for its transaction."""
    waiting = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while engine.dialect.name == "postgresql":
        with engine.connect() as tx:
            if tx.scalar(waiting):
                return


def test_a_project_added_during_a_rename_has_the_new_name_or_is_refused(world, engine):
    ada = world.tenant()
    with engine.connect() as tx:
        own = sa.select(tenants.c.id).where(tenants.c.entra_tenant_id == uuid.UUID(ada.tid))
        tenant_id = tx.scalar(own)

    def add():
        with engine.begin() as tx:
            return projects_store.add(
                tx, tenant_id, organization="contoso", project="New", public_id=uuid.UUID(new_id())
            )

    with ThreadPoolExecutor(1) as other:
        with engine.begin() as tx:
            old = organization_store.find(tx, tenant_id, "contoso")
            assert old is not None
            organization_store.rename(tx, tenant_id, old, name="fabrikam")
            organization_store.set_default(tx, tenant_id, name="fabrikam", now=START)
            added = other.submit(add)
            wait_until_somebody_waits(engine)
        assert added.result(30) is False

    assert ada.get("projects").body["items"] == []
    assert ada.enter(organization="fabrikam", project="New").status == 201


def test_of_two_concurrent_joins_in_a_circle_one_is_refused(world):
    ada = world.tenant()
    ben = world.member(ada)
    ada.http.send("PATCH", f"users/{ben.get('me').body['id']}", {"role": "admin"}, token=ada.token)
    ben = replace(ben, http=Http(ben.http.base))  # with a connection of his own
    for number in range(5):
        one, other = f"One {number}", f"Other {number}"
        ada.enter(project=one)
        ada.enter(project=other)
        with ThreadPoolExecutor(2) as both:
            done = [both.submit(join, ada, one, other), both.submit(join, ben, other, one)]
        answers = [each.result(30) for each in done]

        assert sorted(answer.status for answer in answers) == [200, 409]
