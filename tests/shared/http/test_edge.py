"""The edge: early and short errors, few health queries, caching of the contract."""

import gzip
import json

import pytest

import function_app
from shared.http.openapi import document
from shared.http.operation import OPERATIONS
from shared.liveness import CACHE_SECONDS, Liveness
from shared.permissions import Access
from tests.support.world import new_id


pytestmark = pytest.mark.http_only
assert function_app.app, "indexing the app is what registers the operations"
FOR_ADMINS = sorted(
    name for name, each in OPERATIONS.items() if each.permission.access > Access.USER and each.body is not None
)
LIMIT = 64 * 1024


def send(person, name, body):
    operation = OPERATIONS[name]
    path = operation.path.replace("{id}", new_id()).replace("{organization}", "contoso")
    return person.http.send(operation.method, path, body, token=person.token, headers={"If-Match": "*"})


@pytest.mark.parametrize("name", FOR_ADMINS)
def test_a_missing_role_is_reported_before_errors_in_the_body(world, name):
    ben = world.member(world.tenant())
    answers = [send(ben, name, body) for body in (b'{"no": "such field"}', b"{", b"[]")]

    assert [(each.status, each.code) for each in answers] == [(403, "role_required")] * 3


def test_a_missing_account_is_reported_before_errors_in_the_body(world):
    ada = world.tenant()
    nobody = world.person(ada.tid)
    answer = nobody.post("timers/start", {"no": "such field"})

    assert (answer.status, answer.code) == (403, "not_signed_in")


def test_a_long_invalid_list_reports_its_first_wrong_item(world):
    ada = world.tenant()
    answer = ada.post("users", b'{"users":[' + b",".join([b"{}"] * (LIMIT // 3 - 10)) + b"]}")

    assert answer.status == 400
    assert [each["pointer"] for each in answer.body["errors"]] == ["/users/0/email"]


@pytest.mark.parametrize("nested", [False, True])
def test_thousands_of_unknown_fields_give_one_error(world, nested):
    ada = world.tenant()
    many = {f"{number:x}": 1 for number in range(5000)}
    answer = ada.post("users", {"users": [many]} if nested else many)

    assert (answer.status, answer.code) == (400, "invalid_body")
    assert answer.body["errors"] == [{"pointer": "", "detail": "must have at most 50 fields"}]


def test_a_filter_that_is_not_utf8_is_refused(world):
    ada = world.tenant()
    answer = ada.get("entries?project=%ff")

    assert (answer.status, answer.code) == (400, "invalid_query")


def test_health_queries_the_database_only_from_time_to_time(http, record_statements):
    with record_statements() as sent:
        answers = [http.send("GET", "health") for _ in range(3)]

    assert [(answer.status, answer.body["status"]) for answer in answers] == [(200, "ok")] * 3
    assert len(sent) <= 1


def test_a_success_is_checked_again_after_a_while_and_a_failure_at_once():
    time, asked, fails = [0.0], [], [True]

    def ask():
        asked.append(time[0])
        if fails[0]:
            raise ConnectionError

    liveness: Liveness[None] = Liveness(lambda: time[0])
    for _ in range(2):
        with pytest.raises(ConnectionError):
            liveness.check(ask)
    fails[0] = False
    for instant in (0.0, CACHE_SECONDS - 0.1, CACHE_SECONDS, CACHE_SECONDS + 1):
        time[0] = instant
        liveness.check(ask)

    assert asked == [0.0, 0.0, 0.0, CACHE_SECONDS]


def test_an_unchanged_contract_is_304_for_its_etag(http):
    first = http.send("GET", "openapi.json", headers={"Accept-Encoding": "identity"})
    tag = first.headers["ETag"]
    again = [http.send("GET", "openapi.json", headers={"If-None-Match": each}) for each in (tag, f'"x", {tag}', "*")]
    other = http.send("GET", "openapi.json", headers={"If-None-Match": '"x"'})

    assert first.headers["Cache-Control"] == "public, max-age=300"
    assert {each.strip() for each in first.headers["Vary"].split(",")} == {"Accept-Encoding", "Origin"}
    assert [(each.status, each.raw, each.headers["ETag"]) for each in again] == [(304, b"", tag)] * 3
    assert (other.status, other.headers["ETag"]) == (200, tag)


def test_the_contract_is_compressed_for_clients_that_accept_gzip(http):
    plain = http.send("GET", "openapi.json", headers={"Accept-Encoding": "identity"})
    url, headers = f"{http.base}/api/openapi.json", {"Accept-Encoding": "gzip"}
    packed = http.pool.request("GET", url, headers=headers, timeout=30, decode_content=False)
    raw = packed.data

    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(raw) < len(plain.raw) / 5
    assert json.loads(gzip.decompress(raw)) == plain.body == document()
