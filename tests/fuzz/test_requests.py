"""Random addresses and headers get documented responses, never a server error."""

import http.client
from urllib.parse import quote, urlencode, urlsplit

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

import function_app
from shared.http.operation import OPERATIONS
from tests.support.budget import ALL
from tests.support.world import Answer


pytestmark = pytest.mark.http_only
MANY = settings(max_examples=1500 if ALL else 80, suppress_health_check=[HealthCheck.function_scoped_fixture])
assert function_app.app, "importing the app registers the operations"
READ = sorted(each.path for each in OPERATIONS.values() if each.method == "GET" and "{" not in each.path)
# Valid characters of an address: the server refuses others as invalid HTTP.
address = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="#"), max_size=200)
header = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=300).map(str.strip)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@pytest.fixture
def ada(world):
    ada = world.tenant()
    ada.enter()
    return ada


@pytest.fixture
def send(host, ada):
    """Sends an unchanged request as a super admin; the response must be no server error."""
    connection = http.client.HTTPConnection(urlsplit(host).netloc, timeout=10)

    def send(method: str, target: str, body: bytes = b"", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, target, body, {"Authorization": f"Bearer {ada.token}", **named})
        got = connection.getresponse()
        answer = Answer(got.status, {name.title(): value for name, value in got.getheaders()}, got.read())
        assert answer.status < 500, answer.raw
        assert answer.headers["Cache-Control"] == "no-store"
        return answer

    yield send
    connection.close()


@MANY
@given(path=st.sampled_from(READ), query=address)
@example("entries", "&" * 200)
@example("entries", "%")
@example("entries", "%00=%00&%ff=%fe")
@example("reports/month", "month=2026-11&project=%00")
@example("reports/month", "month=2026-11&month=2026-10")
@example("marketplace/landing", "token=%00")
def test_any_query_is_answered(send, path, query):
    answer = send("GET", f"/api/{path}?{query}")

    assert answer.status in {200, 204, 302, 400, 403, 404}
    assert answer.status < 400 or "X-Request-Id" in answer.headers


@MANY
@given(names=st.lists(words, max_size=4), value=words)
def test_a_parameter_that_is_not_known_is_refused(send, names, value):
    known = {"user", "project", "workItemId", "from", "to", "needsReview", "after", "pageSize"}
    unknown = [name for name in names if name not in known]
    assume(unknown)

    answer = send("GET", f"/api/entries?{urlencode([(name, value) for name in unknown])}")

    assert (answer.status, answer.code) == (400, "invalid_query")
    assert {error["pointer"] for error in answer.body["errors"]} <= set(unknown)


@pytest.mark.parametrize("name", ["user", "project", "workItemId", "from", "to", "needsReview", "after", "pageSize"])
def test_an_empty_filter_is_refused_and_not_lost(send, name):
    """The platform's parser omits it, and the response would have everybody's time."""
    assert send("GET", f"/api/entries?{name}=").status in {400, 404}
    assert send("GET", f"/api/entries?{name}").status in {400, 404}


def test_a_parameter_given_twice_is_refused(send):
    """The platform's parser joins the two with a comma."""
    answer = send("GET", "/api/entries?project=Website&project=Website")

    assert (answer.code, answer.body["errors"][0]["pointer"]) == ("invalid_query", "project")


def test_a_comma_in_a_filter_is_a_comma(send, ada):
    ada.enter(project="a,b")

    assert len(send("GET", "/api/entries?project=a%2Cb").body["items"]) == 1
    assert len(send("GET", "/api/entries?project=a,b").body["items"]) == 1


@MANY
@given(version=header)
@example('W/"1"')
@example('"2", "3"')
@example('""')
@example('W/"", ""')
@example('"2", *')
@example('"' + "9" * 5000 + '"')
def test_any_if_match_is_answered_and_changes_nothing_by_chance(send, ada, version):
    (entry,) = ada.entries()
    assume(version.strip() != "*" and f'"{entry["version"]}"' not in version.replace(f'W/"{entry["version"]}"', ""))

    answer = send(
        "PATCH",
        f"/api/entries/{entry['id']}",
        b'{"note":"x","reason":"y"}',
        If_Match=version,
        Content_Type="application/json",
    )

    assert answer.status in {400, 412, 428}
    assert ada.entries() == [{**entry, "user": {"id": entry["userId"], "displayName": ada.name}}]


@MANY
@given(key=header)
@example("")
@example("a b")
@example("x" * 256)
def test_any_idempotency_key_is_accepted_or_refused(send, key):
    sound = 0 < len(key) <= 255 and key.isprintable() and " " not in key

    first, again = (send("POST", "/api/sign-in", Idempotency_Key=key) for _ in range(2))

    assert first.status == (200 if sound else 400)
    assert (again.status, again.raw if sound else again.code) == (first.status, first.raw if sound else first.code)
    assert again.headers.get("Idempotent-Replayed") == ("true" if sound else None)


@MANY
@given(accept=header)
@example("text/csv;q=")
@example("*/*;q=2")
@example(",,;;")
@example("text/csv;q=NaN, application/json;q=1e400")
def test_any_accept_is_answered_with_a_report(send, accept):
    answer = send("GET", "/api/reports/month?month=2026-11", Accept=accept)

    assert answer.status == 200
    assert answer.headers["Content-Type"].partition(";")[0] in {
        "application/json",
        "text/csv",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    }


@MANY
@given(segment=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\\"), min_size=1, max_size=60))
@example("\0")
@example("%00")
@example("..")
def test_a_random_id_in_a_path_is_not_found(send, segment):
    for path in ("entries/{}", "users/{}", "billing/records/{}", "work-items/contoso/{}", "work-items/{}/42"):
        answer = send("GET", "/api/" + path.format(quote(segment, safe="")))

        assert answer.status in {400, 404, 405}


@MANY
@given(host=address.filter(bool))
@example("[")
@example("[::1")
@example("a?b=c")
def test_any_host_is_answered(send, host):
    """Without a setting for the address only hosts of this machine are accepted."""
    assert send("GET", "/api/marketplace/landing?token=x", Host=host).status in {302, 404, 421}
