"""The version of the API: in every response, by header or query parameter in a request."""

import datetime as dt

import azure.functions as func
import pytest

import function_app
from shared.errors import InvalidRequest
from shared.http.operation import OPERATIONS, Deprecated
from shared.http.versions import CURRENT, require_version, version_headers
from tests.support.cases import check_all
from tests.support.landing import LANDING
from tests.support.world import new_id


pytestmark = pytest.mark.http_only
assert function_app.app, "indexing the app is what registers the operations"
VERSIONED = sorted(name for name, each in OPERATIONS.items() if each.is_versioned)
OLD = Deprecated(dt.date(2027, 3, 1), "openapi.json", ends=dt.date(2027, 9, 1))
TWO = {"2026-12-01": OLD, "2027-03-01": None}


def request(header=None, query=None):
    headers, params = ({} if value is None else {"api-version": value} for value in (header, query))
    return func.HttpRequest("GET", "https://api.example/api/me", headers=headers, params=params, body=b"")


def test_every_response_has_the_version(world):
    ada = world.tenant()
    answers = [
        ada.get("me"),
        ada.stop(),
        ada.get("no/such/route"),
        ada.http.send("GET", "me"),
        ada.http.send("PUT", "me", token=ada.token),
        ada.http.send("HEAD", "me", token=ada.token),
        ada.http.send("GET", "health"),
        ada.http.send("GET", "openapi.json"),
        ada.get("me", **{"api-version": "1999-01-01"}),
    ]

    assert [answer.status for answer in answers] == [200, 409, 404, 401, 405, 200, 200, 200, 400]
    assert {answer.headers["api-version"] for answer in answers} == {CURRENT}


def test_a_version_is_asked_for_by_header_or_in_the_address(world):
    ada = world.tenant()
    by_header = ada.http.send("GET", "me", token=ada.token, headers={"api-version": CURRENT})
    by_query = ada.get("me", **{"api-version": CURRENT})
    both = ada.http.send("GET", f"me?api-version={CURRENT}", token=ada.token, headers={"Api-Version": CURRENT})

    assert [answer.status for answer in (by_header, by_query, both)] == [200, 200, 200]


def test_an_unknown_version_is_refused_everywhere_before_anything_else(http):
    def holds(name: str) -> None:
        operation = OPERATIONS[name]
        path = operation.path.replace("{id}", new_id()).replace("{organization}", "contoso")
        answer = http.send(operation.method, path, headers={"api-version": "2020-01-01"})

        assert (answer.status, answer.code) == (400, "unsupported_api_version")
        assert answer.body["errors"] == [{"pointer": "api-version", "detail": f"must be {CURRENT}"}]

    check_all(holds, VERSIONED, at_least=60)


@pytest.mark.parametrize("version", ["", "latest", "2026-12-01 ", "2026-12-01,2026-12-01", "٢٠٢٦-12-01", "'"])
def test_a_malformed_version_in_the_address_is_refused(world, version):
    ada = world.tenant()
    answer = ada.get("me", **{"api-version": version})

    # the host drops an empty parameter, so that it asks for none
    assert (answer.status, answer.body.get("code")) == ((400, "unsupported_api_version") if version else (200, None))


def test_two_versions_in_one_request_are_refused():
    with pytest.raises(InvalidRequest) as refused:
        require_version(request("2026-12-01", "2027-03-01"), TWO)

    assert [error.detail for error in refused.value.errors] == ["must be the same in the header and in the address"]


def test_pages_and_events_have_no_version(http, host, app):  # noqa: ARG001 - the app is in place while requests come
    page = http.send("GET", f"{host}{LANDING}", headers={"api-version": "1999-01-01"})
    event = http.send("POST", "marketplace/webhook", {}, headers={"api-version": "1999-01-01"})

    assert (page.status, event.status) == (404, 503)
    assert not {"api-version"} & {name.lower() for answer in (page, event) for name in answer.headers}


def test_a_deprecated_version_announces_its_end_and_works_meanwhile():
    require_version(request("2026-12-01"), TWO)

    assert version_headers(request("2026-12-01"), TWO) == {
        "api-version": "2026-12-01",
        "Deprecation": "@1803859200",
        "Link": '</api/openapi.json>; rel="successor-version"',
        "Sunset": "Wed, 01 Sep 2027 00:00:00 GMT",
    }
    assert (
        version_headers(request(), TWO)
        == version_headers(request(query="2027-03-01"), TWO)
        == {"api-version": "2027-03-01"}
    )


def test_an_ended_version_is_refused_with_those_that_exist():
    with pytest.raises(InvalidRequest) as refused:
        require_version(request("2026-06-01"), TWO)

    assert refused.value.code == "unsupported_api_version"
    assert [error.detail for error in refused.value.errors] == ["must be 2026-12-01 or 2027-03-01"]


def test_links_keep_the_version_that_the_address_has(world):
    ada = world.tenant()
    for _ in range(2):
        ada.enter()
    page = ada.get("entries", pageSize="1", **{"api-version": CURRENT})
    by_header = ada.http.send("GET", "entries?pageSize=1", token=ada.token, headers={"api-version": CURRENT})

    assert f"entries?api-version={CURRENT}&pageSize=1&" in page.body["nextLink"]
    assert ada.get(page.body["nextLink"]).status == 200
    assert "api-version" not in by_header.body["nextLink"]
