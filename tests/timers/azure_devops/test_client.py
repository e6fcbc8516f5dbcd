"""The client of Azure DevOps, against a server that speaks and fails like it."""

import json
import logging
import random
import sys
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.wrappers import Request, Response

from devcloud.emulators.server import serving
from devcloud.ports import listen
from shared.deadline import Deadline
from shared.http.problem import to_problem
from tests.support.azure_devops import running
from tests.support.budget import tries
from tests.support.marketplace import wait_until
from timers.azure_devops.client import AzureDevOpsClient, _Pauses
from timers.azure_devops.errors import (
    AzureDevOpsError,
    AzureDevOpsForbidden,
    AzureDevOpsUnavailable,
    OutcomeUnknown,
    Rejected,
    SignInRequired,
    Throttled,
    WorkItemChanged,
    WorkItemNotFound,
)
from timers.azure_devops.model import COMPLETED, Update, WorkItem, parse_work_item


BUG, STORY = 42, 61
ADA, BEN = (1, 1), (1, 2)
JSON = {"Content-Type": "application/json; charset=utf-8; api-version=7.1"}
HTML = "<!DOCTYPE html><html><head><title>Azure DevOps Services | Sign In</title></head></html>"
SIGNED_OUT = {"status": 401, "headers": {"WWW-Authenticate": "Bearer authorization_uri=https://login.example/x"}}


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def slow():
    """A server of the test's own: what is given up in it may arrive later, and should meet no other test."""
    with running() as azure_devops:
        yield azure_devops


@pytest.fixture
def patient(slow):
    client = AzureDevOpsClient(slow.url)
    yield client
    slow.clear_faults()
    client.close()


@pytest.fixture
def client(azure_devops):
    client = AzureDevOpsClient(azure_devops.url)
    yield client
    client.close()


@pytest.fixture
def session(client, azure_devops):
    return client.open_session("contoso", azure_devops.token(), user=ADA, deadline=Deadline.after(5))


def refusal(message, key="Exception", **more):
    return {"body": json.dumps({"$id": "1", "message": message, "typeKey": key}), "headers": JSON, **more}


def write(session, hours="4.25", *, revision=2, number=BUG):
    return session.set_completed_work(
        number, revision=revision, hours=Decimal(hours), history="TimeTracker: 0.75 h #1f"
    )


def test_a_work_item_is_read_completely(session):
    item = session.work_item(BUG)

    assert item == WorkItem(
        id=42,
        rev=2,
        type="Bug",
        title="Checkout fails for guests",
        assignee_name="Ben Okafor",
        state="Active",
        project="Website",
        completed_hours=Decimal("3.5"),
    )


def test_many_items_are_read_in_batches_of_200_without_missing_ones(session, azure_devops):
    before = azure_devops.hits("batch")

    found = session.work_items([*range(1, 402), 42, 42])

    assert (len(found), azure_devops.hits("batch") - before) == (40, 3)
    assert found[BUG] == session.work_item(BUG)
    assert found[63].completed_hours is None
    assert found[63].assignee_name is None
    assert session.work_items([]) == {}


def test_titles_are_searched_for_every_word(session, azure_devops):
    azure_devops.edit(43, Title="Why the checkout fails")

    assert session.search_titles("CHECKOUT fails", most=20) == [43, 42]
    assert session.search_titles("checkout fails", most=1) == [43]
    assert session.search_titles("customer's", most=20) == [91]
    assert session.search_titles("' \" ''", most=20) == []


@pytest.mark.parametrize("body", ["{}", "[]", '{"workItems": [{"id": "42"}]}', '{"workItems": null}', "no json"])
def test_an_unreadable_result_of_a_query_is_no_result(session, azure_devops, body):
    azure_devops.set_fault("wiql", body=body, headers=JSON)
    with pytest.raises(AzureDevOpsUnavailable):
        session.search_titles("checkout", most=20)


def test_a_guest_gets_only_visible_data(client, azure_devops):
    session = client.open_session("Contoso", azure_devops.token("gus"), user=BEN, deadline=Deadline.after(5))

    assert set(session.work_items([42, 66])) == {42}
    with pytest.raises(WorkItemNotFound):
        session.work_item(66)


