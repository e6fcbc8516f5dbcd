"""The session of the landing page belongs to one browser, and expires."""

import base64
import uuid
from urllib.parse import parse_qs, urlsplit

import pytest
from azure.functions import HttpRequest

from shared.app import use
from shared.db.schema import landing_visits, metadata
from shared.http.headers import cookies
from tests.support.landing import LANDING, Browser, buy, rows, with_settings
from tests.support.world import new_id
from webhooks.landing.visits import Session, parse_sessions, to_cookie


HTTPS = "https://timetracker.example.com"
LONGEST = 4000


@pytest.fixture
def attacker(host):
    browser = Browser(host)
    yield browser
    browser.session.close()


def plant(attacker, victim):
    """Puts the attacker's cookies into another browser, as a sibling host may."""
    for cookie in attacker.session.cookies:
        victim.session.cookies.set_cookie(cookie)


def secrets(browser):
    return {cookie.value for cookie in browser.session.cookies if "timetracker_landing" in cookie.name}


def test_a_planted_cookie_does_not_open_the_page_as_the_victim(marketplace, attacker, browser, firm):
    _, token = buy(marketplace, firm)
    entra_page = attacker.open_link(token)
    state = parse_qs(urlsplit(entra_page.url).query)["state"][0]
    plant(attacker, browser)
    shown = browser.pick(entra_page, firm.buyer)
    pages = [attacker.get(f"{LANDING}/signed-in?state={state}"), attacker.get(shown.url)]
    stolen = attacker.submit(shown)

    assert shown.heading == "Set up TimeTracker"
    assert [page.heading for page in (*pages, stolen)] == ["This page is closed"] * 3
    assert browser.get(shown.url).heading == "Set up TimeTracker"


def test_each_arrival_and_each_sign_in_has_its_own_secret(marketplace, attacker, browser, firm):
    _, token = buy(marketplace, firm)
    attacker.open_link(token)
    planted = secrets(attacker)
    plant(attacker, browser)
    entra_page = browser.open_link(token)
    arrived = secrets(browser) - planted
    browser.pick(entra_page, firm.buyer)
    signed_in = secrets(browser) - planted

    assert (len(planted), len(arrived), len(signed_in)) == (1, 1, 1)
    assert arrived != signed_in


def test_the_cookie_is_bound_to_its_host_where_the_address_is_https(app, marketplace, browser, firm):
    _, token = buy(marketplace, firm)
    with use(with_settings(app, app.settings.model_copy(update={"public_url": HTTPS}))):
        answer = browser.session.get(
            f"{browser.base}{LANDING}", params={"token": token}, timeout=30, allow_redirects=False
        )
    name, _, rest = answer.headers["Set-Cookie"].partition("=")
    parts = {part.strip().lower() for part in rest.split(";")[1:]}

    assert name.startswith("__Host-timetracker_landing-")
    assert {"path=/", "secure", "httponly", "samesite=lax"} <= parts
    assert not any(part.startswith("domain=") for part in parts)


@pytest.mark.parametrize(
    ("sent", "is_secure", "is_known"),
    [
        ("other=1; {plain}; more=2", False, True),
        ("other=1,{plain}", False, True),  # two headers, as the platform joins them
        ("{plain}", True, False),  # a sibling host, or a line without TLS, can set this one
        ("{bound}", True, True),
        ("{bound}", False, False),
        ("not{plain}", False, False),
        ("{plain}more", False, False),
        ("", False, False),
    ],
)
def test_a_session_is_read_from_every_form_of_the_cookie_header(sent, is_secure, is_known):
    session = Session.new(uuid.UUID(new_id()))
    plain, bound = (to_cookie(session, is_secure=each).partition(";")[0] for each in (False, True))
    request = HttpRequest(method="GET", url="/", headers={"cookie": sent.format(plain=plain, bound=bound)}, body=b"")

    assert parse_sessions(cookies(request), is_secure=is_secure) == (
        {session.visit: session.secret} if is_known else {}
    )


def test_two_purchases_are_open_at_once(marketplace, browser, firm):
    pages = [browser.open(buy(marketplace, firm)[1], firm.buyer) for _ in range(2)]

    assert [browser.get(page.url).heading for page in pages] == ["Set up TimeTracker"] * 2


def everything(app):
    return {table.name: rows(app, table) for table in metadata.sorted_tables}


@pytest.mark.usefixtures("short_activation_wait")
def test_loading_the_page_changes_nothing(app, marketplace, browser, firm):
    """Only Look again and a sign-in apply Microsoft's changes."""
    marketplace.execute("pace", activation_seconds=600)
    subscription, token = buy(marketplace, firm)
    under_way = browser.submit(browser.open(token, firm.buyer))
    with marketplace.emulator.operations.updating() as state:
        state.subscriptions[subscription].visible_at = 0
    before = everything(app)
    loaded = browser.get(under_way.url)
    after = everything(app)
    done = browser.press(loaded, "Look again")

    assert loaded.heading == "Your subscription is being activated"
    assert before == after
    assert done.heading == "Your subscription is active"


def test_a_button_rejects_the_form_of_another_page(marketplace, browser, attacker, firm):
    _, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    visit = shown.fields["visit"]
    for path in ("purchase", "sign-out"):
        forged = browser.session.post(
            f"{browser.base}{LANDING}/{path}", data={"visit": visit, "form": "0" * 64}, timeout=30
        )
        elsewhere = attacker.session.post(
            f"{attacker.base}{LANDING}/{path}", data={"visit": visit, "form": shown.fields["form"]}, timeout=30
        )

        assert (forged.status_code, elsewhere.status_code) == (403, 404)
    assert browser.get(shown.url).heading == "Set up TimeTracker"


def test_signing_out_ends_every_page_of_this_browser(app, marketplace, browser, firm):
    pages = [browser.open(buy(marketplace, firm)[1], firm.buyer) for _ in range(2)]
    out = browser.press(pages[0], "Sign out")

    assert (out.status, out.heading) == (200, "You are signed out")
    assert out.links["Sign out of Microsoft"].startswith(app.settings.entra_authority)
    assert [browser.get(page.url).heading for page in pages] == ["This page is closed"] * 2
    assert rows(app, landing_visits, entra_tenant_id=firm.key) == []


@pytest.mark.parametrize("path", ["landing?token=x", "landing/signed-in", "landing/purchase", "activate", "nothing"])
@pytest.mark.parametrize("public_url", [HTTPS, ""])
def test_every_response_tells_browsers_to_use_https_only(app, browser, path, public_url):
    with use(with_settings(app, app.settings.model_copy(update={"public_url": public_url}))):
        answers = [
            browser.session.request(method, f"{browser.base}/api/{where}", timeout=30, allow_redirects=False)
            for method in ("GET", "POST", "OPTIONS")
            for where in (f"marketplace/{path}", "health", "me", "nothing")
        ]

    values = {answer.headers.get("Strict-Transport-Security") for answer in answers}
    assert values == {"max-age=31536000; includeSubDomains" if public_url else None}


def test_a_purchase_token_is_not_readable_in_the_database(app, marketplace, browser, firm):
    _, token = buy(marketplace, firm)
    browser.open_link(token)
    visit = rows(app, landing_visits)[-1]

    assert visit.purchase_token
    assert token not in visit.purchase_token
    assert token not in base64.urlsafe_b64decode(visit.purchase_token).decode(errors="replace")


def test_the_longest_accepted_token_fits_the_database(browser):
    answer = browser.session.get(
        f"{browser.base}{LANDING}", params={"token": "x" * LONGEST}, timeout=30, allow_redirects=False
    )

    assert answer.status_code == 302
