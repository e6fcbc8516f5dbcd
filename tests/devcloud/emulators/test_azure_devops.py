import datetime as dt
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from devcloud.emulators.azure_devops.fields import COMPLETED
from devcloud.emulators.azure_devops.items import ITEMS, assignee_of
from devcloud.emulators.entra.people import CONTOSO
from tests.devcloud import processes
from tests.devcloud.processes import wait_for
from tests.support.azure_devops import AzureDevOps


SUPPRESS = {"X-TFS-FedAuthRedirect": "Suppress"}
PATCH = "application/json-patch+json"
BUG, STORY, EPIC_OF_BILLING = 42, 61, 66


def send(
    azure_devops: AzureDevOps, method, path, body=None, *, who="ada", headers=SUPPRESS, media="application/json"
) -> requests.Response:
    """`who` is a person's short name, or a literal token."""
    sent = dict(headers)
    if who is not None:
        sent["Authorization"] = f"Bearer {azure_devops.token(who) if who.isalpha() else who}"
    if body is not None:
        sent["Content-Type"] = media
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    url = f"{azure_devops.url}/contoso/{path}"
    return requests.request(method, url, data=data, headers=sent, timeout=10, allow_redirects=False)


def batch(azure_devops, ids, *, who="ada", **more) -> requests.Response:
    return send(azure_devops, "POST", "_apis/wit/workitemsbatch?api-version=7.1", {"ids": ids, **more}, who=who)


def patch(azure_devops, number, *operations, who="ada") -> requests.Response:
    path = f"_apis/wit/workitems/{number}?api-version=7.1"
    return send(azure_devops, "PATCH", path, operations, who=who, media=PATCH)


def add(value, field=COMPLETED) -> dict[str, Any]:
    return {"op": "add", "path": f"/fields/{field}", "value": value}


def pinned(revision: int) -> dict[str, Any]:
    return {"op": "test", "path": "/rev", "value": revision}


def order(azure_devops: AzureDevOps, method: str, what: str, body=None, **headers) -> requests.Response:
    return requests.request(method, f"{azure_devops.url}/admin/{what}", json=body, headers=headers, timeout=10)


def test_a_work_item_reads_like_azure_devops(azure_devops):
    answer = send(azure_devops, "GET", f"_apis/wit/workItems/{BUG}?api-version=7.1")

    item = answer.json()
    assert (item["id"], item["rev"], item["url"]) == (42, 2, f"{azure_devops.url}/contoso/_apis/wit/workItems/42")
    assert item["fields"]["System.AssignedTo"]["displayName"] == "Ben Okafor"
    assert item["fields"]["System.AssignedTo"]["uniqueName"] == "ben@contoso.example"
    assert (item["fields"]["System.WorkItemType"], item["fields"][COMPLETED]) == ("Bug", 3.5)
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8; api-version=7.1"


def test_the_demo_backlog_has_every_type_and_people_of_contoso():
    assignees = [assignee_of(item) for item in ITEMS]

    assert len({item.id for item in ITEMS}) == len(ITEMS) == 40
    assert {item.type for item in ITEMS} == {"Epic", "Feature", "User Story", "Task", "Bug"}
    assert len({item.state for item in ITEMS}) == 5
    assert assignees.count(None) == 7


@pytest.mark.parametrize(("project", "status"), [("Website", 200), ("Billing", 404), ("Nowhere", 404)])
def test_a_project_in_the_path_must_be_the_items(azure_devops, project, status):
    assert send(azure_devops, "GET", f"{project}/_apis/wit/workitems/{BUG}").status_code == status


def test_empty_fields_are_absent_and_only_requested_fields_are_returned(azure_devops):
    named = send(
        azure_devops, "GET", f"_apis/wit/workitems/63?fields=System.Title,System.AssignedTo,{COMPLETED}"
    ).json()
    unknown = send(azure_devops, "GET", "_apis/wit/workitems/63?fields=Custom.Nothing")

    assert named["fields"] == {"System.Title": "Remember the choice of each visitor"}
    assert (unknown.status_code, unknown.json()["message"]) == (400, "TF51535: Cannot find field Custom.Nothing.")