def test_an_organization_with_processes_without_hours_can_be_read(session, azure_devops):
    azure_devops.set_fault("batch", **refusal(f"TF51535: Cannot find field {COMPLETED}.", status=400, times=1))

    assert session.work_items([BUG])[BUG].completed_hours is None


@pytest.mark.parametrize(
    ("assigned", "name"),
    [
        ({"displayName": "Ada Lovelace", "uniqueName": "ada@contoso.example"}, "Ada Lovelace"),
        ("Ada Lovelace <ada@contoso.example>", "Ada Lovelace"),
        ("Ada Lovelace", "Ada Lovelace"),
        ("ada@contoso.example", None),
        ("<ada@contoso.example>", None),
        ({"displayName": "ada@contoso.example"}, None),
        ({"displayName": " "}, None),
        ({"displayName": "Ada\u0000\nLovelace\u202e"}, "AdaLovelace"),
        ({"uniqueName": "ada@contoso.example"}, None),
        (7, None),
        (None, None),
    ],
)
def test_only_the_name_of_the_assignee_is_kept(assigned, name):
    assert parse_work_item({"id": 1, "rev": 1, "fields": {"System.AssignedTo": assigned}}).assignee_name == name


@given(st.text() | st.dictionaries(st.sampled_from(["displayName", "uniqueName"]), st.text()))
def test_no_assignees_name_has_an_address_or_does_not_fit(assigned):
    name = parse_work_item({"id": 1, "rev": 1, "fields": {"System.AssignedTo": assigned}}).assignee_name

    assert name is None or (name.isprintable() and "@" not in name and len(name.encode("utf-16-le")) <= 512)


def test_long_titles_and_odd_characters_fit_their_columns():
    fields = {"System.Title": "🚀" * 300 + "\x00", "System.State": "x\ud800y", "System.WorkItemType": 7}

    item = parse_work_item({"id": 1, "rev": 1, "fields": fields})

    assert (item.title, item.state, item.type) == ("🚀" * 200, "xy", "")


def update(session, number, rev):
    """What a revision changed, without its instant."""
    found = session.update(number, rev)
    assert found.changed_at is not None
    return replace(found, changed_at=None)


def test_hours_are_written_to_the_revision_that_was_read_with_a_mark(session, azure_devops):
    written = write(session)

    assert (written.rev, written.completed_hours) == (3, Decimal("4.25"))
    assert azure_devops.completed(BUG) == 4.25
    assert update(session, BUG, 3) == Update(3, Decimal("3.5"), Decimal("4.25"), "TimeTracker: 0.75 h #1f")


def test_a_stale_revision_is_refused_and_nothing_is_written(session, azure_devops):
    azure_devops.edit(BUG, Title="Another title")

    with pytest.raises(WorkItemChanged):
        write(session)

    assert (azure_devops.completed(BUG), azure_devops.revision(BUG)) == (3.5, 3)


def test_of_many_writers_of_one_revision_one_succeeds(session, azure_devops):
    def attempt(hours):
        try:
            write(session, hours)
        except WorkItemChanged:
            return 0
        return 1

    with ThreadPoolExecutor(12) as threads:
        landed = sum(threads.map(attempt, range(12)))

    assert (landed, azure_devops.revision(BUG)) == (1, 3)


def test_a_type_without_hours_rejects_them_with_a_reason(session):
    with pytest.raises(Rejected) as caught:
        write(session, number=STORY)

    assert caught.value.message == f"TF51535: Cannot find field {COMPLETED}."
    assert caught.value.detail == f"Azure DevOps rejected this request: TF51535: Cannot find field {COMPLETED}."


@pytest.mark.parametrize("hours", ["NaN", "Infinity"])
def test_a_value_that_is_not_a_number_is_never_sent(session, azure_devops, hours):
    before = azure_devops.hits("update")

    with pytest.raises(ValueError, match="JSON"):
        write(session, hours)

    assert azure_devops.hits("update") == before


def test_the_update_of_a_revision_is_found_behind_links_and_pages(session, azure_devops):
    for number in range(30):
        azure_devops.emulator.workspace.board("contoso").link(BUG)
        azure_devops.edit(BUG, hours=10 + number)

    assert update(session, BUG, 32) == Update(32, Decimal(38), Decimal(39), None)
    assert update(session, BUG, 3) == Update(3, Decimal("3.5"), Decimal(10), None)
    assert update(session, BUG, 1) == Update(1, None, None, None)
    assert session.update(BUG, 33) is None


