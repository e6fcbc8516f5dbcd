"""Every error is a problem document."""

import inspect

import pytest

from shared import errors
from shared.errors import ApiError
from shared.http.problem import PROBLEM_JSON, to_api_error, to_problem
from tests.support.world import WORK_ITEM


pytestmark = pytest.mark.http_only


def every_error():
    for _, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, ApiError) and kind is not ApiError:
            yield kind


@pytest.mark.parametrize("kind", list(every_error()), ids=lambda kind: kind.__name__)
def test_every_error_has_a_status_a_title_and_a_code(kind):
    reply = to_problem(kind("what to do"), operation="test", request_id="request-1")

    assert 400 <= reply.status < 600
    assert kind.title
    assert kind.code.replace("_", "").isalpha()
    assert kind.code in (errors.__doc__ or "")


@pytest.mark.parametrize(
    "error", [ValueError("SELECT secret FROM users"), KeyError("x"), RecursionError(), MemoryError()]
)
def test_an_unexpected_error_reveals_no_details(error):
    problem = to_api_error(error)

    assert (int(problem.status), problem.code) == (500, "internal_error")
    assert "secret" not in problem.detail


def producers(world):
    ada = world.tenant()
    send = ada.http.send
    yield 400, send("POST", "timers/start", b"{", token=ada.token)
    yield 400, send("POST", "timers/start", {**WORK_ITEM, "workItemId": "7"}, token=ada.token)
    yield 400, ada.get("reports/month")
    yield 400, ada.get("timer-log", after="nonsense")
    yield 401, send("GET", "me")
    yield 403, world.person().get("me")
    yield 404, send("GET", "no/such/route")
    yield 404, send("GET", "")
    yield 405, send("PUT", "timers/start", {}, token=ada.token)
    yield 405, send("HEAD", "timers/start")
    yield 409, ada.stop()
    yield 413, send("POST", "timers/start", b" " * (64 * 1024 + 1), token=ada.token)
    yield 415, send("POST", "timers/start", b"{}", token=ada.token, headers={"Content-Type": "text/plain"})


def test_every_error_is_a_problem_document(world):
    for status, answer in producers(world):
        assert answer.status == status, answer.raw
        assert answer.headers["Content-Type"] == PROBLEM_JSON
        if not answer.raw:  # the answer to HEAD has no body
            continue
        body = answer.body

        assert body["status"] == status
        assert body.keys() >= {"type", "title", "status", "detail", "code", "requestId"}
        assert body["type"] == f"urn:timetracker:problem:{body['code']}"
        assert body["requestId"] == answer.headers["X-Request-Id"]
        assert all(each.keys() == {"pointer", "detail"} for each in body.get("errors", []))


def test_a_wrong_method_gets_the_allowed_ones(http):
    answer = http.send("PUT", "timers/running")

    assert (answer.status, answer.headers["Allow"]) == (405, "DELETE, GET, HEAD, PATCH")


def test_no_response_may_be_cached(world):
    ada = world.tenant()
    answers = [ada.get("me"), ada.running(), ada.stop(), ada.get("no-such-route"), ada.http.send("GET", "health")]

    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}
    assert {answer.headers["X-Content-Type-Options"] for answer in answers} == {"nosniff"}