def test_a_batch_returns_null_for_missing_items_or_fails(azure_devops):
    fields = ["System.Id", "System.Title"]

    omitted = batch(azure_devops, [42, 999, 66], errorPolicy="omit", fields=fields).json()
    failed = batch(azure_devops, [42, 999, 66], fields=fields)

    assert [item and item["id"] for item in omitted["value"]] == [42, None, 66]
    assert omitted["value"][0]["fields"] == {"System.Id": 42, "System.Title": "Checkout fails for guests"}
    assert (omitted["count"], failed.status_code) == (3, 404)
    assert failed.json()["message"].startswith("TF401232: Work item 999 does not exist")
    assert failed.json()["typeKey"] == "WorkItemUnauthorizedAccessException"


@pytest.mark.parametrize(
    ("ids", "more", "status"),
    [
        ([42] * 200, {}, 200),
        ([42] * 201, {}, 400),
        ([], {}, 400),
        (["42"], {}, 400),
        ([42], {"errorPolicy": "shrug"}, 400),
        ([42], {"fields": ["Custom.Nothing"]}, 400),
    ],
)
def test_a_batch_has_1_to_200_numbers(azure_devops, ids, more, status):
    assert batch(azure_devops, ids, **more).status_code == status


def query(azure_devops, text, *, who="ada", top=20) -> requests.Response:
    return send(azure_devops, "POST", f"_apis/wit/wiql?$top={top}&api-version=7.1", {"query": text}, who=who)


def where(condition) -> str:
    return f"SELECT [System.Id] FROM WorkItems WHERE {condition} ORDER BY [System.ChangedDate] DESC"  # noqa: S608 - the query language of Azure DevOps


def test_a_query_finds_visible_titles_with_all_words_the_last_changed_first(azure_devops):
    azure_devops.edit(43, Title="Reproduce the failing CHECKOUT")
    both = where("[System.Title] CONTAINS 'checkout' AND [System.Title] contains 'fail'")
    found, hidden = query(azure_devops, both).json(), query(azure_devops, where("[System.Title] CONTAINS 'invoice'"))

    assert [item["id"] for item in found["workItems"]] == [43, 42]
    assert (found["queryType"], found["queryResultType"]) == ("flat", "workItem")
    assert len(query(azure_devops, both, top=1).json()["workItems"]) == 1
    assert len(hidden.json()["workItems"]) > 1
    assert query(azure_devops, where("[System.Title] CONTAINS 'invoice'"), who="gus").json()["workItems"] == []
    assert query(azure_devops, where("[System.Title] CONTAINS 'customer''s name'")).json()["workItems"][0]["id"] == 91


@pytest.mark.parametrize(
    "condition",
    ["[System.Title] CONTAINS 'a' OR 1 = 1", "[System.Title] CONTAINS 'a'b'", "[Custom.X] CONTAINS 'a'", ""],
)
def test_another_or_broken_query_is_refused(azure_devops, condition):
    refused = query(azure_devops, where(condition))

    assert (refused.status_code, refused.json()["message"][:2]) == (400, "TF")


def test_a_pinned_patch_makes_one_revision_and_a_stale_one_none(azure_devops):
    done = patch(azure_devops, BUG, pinned(2), add(4.25), add("TimeTracker: 0.75 h", "System.History"))
    stale = patch(azure_devops, BUG, pinned(2), add(5))

    assert (done.status_code, done.json()["rev"], done.json()["fields"][COMPLETED]) == (200, 3, 4.25)
    assert (stale.status_code, stale.json()["typeKey"]) == (412, "WorkItemRevisionMismatchException")
    assert stale.json()["message"].startswith("TF26071: ")
    assert (azure_devops.completed(BUG), azure_devops.revision(BUG)) == (4.25, 3)