def test_an_update_has_hours_that_appeared_or_disappeared(session, azure_devops):
    azure_devops.edit(63, hours=1)
    azure_devops.edit(63, hours=None)
    azure_devops.edit(63, Title="Another title", History="why")

    assert update(session, 63, 2) == Update(2, None, Decimal(1), None)
    assert update(session, 63, 3) == Update(3, Decimal(1), None, None)
    assert update(session, 63, 4) == Update(4, None, None, "why")


ANSWERS = [
    ({"status": 203, "body": HTML}, SignInRequired),
    ({"status": 200, "body": HTML}, SignInRequired),
    ({"status": 302, "headers": {"Location": "https://login.example/_signin"}}, SignInRequired),
    (SIGNED_OUT, SignInRequired),
    (refusal("TF400813: The user is not authorized.", status=401), SignInRequired),
    (refusal("Access denied.", "AccessDeniedException", status=403), AzureDevOpsForbidden),
    ({"status": 403, "body": HTML}, AzureDevOpsForbidden),
    (refusal("TF401232: Work item 42 does not exist, or you do not have permissions.", status=404), WorkItemNotFound),
    (refusal("TF401232: Work item 42 does not exist, or you do not have permissions.", status=400), WorkItemNotFound),
    ({"status": 404, "body": HTML}, WorkItemNotFound),
    (refusal("TF401320: Rule Error for field State.", status=400), Rejected),
    ({"status": 400, "body": "{", "headers": JSON}, Rejected),
    (refusal("TF26071: This work item has been changed by someone else.", status=409), WorkItemChanged),
    (refusal("TF26071: This work item has been changed by someone else.", status=400), WorkItemChanged),
    (refusal("Gone on.", "WorkItemRevisionMismatchException", status=400), WorkItemChanged),
    (refusal("The test operation failed.", "TestPatchOperationFailedException", status=412), WorkItemChanged),
    (refusal("TF400733: The request has been canceled.", status=429, times=1), Throttled),
    ({"status": 429, "body": HTML}, Throttled),
]
NO_ANSWERS = [
    {"status": 500, "body": HTML},
    refusal("TF246021: An error occurred while processing your request.", status=503),
    {"status": 408},
    {"status": 204},
    {"cut": True},
    {"body": " " * 1024, "repeat": 9 * 1024, "headers": JSON},  # larger than anything it says
]
NONSENSE = [
    *(
        '{"id": 42, "rev"',
        "[]",
        '{"id": true, "rev": 3}',
        '{"id": 42, "rev": 3, "fields": 7}',
        "9" * 9000,
        "[" * 90_000,
    ),
    *(f'{{"id": 42, "rev": 3, "fields": {{"{COMPLETED}": {value}}}}}' for value in ("NaN", '"7"', "1e400", "true")),
]


@pytest.mark.parametrize(("fault", "error"), ANSWERS)
def test_each_response_has_its_error(session, azure_devops, fault, error):
    azure_devops.set_fault("work_item", **fault)
    azure_devops.set_fault("update", **fault)

    with pytest.raises(AzureDevOpsError) as reading:
        session.work_item(BUG)
    with pytest.raises(AzureDevOpsError) as writing:
        write(session)

    assert (type(reading.value), type(writing.value)) == (error, error)
    assert azure_devops.completed(BUG) == 3.5


@pytest.mark.parametrize("fault", NO_ANSWERS)
def test_without_a_response_a_read_is_repeated_and_a_write_never(session, azure_devops, fault):
    azure_devops.set_fault("work_item", **fault)
    azure_devops.set_fault("update", **fault)
    before = azure_devops.hits("work_item"), azure_devops.hits("update")

    with pytest.raises(AzureDevOpsUnavailable) as reading:
        session.work_item(BUG)
    with pytest.raises(OutcomeUnknown):
        write(session)

    assert type(reading.value) is AzureDevOpsUnavailable
    assert (azure_devops.hits("work_item"), azure_devops.hits("update")) == (before[0] + 3, before[1] + 1)


