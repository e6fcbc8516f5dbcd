"""Malformed requests are refused quickly, with the reason, and change nothing."""

import itertools
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from pydantic.alias_generators import to_snake

from shared.db.schema import metadata
from shared.http.operation import BODY_LIMIT, OPERATIONS
from tests.support.world import WORK_ITEM, Answer, Person


pytestmark = pytest.mark.http_only
MAX_ERRORS = 20  # reported errors of a body
NOBODY = "6e74172b-be56-4843-9ff4-e66a39bb12e3"
START, STOP, REGISTER = "timers/start", "timers/stop", "tenants"
RECENT = "2026-11-23T08:30:00.000Z"
FULL: dict[str, dict[str, Any]] = {
    START: {**WORK_ITEM, "existingHours": 1.5, "note": "why", "switch": False, "startedAt": RECENT, "timerId": NOBODY},
    REGISTER: {"name": "Contoso", "azureDevOpsOrganization": "contoso", "timeZone": "UTC"},
    "entries": {
        **WORK_ITEM,
        "startedAt": "2026-11-20T09:00:00Z",
        "stoppedAt": "2026-11-20T10:00:00Z",
        "note": "why",
        "userId": NOBODY,
    },
    f"entries/{NOBODY}/write-back": {},
    f"work-items/contoso/{NOBODY}/write-back": {"takeMissing": True},
    "work-items/refresh": {"organization": "contoso", "ids": [42]},
    STOP: {"stoppedAt": RECENT, "timerId": NOBODY},
    "organizations": {"name": "labs"},
    f"projects/{NOBODY}/join": {"projectId": NOBODY},
    "sign-in": {},
    "privacy/erasure": {"scope": "person", "user": NOBODY, "confirm": "somebody@contoso.example"},
    "users": {"users": [{"email": "new@contoso.example"}]},
    "actions": {"type": "timer.opened", "page": "/work-item"},
    f"users/{NOBODY}/deactivate": {},
    f"users/{NOBODY}/reactivate": {},
    f"users/{NOBODY}/confirm-role": {},
    f"users/{NOBODY}/merge": {"into": NOBODY},
    f"entries/{NOBODY}/delete": {"reason": "twice"},
    f"billing/purchases/{NOBODY}/agree": {"plan": "team", "quantity": 5, "endAgreement": True},
    f"billing/purchases/{NOBODY}/decline": {},
    f"notices/{NOBODY}/seen": {},
    f"notices/{NOBODY}/dismissed": {},
}
COLUMNS = sorted({column.name for table in metadata.tables.values() for column in table.columns})
WIRE_NAMES = {name for body in FULL.values() for name in body}
EVERY_POST = pytest.mark.parametrize("path", FULL)


@pytest.fixture
def ada(world, engine) -> Iterator[Person]:
    """An admin; after the test every table has the same number of rows."""
    ada: Person = world.tenant()
    before = rows(engine)
    yield ada
    assert rows(engine) == before


def methods() -> dict[str, set[str]]:
    """The methods of each path, from the registered operations."""
    found: dict[str, set[str]] = {}
    for each in OPERATIONS.values():
        path = each.path.replace("{id}", NOBODY).replace("{organization}", "contoso")
        found.setdefault(path, set()).update(each.methods)
    return found


def rows(engine: sa.Engine) -> dict[str, int]:
    with engine.connect().execution_options(reads_only=True) as tx:
        return {
            name: tx.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for name, table in metadata.tables.items()
        }


def send(person: Person, path: str, body: bytes, content_type: str = "application/json") -> Answer:
    """Sends a request that must get a 4xx with instructions within half a minute, which slow parsing would exceed."""
    answer = person.http.send("POST", path, body, token=person.token, headers={"Content-Type": content_type})
    assert 400 <= answer.status < 500, answer.raw
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.body["code"]
    assert answer.body["requestId"] == answer.headers["X-Request-Id"]
    return answer


def pointers(answer: Answer) -> set[str]:
    return {error["pointer"] for error in answer.body["errors"]}


def with_raw(path: str, name: str, raw: bytes) -> bytes:
    """A valid body in which one field has exactly these bytes as its value."""
    rest = {key: value for key, value in FULL[path].items() if key != name}
    return b'{"%s":%s,%s' % (name.encode(), raw, json.dumps(rest).encode()[1:])