def test_of_many_patches_to_one_revision_exactly_one_lands(azure_devops):
    with ThreadPoolExecutor(12) as threads:
        statuses = list(threads.map(lambda n: patch(azure_devops, BUG, pinned(2), add(n)).status_code, range(12)))

    assert sorted(statuses) == [200] + [412] * 11
    assert azure_devops.revision(BUG) == 3


def test_updates_have_the_changes_of_each_revision(azure_devops):
    patch(azure_devops, BUG, add(4.25), add("mark", "System.History"), who="ben")
    patch(azure_devops, BUG, add("Checkout works", "System.Title"))
    patch(azure_devops, BUG, {"op": "remove", "path": f"/fields/{COMPLETED}"})

    updates = send(azure_devops, "GET", f"_apis/wit/workItems/{BUG}/updates?api-version=7.1").json()["value"]

    assert [(update["id"], update["rev"]) for update in updates] == [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]
    assert [update["fields"].get(COMPLETED) for update in updates[1:]] == [
        {"newValue": 3.5},
        {"oldValue": 3.5, "newValue": 4.25},
        None,
        {"oldValue": 4.25},
    ]
    assert [update["fields"].get("System.History") for update in updates[2:4]] == [{"newValue": "mark"}, None]
    assert updates[2]["revisedBy"]["displayName"] == "Ben Okafor"
    assert updates[3]["fields"]["System.Rev"] == {"oldValue": 3, "newValue": 4}


def test_updates_have_pages_and_a_link_has_no_revision(azure_devops):
    order(azure_devops, "POST", "link", {"id": BUG})
    patch(azure_devops, BUG, add(9))

    path = f"_apis/wit/workItems/{BUG}/updates?api-version=7.1&$skip=1&$top=2"
    page = send(azure_devops, "GET", path).json()["value"]

    assert [(update["id"], update["rev"]) for update in page] == [(2, 2), (3, 2)]
    assert "fields" not in page[1]


def test_a_patch_without_a_change_makes_no_revision_unless_it_says_something(azure_devops):
    silent = patch(azure_devops, BUG, add(3.5)).json()["rev"]
    said = patch(azure_devops, BUG, add(3.5), add("said", "System.History")).json()["rev"]

    assert (silent, said) == (2, 3)


@pytest.mark.parametrize(
    ("number", "operation", "status", "message"),
    [
        (STORY, add(1), 400, "TF51535: Cannot find field Microsoft.VSTS.Scheduling.CompletedWork."),
        (BUG, add(-0.5), 400, "TF401320: Rule Error for field Completed Work."),
        (BUG, add(float("nan")), 400, "TF401320: "),
        (BUG, add(float("inf")), 400, "TF401320: "),
        (BUG, add("1.5"), 400, "TF401320: "),
        (BUG, add(True), 400, "TF401320: "),  # noqa: FBT003 - a JSON value
        (BUG, add("Done", "System.State"), 400, "TF401320: Rule Error for field State."),
        (BUG, add("x" * 256, "System.Title"), 400, "TF401320: Rule Error for field Title."),
        (BUG, add(7, "System.Rev"), 400, "TF401320: Rule Error for field Rev."),
        (BUG, add(1, "Custom.Nothing"), 400, "TF51535: "),
        (63, {**add(1), "op": "replace"}, 400, "The field Microsoft.VSTS.Scheduling.CompletedWork has no value"),
        (BUG, {**add(9), "op": "test"}, 412, "The test operation failed."),
        (BUG, {**add(9), "op": "move"}, 400, "You must pass a valid patch document"),
        (BUG, pinned(True), 412, "TF26071: "),  # noqa: FBT003 - a JSON value
        (999, add(1), 404, "TF401232: "),
    ],
)
def test_an_invalid_value_of_a_type_is_refused_without_a_change(azure_devops, number, operation, status, message):
    answer = patch(azure_devops, number, add("New title", "System.Title"), operation)

    assert (answer.status_code, answer.json()["message"][: len(message)]) == (status, message)
    assert number == 999 or azure_devops.revision(number) == 2 - (number == 63)