@pytest.mark.parametrize("body", NONSENSE, ids=range(len(NONSENSE)))
def test_an_unreadable_response_counts_as_none(session, azure_devops, body):
    azure_devops.set_fault("work_item", body=body, headers=JSON)
    azure_devops.set_fault("update", body=body, headers=JSON)

    with pytest.raises(AzureDevOpsUnavailable) as reading:
        session.work_item(BUG)
    with pytest.raises(OutcomeUnknown):
        write(session)

    assert type(reading.value) is AzureDevOpsUnavailable


def test_a_read_is_retried_until_it_succeeds(session, azure_devops):
    azure_devops.set_fault("work_item", status=502, times=2)

    assert session.work_item(BUG).rev == 2


def test_without_a_connection_a_write_was_certainly_not_made(azure_devops):
    with listen(0) as listening:
        port = listening.getsockname()[1]
    client = AzureDevOpsClient(f"http://127.0.0.1:{port}")

    with pytest.raises(AzureDevOpsUnavailable) as caught:
        write(client.open_session("contoso", azure_devops.token(), user=ADA, deadline=Deadline.after(5)))

    client.close()
    assert type(caught.value) is AzureDevOpsUnavailable


@pytest.mark.parametrize(
    "fault", [{"lost_answer": True}, {"lost_answer": True, "status": 502}, {"late_landing": 0.2}], ids=str
)
def test_a_write_whose_response_is_lost_is_found_in_the_history(session, azure_devops, fault):
    azure_devops.set_fault("update", **fault, times=1)

    with pytest.raises(OutcomeUnknown):
        write(session)
    azure_devops.clear_faults()

    assert update(session, BUG, session.work_item(BUG).rev) == Update(
        3, Decimal("3.5"), Decimal("4.25"), "TimeTracker: 0.75 h #1f"
    )


ENDLESS = {"body": " ", "repeat": 1_000_000, "headers": JSON}
SLOW = {
    "hangs": {"hang": True},
    "drips": {"drip": 0.05, **ENDLESS},
    "drips from its head on": {"drip": 0.05, "drip_head": True, **ENDLESS},
}


@pytest.mark.parametrize("fault", SLOW.values(), ids=SLOW)
def test_the_deadline_ends_a_call_whose_response_has_no_end(patient, slow, fault):
    slow.set_fault("work_item", **fault)
    slow.set_fault("update", **fault)
    for call, error in ((lambda session: session.work_item(BUG), AzureDevOpsUnavailable), (write, OutcomeUnknown)):
        with pytest.raises(error):
            call(patient.open_session("contoso", slow.token(), user=ADA, deadline=Deadline.after(0.5)))


def test_all_calls_of_a_session_have_one_deadline_after_which_nothing_is_sent(client, azure_devops):
    session = client.open_session("contoso", azure_devops.token(), user=ADA, deadline=Deadline.after(0.5))
    item, before = session.work_item(BUG), azure_devops.hits("update")
    wait_until(lambda: session._deadline.left == 0)

    with pytest.raises(AzureDevOpsUnavailable) as caught:
        write(session, revision=item.rev)

    assert (type(caught.value), azure_devops.hits("update")) == (AzureDevOpsUnavailable, before)


def test_hanging_calls_delay_no_other_call_beyond_its_deadline(patient, slow):
    """Sixteen threads of the client's wait without an end; the others come to none of them, and are let go."""
    slow.set_fault("work_item", hang=True)
    token = slow.token()

    def look(number, seconds):
        return patient.open_session("contoso", token, user=(1, number), deadline=Deadline.after(seconds)).work_item(BUG)

    def look_in_vain(number):
        with pytest.raises(AzureDevOpsUnavailable):
            look(number, 0.3)

    with ThreadPoolExecutor(80) as threads:
        hanging = [threads.submit(look, number, 60) for number in range(16)]
        wait_until(lambda: slow.hits("work_item") == 16)
        list(threads.map(look_in_vain, range(16, 80)))
        still_hanging = not any(each.done() for each in hanging)
        slow.clear_faults()

    assert still_hanging
    assert [each.result().id for each in hanging] == [BUG] * 16