NOT_JSON = {
    "a word": b"hello",
    "half": b'{"organization":',
    "single quotes": b"{'a':1}",
    "two values": b"{}{}",
    "a comment": b"{}//",
    "not UTF-8": b'{"note":"\xff\xfe"}',
    "UTF-16": '{"note":"x"}'.encode("utf-16"),
    "deep arrays": b"[" * 10_000 + b"]" * 10_000,
    "deep objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "deep and open": b"[" * (BODY_LIMIT - 1),
    "a lone surrogate": b'{"note":"\\ud800"}',
    "a bare NUL": b'{"note":"\x00"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
}


@EVERY_POST
def test_a_body_that_is_not_json_is_refused(ada, path):
    for what, body in NOT_JSON.items():
        answer = send(ada, path, body)

        assert (answer.status, answer.code) == (400, "invalid_json"), what


@EVERY_POST
def test_json_that_is_no_object_is_refused(ada, path):
    for body in (b"[]", b"null", b"1", b'"text"', b"true", b"[{}]"):
        answer = send(ada, path, body)

        assert (answer.status, answer.code) == (400, "invalid_body"), body


@pytest.mark.parametrize("path", [START, REGISTER])
def test_no_body_where_fields_are_needed_is_refused(ada, path):
    assert send(ada, path, b"").status == 400


WRONG = {
    "organization": [b"1", b"null", b"[]", b"{}", b'""', b'"a b"', b'"\\u0000"', b'"contoso\\n"', b'"\xc3\xa4"'],
    "project": [b"1", b"null", b"[]", b'""', b'"  "', b'"a\\u0000b"', b'"a\\nb"', b'"%s"' % (b"x" * 65)],
    "workItemId": [b'"7"', b"true", b"null", b"7.5", b"7.0", b"0", b"-0", b"-7", b"1e999", b"2147483648", b"9" * 5000],
    "existingHours": [b'"1"', b"true", b"[]", b"-1", b"1e999", b"NaN", b"Infinity", b"-Infinity", b"9" * 5000],
    "note": [b"1", b"[]", b'"\\u0000"', b'"%s"' % (b"x" * 401), b'"%s"' % (b"\\ud83d\\ude00" * 201)],
    "switch": [b"1", b'"true"', b"null", b"[]"],
}
INSTANTS = [b"1", b"1700000000", b"true", b'""', b'"1700000000"', b'"2026-11-23"', b'"2026-11-23T09:00:00"', b'"now"']
IDS = [b"1", b"true", b'""', b'"7"', b'"%s0"' % NOBODY.encode(), b"[]", b"{}"]
WRONG |= {"startedAt": INSTANTS, "timerId": IDS}
WRONG_OF_STOP = {"stoppedAt": INSTANTS, "timerId": IDS}
WRONG_OF_TENANT = {
    "name": [b"1", b"null", b'""', b'"\\u0000"', b'"%s"' % (b"x" * 201)],
    "azureDevOpsOrganization": [b"1", b"null", b'"a b"', b'"%s"' % (b"x" * 51)],
    "timeZone": [b"1", b"null", b'"Mars/Base"', b'"../../etc/passwd"', b'"\\u0000"', b'"localtime"'],
}
ALL_WRONG = {START: WRONG, STOP: WRONG_OF_STOP, REGISTER: WRONG_OF_TENANT}
UNREADABLE = {b"NaN", b"Infinity", b"-Infinity", b"9" * 5000}


@pytest.mark.parametrize(("path", "name"), [(path, name) for path, wrong in ALL_WRONG.items() for name in wrong])
def test_a_wrong_value_is_refused_and_its_field_is_named(ada, path, name):
    for raw in ALL_WRONG[path][name]:
        answer = send(ada, path, with_raw(path, name, raw))

        assert answer.status == 400
        assert answer.code == "invalid_body" or (answer.code == "invalid_json" and raw in UNREADABLE), raw
        assert answer.code == "invalid_json" or pointers(answer) == {f"/{name}"}, raw


@EVERY_POST
def test_a_database_column_name_is_not_accepted_as_a_field(ada, path):
    extra = [column for column in COLUMNS if column not in WIRE_NAMES]
    for start in range(0, len(extra), MAX_ERRORS):
        some = extra[start : start + MAX_ERRORS]
        answer = send(ada, path, json.dumps({**FULL[path], **dict.fromkeys(some, 1)}).encode())

        assert (answer.code, pointers(answer)) == ("invalid_body", {f"/{column}" for column in some})


@pytest.mark.parametrize("path", [START, STOP, REGISTER])
def test_a_field_has_one_spelling(ada, path):
    for name in FULL[path]:
        spelled = to_snake(name)
        if spelled != name:
            answer = send(ada, path, with_raw(path, name, b'1,"%s":%s' % (spelled.encode(), b"1")))
            alone = send(ada, path, with_raw(path, name, b"1").replace(name.encode(), spelled.encode(), 1))

            assert f"/{spelled}" in pointers(answer) & pointers(alone)


@pytest.mark.parametrize("path", [START, STOP, REGISTER])
def test_a_field_given_twice_is_refused(ada, path):
    for name, value in FULL[path].items():
        raw = json.dumps(value).encode()
        answer = send(ada, path, with_raw(path, name, b'%s,"%s":%s' % (raw, name.encode(), raw)))

        assert (answer.code, pointers(answer)) == ("invalid_body", {f"/{name}"})


@EVERY_POST
def test_a_body_of_the_most_bytes_is_read_and_one_more_is_too_large(ada, path):
    most = b'{"x":"%s"}' % (b"x" * (BODY_LIMIT - 8))

    assert len(most) == BODY_LIMIT
    assert pointers(send(ada, path, most)) >= {"/x"}
    assert send(ada, path, most + b" ").status == 413
    assert send(ada, path, b"x" * 5_000_000).status == 413


@EVERY_POST
def test_a_body_that_does_not_say_it_is_json_is_refused(ada, path):
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""):
        assert send(ada, path, json.dumps(FULL[path]).encode(), content_type).status == 415, content_type