def test_bodies_are_json_of_the_right_kind_and_version(azure_devops):
    path = f"_apis/wit/workitems/{BUG}"

    statuses = [
        send(azure_devops, "PATCH", path, [add(1)], media=PATCH).status_code,
        send(azure_devops, "PATCH", f"{path}?api-version=7.1", [add(1)]).status_code,
        send(azure_devops, "PATCH", f"{path}?api-version=7.1", b"[", media=PATCH).status_code,
        send(azure_devops, "PATCH", f"{path}?api-version=7.1", {}, media=PATCH).status_code,
        send(azure_devops, "GET", f"{path}/updates?$skip=-1").status_code,
    ]

    assert statuses == [400, 415, 400, 400, 400]


@pytest.mark.parametrize("token", [None, "not.a.token", "eyJhbGciOiJub25lIn0.e30."])
@pytest.mark.parametrize(
    ("shape", "headers", "status"),
    [("auto", SUPPRESS, 401), ("auto", {}, 302), ("203", SUPPRESS, 203), ("200", {}, 200), ("401", {}, 401)],
)
def test_a_token_that_is_no_good_is_sent_to_sign_in(azure_devops, token, shape, headers, status):
    order(azure_devops, "POST", "sign-in", {"sign_in": shape})

    answer = send(azure_devops, "GET", f"_apis/wit/workitems/{BUG}", who=token, headers=headers)

    authority = f"authorization_uri=https://login.microsoftonline.com/{CONTOSO.tid}"
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("text/html")
    assert ("Azure DevOps Services | Sign In" in answer.text) is (status in {200, 203})
    assert ("_signin" in answer.headers.get("Location", "")) is (status == 302)
    assert (authority in str(answer.headers)) is (status == 401)


def test_an_expired_token_and_one_of_another_organization_are_refused(azure_devops, entra):
    now = dt.datetime.now(dt.UTC)  # noqa: TID251 - the emulator's tokens live by the real clock
    ours = entra.token(tid=CONTOSO.tid, oid="x", name="Ada", email="a@b.example", at=now)
    path = f"_apis/wit/workitems/{BUG}"

    statuses = [
        send(azure_devops, "GET", path, who=azure_devops.token(lifetime=60)).status_code,
        send(azure_devops, "GET", path, who=azure_devops.token(lifetime=-60)).status_code,
        send(azure_devops, "GET", path, who=ours).status_code,
        send(azure_devops, "GET", path, who="bob").status_code,
    ]

    assert statuses == [200, 401, 401, 401]


def test_a_hidden_item_is_not_found_and_a_read_only_one_forbidden(azure_devops):
    hidden = send(azure_devops, "GET", f"_apis/wit/workitems/{EPIC_OF_BILLING}", who="gus")
    omitted = batch(azure_devops, [EPIC_OF_BILLING, BUG], who="gus", errorPolicy="omit").json()["value"]
    read = send(azure_devops, "GET", "_apis/wit/workitems/112", who="chloe")
    written = patch(azure_devops, 112, add(1), who="chloe")
    unscoped = patch(azure_devops, BUG, add(1), who=azure_devops.token(scp="vso.work"))

    assert (hidden.status_code, omitted[0], omitted[1]["id"]) == (404, None, BUG)
    assert (read.status_code, written.status_code, unscoped.status_code) == (200, 403, 403)
    assert written.json()["message"].startswith("TF237111: ")


