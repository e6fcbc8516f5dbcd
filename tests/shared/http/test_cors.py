import pytest


pytestmark = pytest.mark.http_only
ORIGIN = "https://extension.example"
ASKED = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}


@pytest.mark.parametrize("path", ["timers/start", "sign-in", "reports/month", "no/such/route"])
def test_a_preflight_needs_no_token_and_no_route(http, path):
    answer = http.send("OPTIONS", path, headers={"Origin": ORIGIN, **ASKED})

    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert {"Authorization", "Idempotency-Key", "X-AzureDevOps-Token"} <= set(
        answer.headers["Access-Control-Allow-Headers"].split(", ")
    )
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://extension.example", "https://extension.example.evil.example", "null", "*", ""],
)
def test_no_other_origin_is_allowed(http, origin):
    answers = [
        http.send("OPTIONS", "timers/start", headers={"Origin": origin, **ASKED}),
        http.send("GET", "health", headers={"Origin": origin}),
    ]

    for answer in answers:
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("path", ["health", "me", "no/such/route"])
def test_the_extension_can_read_responses_and_errors(http, path):
    answer = http.send("GET", path, headers={"Origin": ORIGIN})

    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert {"Content-Disposition", "Date", "X-Request-Id"} <= set(
        answer.headers["Access-Control-Expose-Headers"].split(", ")
    )