def test_a_throttled_user_sends_nothing_until_the_pause_is_over(azure_devops, clock):
    client = AzureDevOpsClient(azure_devops.url, monotonic=clock)
    ada, ben = (
        client.open_session("contoso", azure_devops.token(), user=who, deadline=Deadline.after(99))
        for who in (ADA, BEN)
    )
    azure_devops.set_fault("work_item", **refusal("TF400733", status=429, times=1) | {"headers": {"Retry-After": "30"}})
    with pytest.raises(Throttled) as first:
        ada.work_item(BUG)
    before = azure_devops.hits("work_item")
    clock.seconds += 12.5

    with pytest.raises(Throttled) as second:
        ada.work_items([BUG])
    others = ben.work_item(BUG)
    clock.seconds += 17.5
    again = ada.work_item(BUG)

    client.close()
    assert (first.value.retry_after, second.value.retry_after) == (30, 18)
    assert others == again
    assert azure_devops.hits("work_item") == before + 2


@pytest.mark.parametrize(
    ("header", "pause"),
    [("7", 7), ("0.25", 1), ("999999", 3600), ("Wed, 21 Oct 2026 07:28:00 GMT", 10), ("-1", 10), ("9" * 99, 10)],
)
def test_a_success_with_retry_after_is_a_success_and_starts_the_pause(azure_devops, clock, header, pause):
    client = AzureDevOpsClient(azure_devops.url, monotonic=clock)
    session = client.open_session("contoso", azure_devops.token(), user=ADA, deadline=Deadline.after(5))
    azure_devops.set_fault("work_item", headers={"Retry-After": header}, times=1)

    item = session.work_item(BUG)
    with pytest.raises(Throttled) as caught:
        write(session)

    client.close()
    assert (item.rev, caught.value.retry_after, azure_devops.revision(BUG)) == (2, pause, 2)


def test_an_outage_with_retry_after_is_not_retried_before_its_end(session, azure_devops):
    azure_devops.set_fault("work_item", status=503, headers={"Retry-After": "60"})
    before = azure_devops.hits("work_item")

    with pytest.raises(AzureDevOpsUnavailable) as caught:
        session.work_item(BUG)

    assert (caught.value.retry_after, azure_devops.hits("work_item")) == (60, before + 1)


def test_the_number_of_pauses_is_limited(clock):
    pauses = _Pauses(clock)
    pauses.begin((0, 0), 5)
    for user in range(10_050):
        pauses.begin((1, user), 60)

    assert len(pauses._until) == 10_000
    assert (pauses.left((1, 10_049)), pauses.left((1, 0)), pauses.left((0, 0))) == (60, 0, 0)


def test_the_longer_of_two_pauses_counts(clock):
    pauses = _Pauses(clock)
    pauses.begin(ADA, 60)
    pauses.begin(ADA, 5)

    assert pauses.left(ADA) == 60


@pytest.mark.parametrize("token", [None, "", "a b", "a\r\nX: y", "a\n", "é", "x" * 16_385, "\x7f"])
def test_an_impossible_token_is_a_missing_sign_in_and_is_not_sent(client, token):
    with pytest.raises(SignInRequired):
        client.open_session("contoso", token, user=ADA, deadline=Deadline.after(5))


def test_a_token_for_another_service_must_sign_in(client):
    with pytest.raises(SignInRequired):
        client.open_session("contoso", "not-a-token", user=ADA, deadline=Deadline.after(5)).work_item(BUG)


def test_each_failure_has_its_own_problem_document():
    kinds = [
        SignInRequired(),
        AzureDevOpsForbidden(),
        WorkItemNotFound(),
        WorkItemChanged(),
        Rejected("why"),
        Throttled(),
        AzureDevOpsUnavailable(),
    ]
    replies = [to_problem(error, operation="test", request_id="1") for error in [*kinds, OutcomeUnknown()]]

    problems = [(int(reply.status), json.loads(reply.body)["code"]) for reply in replies]
    assert problems == [
        (403, "azure_devops_sign_in_required"),
        (403, "azure_devops_forbidden"),
        (404, "work_item_not_found"),
        (409, "work_item_changed"),
        (422, "azure_devops_rejected"),
        (429, "azure_devops_throttled"),
        (503, "azure_devops_unavailable"),
        (503, "azure_devops_outcome_unknown"),
    ]
    assert ["Retry-After" in reply.headers for reply in replies] == [False] * 5 + [True] * 3