def test_every_post_is_covered():
    posts = {path for path, methods in methods().items() if "POST" in methods}
    forms = {"marketplace/activate", "marketplace/landing/purchase", "marketplace/landing/sign-out"}
    others = {"marketplace/webhook", *forms}  # Microsoft's body and forms: tests/webhooks

    assert set(FULL) | others == posts


def test_an_unknown_address_is_404(ada):
    for path in ("nothing", "timer", "timers/start/more", "%00", "..%2f..%2fetc", "a" * 5000, "%ff%fe"):
        answer = send(ada, path, b"{}")

        assert (answer.status, answer.code) == (404, "no_such_route"), path


def test_a_wrong_method_is_405_and_says_which_are_right(ada):
    right = methods()
    for path, method in itertools.product(FULL, ("PUT", "PATCH", "DELETE", "GET")):
        if method in right[path]:
            continue
        answer = ada.http.send(method, path, token=ada.token)

        assert (answer.status, answer.code) == (405, "method_not_allowed"), (path, method)
        assert answer.headers["Allow"] == ", ".join(sorted(right[path]))


@pytest.mark.parametrize("path", [START, STOP, "sign-in", "entries"])
def test_a_body_in_chunks_is_refused_with_a_request_for_its_length(ada, host, path):
    """The platform drops such a body; a stop without its `stoppedAt` must not end the timer now."""
    answer = send_raw(host, path, ada.token, chunked(json.dumps(FULL[path]).encode()))

    assert answer.startswith(b"HTTP/1.1 411")
    assert b"length_required" in answer
    assert b"in one piece, with its length" in answer.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("content_type", [b"", b"Content-Type: application/json\r\n"])
def test_a_request_with_neither_length_nor_chunks_has_no_body(ada, host, content_type):
    """As curl sends it, with and without a type (RFC 9112, 6.3)."""
    answer = send_raw(host, STOP, ada.token, content_type + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 409")
    assert b"no_running_timer" in answer


def test_a_query_that_is_not_utf_8_is_refused(ada):
    """Replaced characters would change the filter."""
    for query in ("project=%ff", "project=caf%E9", "%fe=1", "project=%ed%a0%80"):
        answer = ada.get(f"entries?{query}")

        assert (answer.status, answer.code) == (400, "invalid_query"), query
        assert "UTF-8" in answer.body["errors"][0]["detail"]


def chunked(body: bytes) -> bytes:
    head = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


def send_raw(host: str, path: str, token: str, rest: bytes) -> bytes:
    """The whole response to a POST; `rest` is the end of the head, and the body."""
    address = urlsplit(host)
    head = f"POST /api/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n"
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(head.encode() + rest)
        return b"".join(iter(lambda: connection.recv(65536), b""))
