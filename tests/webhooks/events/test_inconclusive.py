"""Only a certain error rejects a paid change. Every inconclusive one is 503, and Microsoft repeats the event."""

from dataclasses import replace

import pytest

from devcloud.emulators.entra.faults import Fault
from shared.app import use
from shared.auth.signing_keys import SigningKeys
from shared.http.openapi import problem_codes
from shared.http.operation import OPERATIONS
from tests.support.world import new_id


@pytest.fixture
def signing_keys(settings) -> SigningKeys:
    """A new set for each test, so tests do not share fetches."""
    return SigningKeys(settings.entra_keys_url)


def wait_for_responses(purchase, operation):
    purchase.marketplace.wait_until_idle()
    return purchase.attempts(operation)


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("drop_old", [False, True])
def test_a_key_published_right_after_a_fetch_rejects_no_event(purchase, entra, version, drop_old):
    purchase.marketplace.execute("shapes", tokens=version)
    purchase.execute("suspend"), purchase.marketplace.wait_until_idle()  # now keys are known, and fetched just now
    purchase.execute("reinstate"), purchase.marketplace.wait_until_idle()

    entra.emulator.keys.rotate(drop_old=drop_old)
    operation = purchase.execute("change", quantity=12)

    assert wait_for_responses(purchase, operation) == [200]
    assert purchase.terms == ("subscribed", "seats", 12)


def send(purchase, http, body=None, path="", **claims):
    """One call of the Marketplace with a new token."""
    bearer = purchase.marketplace.emulator.delivery._tokens.build_webhook_token("v2", claims)
    event = {"id": new_id(), "subscriptionId": purchase.id, "action": "ChangeQuantity"}
    return http.send("POST", f"marketplace/webhook{path}", event if body is None else body, token=bearer)


def test_unavailable_signing_keys_reject_no_event(purchase, entra, http, log_lines):
    send(purchase, http)
    entra.emulator.faults.set({"keys": Fault(status=503)})
    try:
        entra.emulator.keys.rotate(drop_old=False)
        answer = send(purchase, http)
    finally:
        entra.emulator.faults.clear()

    assert (answer.status, answer.code) == (503, "signing_key_unknown")
    assert int(answer.headers["Retry-After"]) >= 1
    assert [line["reason"] for line in log_lines() if line["event"] == "request_inconclusive"][-1] == "unknown_kid"


def test_a_body_that_is_too_large_is_503_and_an_alarm(purchase, http, log_lines):
    answer = send(purchase, http, b" " * (256 * 1024 + 1))

    assert (answer.status, answer.code) == (503, "marketplace_event_unreadable")
    assert ("error", "too_large") in [
        (line["level"], line["reason"]) for line in log_lines() if line["event"] == "marketplace_event_unreadable"
    ]


def test_a_caller_without_a_token_is_401_for_any_body(http):
    answer = http.send("POST", "marketplace/webhook", b" " * (256 * 1024 + 1))

    assert (answer.status, answer.code) == (401, "invalid_token")


def test_an_added_query_rejects_no_event(purchase, http, log_lines):
    answer = send(purchase, http, path="?code=x")

    assert answer.status == 503
    assert ("warning", "invalid_query") in [
        (line["level"], line["reason"]) for line in log_lines() if line["event"] == "request_inconclusive"
    ]


def test_an_app_without_its_settings_rejects_no_event(purchase, http, settings, app):
    with use(replace(app, settings=settings)):
        answer = send(purchase, http)

    assert (answer.status, answer.code) == (503, "marketplace_unavailable")


def test_an_inconclusive_event_is_no_failed_request(purchase, http, log_lines):
    answers = [send(purchase, http), send(purchase, http, b"{"), send(purchase, http, exp=1_700_000_000)]
    events = [line["event"] for line in log_lines() if line["event"].startswith("request_")]

    assert [answer.status for answer in answers] == [503] * 3
    assert events == ["request_inconclusive"] * 3


def test_the_contract_names_every_4xx_of_the_webhook_and_each_is_certain():
    codes = problem_codes(OPERATIONS["receive_marketplace_event"])

    assert {status: each for status, each in codes.items() if status < 500} == {
        401: ("invalid_token",),
        409: ("seats_in_use", "plan_not_sold"),
    }
