"""After an inconclusive sign-in or purchase the page asks to try again."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from devcloud.emulators.entra.admin import TokenRequest
from devcloud.emulators.entra.faults import Fault
from shared.auth.signing_keys import SigningKeys
from tests.support import landing as landing_support
from tests.support.landing import LANDING, buy
from tests.webhooks.landing.test_landing_refusals import claims


@pytest.fixture
def signing_keys(settings) -> SigningKeys:
    """A new set for each test, so tests do not share fetches."""
    return SigningKeys(settings.entra_keys_url)


@pytest.fixture
def return_with(browser, firm, entra, clock):
    """Returns from a sign-in with an ID token of these claims and this key."""

    def come(token, key="current", **changes):
        query = parse_qs(urlsplit(browser.open_link(token).url).query)
        id_claims = claims(firm, entra, clock, query["nonce"][0], **changes)
        minted = entra.emulator.admin.mint(TokenRequest(claims=id_claims, key=key))
        with landing_support.token_response(entra, json.dumps({"id_token": minted})):
            return browser.get(f"{LANDING}/signed-in?code=any&state={query['state'][0]}")

    return come


def try_again(browser, page, firm):
    return browser.pick(browser.session.get(f"{browser.base}{page.links['Try again']}", timeout=30), firm.buyer)


def reasons(log_lines):
    return [line["reason"] for line in map(json.loads, log_lines()) if line["event"] == "request_inconclusive"]


@pytest.mark.parametrize("drop_old", [False, True])
def test_a_key_published_right_after_a_fetch_signs_people_in(entra, marketplace, browser, firm, drop_old):
    _, token = buy(marketplace, firm)
    assert browser.open(token, firm.buyer).heading == "Set up TimeTracker"

    entra.emulator.keys.rotate(drop_old=drop_old)

    assert browser.open(token, firm.buyer).heading == "Set up TimeTracker"


def test_unavailable_signing_keys_do_not_refuse_a_visitor(entra, marketplace, browser, firm, log_lines):
    _, token = buy(marketplace, firm)
    browser.open(token, firm.buyer)
    entra.emulator.faults.set({"keys": Fault(status=503)})
    try:
        entra.emulator.keys.rotate(drop_old=False)
        page = browser.open(token, firm.buyer)
    finally:
        entra.emulator.faults.clear()

    assert (page.status, page.heading) == (503, "Try again in a moment")
    assert "Your sign-in cannot be checked right now" in page.text
    assert reasons(log_lines) == ["unknown_kid"]
    assert try_again(browser, page, firm).heading == "Set up TimeTracker"


@pytest.mark.parametrize(
    ("key", "changes", "reason"),
    [
        ("unpublished", {}, "unknown_kid"),
        ("current", {"exp": 1_000_000_000}, "expired"),
        ("current", {"iat": 4_000_000_000, "nbf": 4_000_000_000, "exp": 4_000_003_600}, "not_yet_valid"),
    ],
)
def test_a_fresh_id_token_is_not_refused_for_its_key_or_time(  # noqa: PLR0917 - fixtures
    marketplace, browser, return_with, firm, log_lines, key, changes, reason
):
    _, token = buy(marketplace, firm)
    page = return_with(token, key, **changes)

    assert (page.status, reasons(log_lines)) == (503, [reason])
    assert try_again(browser, page, firm).heading == "Set up TimeTracker"


@pytest.mark.parametrize("word", ["server_error", "temporarily_unavailable"])
def test_an_error_of_entra_does_not_refuse_a_visitor(marketplace, browser, firm, word):
    _, token = buy(marketplace, firm)
    state = parse_qs(urlsplit(browser.open_link(token).url).query)["state"][0]
    page = browser.get(f"{LANDING}/signed-in?error={word}&state={state}")

    assert (page.status, page.heading) == (503, "Try again in a moment")
    assert try_again(browser, page, firm).heading == "Set up TimeTracker"


RESOLVE = {
    "not found": {"status": 404},
    "forbidden": {"status": 403},
    "conflict": {"status": 409},
    "gone": {"status": 410},
    "unprocessable": {"status": 422},
    "unknown word": {"status": 451},
    "too many": {"status": 429, "headers": {"Retry-After": "60"}},
    "no JSON": {"status": 200, "body": "<html>"},
    "nothing": {"status": 200, "body": "{}"},
}


@pytest.mark.parametrize("fault", RESOLVE.values(), ids=RESOLVE.keys())
def test_a_resolve_error_that_does_not_concern_the_token_is_retried(marketplace, browser, firm, fault):
    _, token = buy(marketplace, firm)
    marketplace.execute("faults", resolve=fault)
    page = browser.open(token, firm.buyer)
    marketplace.emulator.faults.clear()

    assert (page.status, page.heading) == (503, "Try again in a moment")
    assert "Nothing is lost" in page.text
    assert try_again(browser, page, firm).heading == "Set up TimeTracker"


def test_a_400_concerns_the_token_at_resolve_only(marketplace, browser, firm):
    subscription, token = buy(marketplace, firm)
    marketplace.execute("faults", resolve={"status": 400, "body": "{}"})
    dead = browser.open(token, firm.buyer)
    marketplace.execute(
        "faults", resolve={"status": 200, "body": json.dumps({"id": subscription})}, get={"status": 400}
    )
    later = browser.open(token, firm.buyer)

    assert (dead.status, dead.heading) == (400, "This link does not work any more")
    assert (later.status, later.heading) == (503, "Try again in a moment")


def test_a_copy_without_a_beneficiary_is_retried(marketplace, browser, firm, log_lines):
    subscription, token = buy(marketplace, firm)
    copy = marketplace.send("GET", f"saas/subscriptions/{subscription}").json()
    thin = {"id": subscription, "subscription": {**copy, "beneficiary": None}}
    marketplace.execute("faults", resolve={"status": 200, "body": json.dumps(thin)})
    page = browser.open(token, firm.buyer)
    marketplace.emulator.faults.clear()

    assert (page.status, page.heading) == (503, "Try again in a moment")
    assert reasons(log_lines) == ["no_beneficiary"]
    assert try_again(browser, page, firm).heading == "Set up TimeTracker"


def test_a_purchase_that_microsoft_briefly_does_not_find_stays_open(marketplace, browser, firm):
    _, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    marketplace.execute("faults", get={"status": 404})
    missing = browser.get(shown.url)
    marketplace.emulator.faults.clear()

    assert (missing.status, missing.heading) == (503, "Try again in a moment")
    assert browser.get(shown.url).heading == "Set up TimeTracker"