def test_every_response_names_the_organizations_directory(azure_devops):
    signed_in = send(azure_devops, "GET", "_apis/connectionData")
    stranger = send(azure_devops, "GET", "_apis/connectionData", who=None)
    nowhere = requests.get(f"{azure_devops.url}/nowhere/_apis/connectionData", timeout=5)

    assert signed_in.json()["authenticatedUser"]["providerDisplayName"] == "Ada Lovelace"
    assert (stranger.status_code, nowhere.status_code) == (401, 404)
    assert {answer.headers["X-VSS-ResourceTenant"] for answer in (signed_in, stranger)} == {CONTOSO.tid}
    assert "X-VSS-ResourceTenant" not in nowhere.headers


def test_faults_apply_until_they_are_cleared(azure_devops):
    throttled = {"status": 429, "body": "{}", "headers": {"Retry-After": "7", "Content-Type": "application/json"}}
    order(azure_devops, "POST", "faults", {"work_item": {**throttled, "times": 1}})
    path = f"_apis/wit/workitems/{BUG}"
    hits = azure_devops.hits("work_item")

    first, second = send(azure_devops, "GET", path), send(azure_devops, "GET", path)
    order(azure_devops, "POST", "faults", {"work_item": {"headers": {"Retry-After": "3"}}})
    slowed = send(azure_devops, "GET", path)
    order(azure_devops, "DELETE", "faults")

    assert (first.status_code, first.headers["Retry-After"], first.json()) == (429, "7", {})
    assert (second.status_code, slowed.status_code, slowed.headers["Retry-After"]) == (200, 200, "3")
    assert "Retry-After" not in send(azure_devops, "GET", path).headers
    assert order(azure_devops, "GET", "stats").json()["hits"]["work_item"] == hits + 4


def test_a_lost_answer_did_the_work_and_a_cut_connection_did_not(azure_devops):
    azure_devops.set_fault("update", lost_answer=True, times=1)
    with pytest.raises(requests.ConnectionError):
        patch(azure_devops, BUG, pinned(2), add(4))
    landed = azure_devops.completed(BUG)
    azure_devops.set_fault("update", cut=True, times=1)
    with pytest.raises(requests.ConnectionError):
        patch(azure_devops, BUG, pinned(3), add(5))
    azure_devops.set_fault("update", lost_answer=True, status=503, times=1)

    broken = patch(azure_devops, BUG, pinned(3), add(6))

    assert (landed, broken.status_code, azure_devops.completed(BUG)) == (4, 503, 6)


def test_a_late_write_follows_the_response(azure_devops):
    azure_devops.set_fault("update", late_landing=60, status=504)

    answer = patch(azure_devops, BUG, pinned(2), add(4))
    before = azure_devops.completed(BUG)
    azure_devops.clear_faults()

    assert (answer.status_code, before, azure_devops.completed(BUG)) == (504, 3.5, 4)


@pytest.mark.parametrize("head", [False, True])
def test_a_slow_response_ends_on_release(azure_devops, head):
    azure_devops.set_fault("work_item", drip=0.02, drip_head=head, body="0123456789", times=1)
    started = time.monotonic()

    dripped = send(azure_devops, "GET", f"_apis/wit/workitems/{BUG}")

    assert (dripped.text, time.monotonic() - started > (1.5 if head else 0.15)) == ("0123456789", True)


def test_an_endless_slow_response_ends_on_release(azure_devops):
    azure_devops.set_fault("work_item", drip=10)
    before = azure_devops.hits("work_item")
    with ThreadPoolExecutor(1) as caller:
        asked = caller.submit(send, azure_devops, "GET", f"_apis/wit/workitems/{BUG}")
        wait_for(lambda: azure_devops.hits("work_item") > before, seconds=20)
        azure_devops.clear_faults()

    assert asked.result().json()["id"] == BUG