def test_a_rejections_message_is_short_and_printable():
    error = Rejected("a\x00\r\nb\u202e" + "x" * 500)

    assert error.message == "ab" + "x" * 198


def chain(error):
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("fault", [fault for fault, _ in ANSWERS] + NO_ANSWERS + [{"hang": True}])
def test_the_token_is_in_no_error_no_log_and_no_repr(patient, slow, caplog, fault):
    caplog.set_level(logging.DEBUG)
    token = slow.token()
    session = patient.open_session("contoso", token, user=ADA, deadline=Deadline.after(0.4))
    slow.set_fault("update", **fault)

    with pytest.raises(AzureDevOpsError) as caught:
        write(session)

    shown = [repr(session), repr(patient), caplog.text, *(str(vars(each)) + repr(each) for each in chain(caught.value))]
    assert not any(token[:20] in each or "Bearer" in each for each in shown)
    assert all(type(each).__module__ == "timers.azure_devops.errors" for each in chain(caught.value))


class Recorder:
    """A server that notes every request as it came."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str]]] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        self.seen.append((environ["HTTP_HOST"], environ["REQUEST_URI"], dict(request.headers)))
        headers = {**JSON, "Set-Cookie": "session=1; Path=/"}
        return Response(json.dumps({"id": 1, "rev": 1, "fields": {}}), headers=headers)(environ, start_response)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_so_the_token_stays_where_it_is_meant_for(session, azure_devops, status):
    elsewhere = Recorder()
    with serving(lambda _url: elsewhere, port=0) as url:
        for endpoint in ("work_item", "update"):
            azure_devops.set_fault(
                endpoint, status=status, headers={"Location": f"{url}/contoso/_apis/wit/workitems/42"}
            )

        with pytest.raises(AzureDevOpsError):
            session.work_item(BUG)
        with pytest.raises(AzureDevOpsError):
            write(session)

    assert elsewhere.seen == []


def test_requests_have_the_required_headers_and_neither_cookie_nor_netrc_password(monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login x password y")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    server = Recorder()
    with serving(lambda _url: server, port=0) as url:
        client = AzureDevOpsClient(url)
        for token in ("first", "second"):
            client.open_session("contoso", token, user=ADA, deadline=Deadline.after(5)).work_item(1)
        client.close()

    assert [headers["Authorization"] for _, _, headers in server.seen] == ["Bearer first", "Bearer second"]
    assert all(headers["X-Tfs-Fedauthredirect"] == "Suppress" for _, _, headers in server.seen)
    assert all("Cookie" not in headers for _, _, headers in server.seen)


NASTY = [
    *("", ".", "..", "-", "a-", "-a", "a/b", "a\\b", "a@evil.example", "@evil.example", "evil.example#", "a#", "a?b"),
    *("a%2fb", "%2e%2e", "..%2f..", "a:b", "a:80", "//evil.example", "http://evil.example", "169.254.169.254"),
    *("[::1]", "localhost:7071/x", "a\n", "a\r\nHost: evil.example", "\ncontoso", "contoso\x00", "a b", "\tcontoso"),
    *(
        "cont\u2024oso",
        "evil\u3002example",
        "ev\uff0eil",
        "\u212aelvin",
        "\uff43ontoso",
        "é",
        "a" * 51,
        "a;b",
        "a&b",
        "a=b",
    ),
    *("contoso/../fabrikam", "contoso/_apis", "a\u202eb", "\ud800", "xn--a", "a--b", "A" * 50, "0", "7" * 50, "²", "٣"),
]
ALPHABET = "abzABZ0189-" * 3 + "-.@#%/\\?:[]&=;+~ \n\r\t\x00_²٣é\u2024\u3002\uff0e\uff0f\u202e\u212a\ud800'\"<>"
MANY = tries(2000)
PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def names(count):
    dice = random.Random(13)  # noqa: S311 - the same corpus each time
    yield from NASTY
    for number in range(count - len(NASTY)):
        if number % 4:
            name = "".join(dice.choice(ALPHABET) for _ in range(dice.choice((1, 2, 3, 5, 8, 50, 51))))
        else:  # a good name, perhaps with one character changed or added
            name = dice.choice(PLAIN) + "".join(dice.choice(PLAIN + "-") for _ in range(dice.randrange(48)))
            place = dice.randrange(len(name) + 1)
            if dice.random() < 0.5:
                name = name[:place] + dice.choice(ALPHABET) + name[place + dice.randrange(2) :]
        yield name


_reached: list[tuple[str, object]] = []
_watching = threading.Event()


def _watch(event, args):
    if _watching.is_set() and event in {"socket.connect", "socket.getaddrinfo"}:
        _reached.append((event, args[1] if event == "socket.connect" else args[0]))


def test_no_name_of_an_organization_sends_a_token_elsewhere():
    """2,000 names, or 40,000 with `--all`: each is refused, or asked for at the one host under exactly that name."""
    sys.addaudithook(_watch)
    server = Recorder()
    sent = []
    with serving(lambda _url: server, port=0) as url:
        client, host = AzureDevOpsClient(url), url.removeprefix("http://")
        _watching.set()
        for number, name in enumerate(names(MANY)):
            try:
                client.open_session(name, "token", user=(1, number), deadline=Deadline.after(5)).work_item(1)
                sent.append(name)
            except Rejected:
                continue
        _watching.clear()
        client.close()

    def is_plain(name):
        return 0 < len(name) <= 50 and set(name) <= set(PLAIN + "-") and name[0] != "-" and name[-1] != "-"

    assert sent == [name for name in names(MANY) if is_plain(name)]
    assert 0.1 < len(sent) / MANY < 0.9
    assert [(host, f"/{name}/_apis/wit/workitems/1?api-version=7.1") for name in sent] == [
        (named, path) for named, path, _ in server.seen
    ]
    assert {address for event, address in _reached if event == "socket.connect"} == {
        ("127.0.0.1", int(host.partition(":")[2]))
    }
    assert {name for event, name in _reached if event == "socket.getaddrinfo"} <= {"127.0.0.1"}


def test_a_person_of_another_organization_must_sign_in_there(client, azure_devops):
    with pytest.raises(SignInRequired):
        client.open_session("fabrikam", azure_devops.token("ada"), user=ADA, deadline=Deadline.after(5)).work_item(BUG)
    with pytest.raises(WorkItemNotFound):
        client.open_session("nowhere", azure_devops.token("ada"), user=ADA, deadline=Deadline.after(5)).work_item(BUG)


def item(number, kind="Task", project="Website", state="Active"):
    return WorkItem(number, 1, kind, "", None, state, project, None)


def test_a_type_without_the_field_is_cached_for_a_day(azure_devops, clock):
    client = AzureDevOpsClient(azure_devops.url, monotonic=clock)
    session = client.open_session("contoso", azure_devops.token(), user=ADA, deadline=Deadline.after(5))
    story, before = item(STORY, "User Story"), azure_devops.hits("type_fields")
    first = session.is_known_to_lack_completed_work(story)
    found = session.lacks_completed_work(story), session.lacks_completed_work(item(BUG, "Bug"))
    known = session.is_known_to_lack_completed_work(story), session.is_known_to_lack_completed_work(item(BUG, "Bug"))
    clock.seconds += 24 * 3600 + 1
    forgotten = session.is_known_to_lack_completed_work(story)
    client.close()

    assert (first, found, known, forgotten) == (False, (True, False), (True, False), False)
    assert azure_devops.hits("type_fields") == before + 2


def test_an_item_is_closed_by_the_category_of_its_state(azure_devops, client):
    session, before = (
        client.open_session("contoso", azure_devops.token(), user=ADA, deadline=Deadline.after(5)),
        azure_devops.hits("type_states"),
    )
    closed = [session.is_closed(item(1, state=state)) for state in ("New", "Active", "Closed", "Removed")]

    assert closed == [False, False, True, True]
    assert azure_devops.hits("type_states") == before + 1


@pytest.mark.parametrize(("kind", "project"), [("..", "Website"), ("Task", ".."), ("", "Website"), ("Task", ".")])
def test_a_type_or_project_that_would_change_the_path_is_not_sent(azure_devops, client, kind, project):
    session = client.open_session("contoso", azure_devops.token(), user=ADA, deadline=Deadline.after(5))

    with pytest.raises(AzureDevOpsUnavailable):
        session.is_closed(item(1, kind, project))
