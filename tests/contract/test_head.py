"""HEAD is supported wherever GET is, with the same status and headers, without a body or an export."""

import pytest
import requests

import function_app
from shared.http.operation import OPERATIONS
from tests.contract.test_permissions import QUERIES
from tests.support.cases import check_all
from tests.support.landing import LANDING


pytestmark = pytest.mark.http_only
assert function_app.app, "indexing the app is what registers the operations"
READ = sorted(each.id for each in OPERATIONS.values() if each.method == "GET" and not each.for_browser)
PAGES = ["", "?token=x", "/signed-in", "/purchase"]
OF_THE_MOMENT = {"date", "x-request-id", "server"}


def headers_of(answer):
    return {name.lower(): value for name, value in answer.headers.items() if name.lower() not in OF_THE_MOMENT}


def test_head_has_the_status_and_headers_of_get_and_no_body(world):
    ada = world.tenant()
    entry, person = ada.enter().body["id"], ada.get("me").body["id"]
    plain = {"Accept-Encoding": "identity"}

    def holds(name: str) -> None:
        path = OPERATIONS[name].path.replace("{id}", entry if "entries" in name or "entry" in name else person)
        path = path.replace("{organization}", "contoso").replace("{month}", "2026-10")
        head, get = (
            ada.http.send(method, path, token=ada.token, params=QUERIES.get(name), headers=plain)
            for method in ("HEAD", "GET")
        )

        assert get.status != 405
        assert (head.status, head.raw) == (get.status, b"")
        assert get.raw or get.status == 204
        assert int(head.headers.get("Content-Length", 0)) == len(get.raw)
        assert headers_of(head).keys() == headers_of(get).keys()
        assert head.headers.get("Content-Type") == get.headers.get("Content-Type")

    check_all(holds, READ, at_least=30)


@pytest.mark.parametrize("path", PAGES)
def test_head_of_a_page_is_that_of_the_page(host, app, path):  # noqa: ARG001 - the app is in place while requests come
    get, head = (requests.request(method, f"{host}{LANDING}{path}", timeout=30) for method in ("GET", "HEAD"))

    assert get.content
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert headers_of(head) == headers_of(get) | {"content-length": head.headers["Content-Length"]}


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("reports/month", {"month": "2026-11", "format": "csv"}),
        ("privacy/export", {}),
    ],
)
def test_a_head_request_records_no_export(world, path, query):
    ada = world.tenant()
    head = ada.http.send("HEAD", path, token=ada.token, params=query)
    before = [row["action"] for row in ada.get("audit").body["items"]]
    ada.get(path, **query)
    after = [row["action"] for row in ada.get("audit").body["items"]]

    assert head.status == 200
    assert "attachment" in head.headers["Content-Disposition"]
    assert not {"report.exported", "data.exported"} & set(before)
    assert len(after) == len(before) + 1


@pytest.mark.parametrize("encoding", ["gzip;q=0", "identity", "xgzip", ""])
def test_an_export_is_compressed_only_for_clients_that_accept_gzip(world, encoding):
    ada = world.tenant()
    plain = ada.http.send("GET", "privacy/export", token=ada.token, headers={"Accept-Encoding": encoding})

    assert "Content-Encoding" not in plain.headers
