"""The guide in docs/api.md: its examples are real, and it explains every error code."""

import json
import re
from http import HTTPStatus

import pytest

import function_app
from shared.errors import MethodNotAllowed
from shared.http.openapi import problem_codes
from shared.http.operation import OPERATIONS
from tools.docs.api import GUIDE, codes_of


pytestmark = pytest.mark.http_only
assert function_app.app, "indexing the app is what registers the operations"
TEXT = GUIDE.read_text()
BLOCKS = re.findall(r"```http\n(.*?)\n```", TEXT, re.DOTALL)
EXAMPLES = list(zip(BLOCKS[::2], BLOCKS[1::2], strict=True))
RANDOM = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<=-)[0-9a-f]{8}$")


def replace_ids(value, ids):
    """The JSON value with each random id replaced by the guide's id."""
    if isinstance(value, dict):
        return {name: replace_ids(each, ids) for name, each in value.items()}
    if isinstance(value, list):
        return [replace_ids(each, ids) for each in value]
    return RANDOM.sub(lambda found: ids.get(found[0], found[0]), value) if isinstance(value, str) else value


def texts(value):
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value] if isinstance(value, str) else [text for part in parts for text in texts(part)]


def pair_ids(ours, theirs):
    """The random ids of one JSON value, each with that of the other value in the same place."""
    pairs = zip(texts(ours), texts(theirs), strict=True)
    return {
        own: other
        for left, right in pairs
        for own, other in zip(RANDOM.findall(left), RANDOM.findall(right), strict=True)
    }


def send(person, request):
    head, _, body = request.partition("\n\n")
    line, *headers = head.split("\n")
    method, path = line.split(" ")
    fields = dict(header.split(": ", 1) for header in headers)
    return person.http.send(method, path, json.loads(body) if body else None, token=person.token, headers=fields)


def test_the_examples_are_requests_and_responses_of_the_product(world, clock):
    ada = world.person(name="Ada Lovelace", email="ada@example.com")
    ada.post("tenants", {"name": "Example Ltd", "azureDevOpsOrganization": "example", "timeZone": "Europe/Berlin"})
    ids: dict[str, str] = {}
    times = iter(["09:00", "09:25", "10:30"])
    for request, response in EXAMPLES:
        if "/timers/" in request:
            clock.set(f"2026-11-23T{next(times)}:00Z")
        answer = send(ada, replace_ids(request, ids))
        head, _, text = response.partition("\n\n")
        (status, *headers), document = head.split("\n"), json.loads(text)
        ids |= pair_ids(document, answer.body)

        assert status == f"{answer.status} {HTTPStatus(answer.status).phrase}"
        assert answer.body == replace_ids(document, ids)
        assert headers == [f"{name}: {answer.headers[name]}" for name in ("ETag",) if name in answer.headers]

    assert len(EXAMPLES) == 8


def test_the_guide_lists_the_headers_of_cross_origin_requests(http):
    origin = {"Origin": "https://extension.example"}
    preflight = http.send("OPTIONS", "timers/start", headers={**origin, "Access-Control-Request-Method": "POST"})
    response = http.send("GET", "health", headers=origin)
    names = f"{preflight.headers['Access-Control-Allow-Headers']}, {response.headers['Access-Control-Expose-Headers']}"
    section = TEXT.partition("### Cross-origin requests")[2].partition("###")[0]

    assert {f"`{name}`" for name in names.split(", ")} <= set(re.findall(r"`[\w-]+`", section))


def test_the_guide_explains_every_error_code():
    codes = {
        (status, code)
        for operation in OPERATIONS.values()
        for status, codes in problem_codes(operation).items()
        for code in codes
    }

    assert codes_of(TEXT) == codes | {(404, "no_such_route"), (405, MethodNotAllowed.code)}