def test_a_huge_body_and_a_redirect_can_be_ordered(azure_devops):
    azure_devops.set_fault("work_item", body="0123456789", repeat=1_000_000, times=1)
    huge = send(azure_devops, "GET", f"_apis/wit/workitems/{BUG}")
    azure_devops.set_fault("work_item", status=307, headers={"Location": "http://169.254.169.254/"}, times=1)

    away = send(azure_devops, "GET", f"_apis/wit/workitems/{BUG}")

    assert (len(huge.content), away.status_code, away.headers["Location"]) == (10**7, 307, "http://169.254.169.254/")


def test_admin_commands_edit_reset_and_mint_tokens(azure_devops):
    edited = order(azure_devops, "POST", "edit", {"id": BUG, "fields": {COMPLETED: 8}, "person": "ben"}).json()
    token = order(azure_devops, "POST", "token", {"person": "ben", "lifetime": 60}).json()["token"]
    read = send(azure_devops, "GET", f"_apis/wit/workitems/{BUG}", who=token).json()
    order(azure_devops, "POST", "reset")

    assert (edited["rev"], read["fields"][COMPLETED]) == (3, 8)
    assert (azure_devops.completed(BUG), azure_devops.revision(BUG)) == (3.5, 2)


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("faults", {"work_item": {"stauts": 500}}),
        ("faults", {"nothing": {"status": 500}}),
        ("sign-in", {"sign_in": "never"}),
        ("token", {"person": "zed"}),
        ("edit", {"id": 999, "fields": {}}),
        ("edit", {"id": 42, "fields": {}, "organization": "nowhere"}),
        ("nothing", {}),
    ],
)
def test_an_invalid_order_is_refused(azure_devops, what, body):
    answer = order(azure_devops, "POST", what, body)

    assert answer.status_code == 400
    assert answer.json()["error"]


def test_a_page_in_a_browser_sends_no_admin_commands(azure_devops):
    answer = order(azure_devops, "POST", "edit", {"id": BUG, "fields": {COMPLETED: 8}}, Origin="https://evil.example")

    assert (answer.status_code, azure_devops.completed(BUG)) == (403, 3.5)


def test_the_command_runs_it_and_the_printed_token_opens_it():
    token = processes.in_this_process("azure-devops-token", "ben").out.strip()
    unknown = processes.in_this_process("azure-devops-token", "zed")
    command = [sys.executable, "-m", "devcloud", "azure-devops", "--port", "0"]
    with subprocess.Popen(command, cwd=processes.ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("azure-devops ready on ").strip()
        headers = {"Authorization": f"Bearer {token}"}
        answer = requests.get(f"{url}/contoso/_apis/wit/workitems/42", headers=headers, timeout=5)
        process.terminate()

    assert (answer.json()["fields"]["System.Title"], process.returncode) == ("Checkout fails for guests", 0)
    assert (unknown.code, unknown.err.count("\n"), "ben" in unknown.err) == (1, 1, True)


@pytest.mark.parametrize(("kind", "has"), [("Bug", True), ("task", True), ("User%20Story", False)])
def test_a_type_lists_its_fields(azure_devops, kind, has):
    answer = send(azure_devops, "GET", f"Website/_apis/wit/workitemtypes/{kind}/fields?api-version=7.1")
    names = {each["referenceName"] for each in answer.json()["value"]}

    assert (answer.status_code, COMPLETED in names, "System.Title" in names) == (200, has, True)


def test_a_type_lists_its_states_with_their_categories(azure_devops):
    answer = send(azure_devops, "GET", "Website/_apis/wit/workitemtypes/Bug/states?api-version=7.1")
    missing = send(azure_devops, "GET", "Website/_apis/wit/workitemtypes/Chore/states?api-version=7.1")

    assert {each["name"]: each["category"] for each in answer.json()["value"]} == {
        "New": "Proposed",
        "Active": "InProgress",
        "Resolved": "Resolved",
        "Closed": "Completed",
    }
    assert (missing.status_code, missing.json()["typeKey"]) == (404, "WorkItemTypeNotFoundException")
