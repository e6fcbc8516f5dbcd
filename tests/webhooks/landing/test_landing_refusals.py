"""The landing page refuses strangers, guests, other browsers, old links and forms of other sites."""

import json
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests

import function_app
from devcloud.emulators.entra.admin import TokenRequest
from shared.app import use
from shared.auth.tokens import CONSUMER_TENANT
from shared.db.row_level_security import ALL_TENANTS
from shared.db.schema import audit_log, landing_visits, subscriptions, tenants, users
from shared.http.operation import OPERATIONS
from tests.support import landing as landing_support
from tests.support.landing import LANDING, Browser, buy, rows, sign_up
from tests.support.purchases import client_of


assert function_app.app, "indexing the app is what registers the operations"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
HEADINGS = {"not_signed_in": "You are not signed in", "personal_account": "Use your work or school account"}
BROWSER_OPERATIONS = [operation for operation in OPERATIONS.values() if operation.for_browser]


@pytest.fixture
def stranger(monkeypatch):
    return landing_support.register_in_entra(monkeypatch, landing_support.new_firm())


def nothing_is_bound(app, marketplace, subscription, *firms):
    """Neither side has stored anything."""
    assert marketplace.status(subscription) == "PendingFulfillmentStart"
    for firm in firms:
        assert rows(app, tenants, entra_tenant_id=firm.key) == []
        assert rows(app, users, email=firm.buyer.email) == []
    return True


def test_a_stranger_who_opens_a_link_changes_nothing_and_is_not_stored(
    app, marketplace, browser, *, firm, stranger, codes
):
    subscription, token = buy(marketplace, firm)
    page = browser.open(token, stranger.buyer)
    stored = [visit for visit in rows(app, landing_visits) if str(visit.entra_tenant_id) == stranger.tid]

    assert (page.status, page.heading, page.action) == (403, "This purchase belongs to another organization", None)
    assert codes() == ["purchase_of_another"]
    assert "belongs to another organization" in page.text
    assert firm.buyer.email not in page.html
    assert stored == []
    assert nothing_is_bound(app, marketplace, subscription, firm, stranger)


def test_a_visitor_with_a_wrong_account_can_try_another(marketplace, browser, firm, stranger):
    _, token = buy(marketplace, firm)
    refused = browser.open(token, stranger.buyer)
    entra_page = browser.session.get(f"{browser.base}{refused.links['Try again']}", timeout=30)
    page = browser.pick(entra_page, firm.buyer)

    assert "prompt=select_account" in entra_page.url
    assert page.heading == "Set up TimeTracker"


OTHER = "Sign in at the organization of this purchase"


def of_directory(link):
    """The directory at which a link of ours signs in."""
    return parse_qs(urlsplit(link).query)["directory"][0]


def test_a_guest_signs_in_at_the_directory_of_the_purchase_after_the_first_sign_in(  # noqa: PLR0917 - fixtures
    app, marketplace, browser, firm, stranger, member
):
    """The first sign-in is at home, where Entra has another id for them."""
    sign_up(member(firm.buyer))
    member(firm.guest).post("sign-in")
    super_admin = rows(app, users, email=firm.guest.email)[0].id
    with app.transaction(tenant=ALL_TENANTS) as tx:
        tx.execute(users.update().where(users.c.id == super_admin).values(role="super_admin"))
    _, token = buy(marketplace, firm)
    refused = browser.open(token, stranger.buyer)
    entra_page = browser.session.get(f"{browser.base}{refused.links[OTHER]}", timeout=30)
    page = browser.pick(entra_page, firm.guest)
    active = browser.submit(page)

    assert of_directory(refused.links[OTHER]) == firm.tid
    assert urlsplit(entra_page.url).path.split("/")[1] == firm.tid
    assert (page.heading, active.heading) == ("Agree to a purchase of TimeTracker", "Your subscription is active")
    assert f"You are signed in as {firm.guest.email}" in page.text


@pytest.mark.parametrize(
    "change", [{"proof": "0" * 64}, {"proof": ""}, {"directory": CONSUMER_TENANT}, {"directory": "x/y"}]
)
def test_only_our_own_link_names_the_directory_to_sign_in_at(marketplace, browser, firm, stranger, change):
    _, token = buy(marketplace, firm)
    link = urlsplit(browser.open(token, stranger.buyer).links[OTHER])
    query = {name: values[0] for name, values in parse_qs(link.query).items()} | change
    changed = browser.session.get(f"{browser.base}{link.path}?{urlencode(query)}", timeout=30)
    elsewhere = Browser(browser.base).session.get(f"{browser.base}{link.path}?{link.query}", timeout=30)

    assert "/organizations/" in changed.url
    assert "/organizations/" in elsewhere.url


def test_the_directory_of_the_purchase_is_offered_once(marketplace, browser, firm, stranger, return_with):
    """A second try with an account of another directory would not help either."""
    _, token = buy(marketplace, firm)
    link = browser.open(token, stranger.buyer).links[OTHER]
    query = parse_qs(urlsplit(browser.session.get(f"{browser.base}{link}", timeout=30).url).query)
    refused = return_with(token, tid=stranger.tid, oid=stranger.buyer.oid, query=query)

    assert (refused.status, refused.heading) == (403, "This purchase belongs to another organization")
    assert OTHER not in refused.links
    assert "Try again" in refused.links


@pytest.mark.parametrize("part", [1, 2])
def test_a_state_with_a_changed_target_is_rejected(marketplace, browser, firm, stranger, part):
    _, token = buy(marketplace, firm)
    link = browser.open(token, stranger.buyer).links[OTHER]
    address = redirect_of(browser, browser.session.get(f"{browser.base}{link}", timeout=30), firm.buyer)
    query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    parts = query["state"].split(".")
    parts[part] = stranger.tid
    page = browser.get(f"{address.partition('?')[0]}?{urlencode({**query, 'state': '.'.join(parts)})}")

    assert (page.status, page.heading) == (404, "This page is closed")
    assert browser.get(address).heading == "Set up TimeTracker"


@pytest.mark.parametrize("kind", ["expired", "garbage"])
def test_a_dead_link_offers_no_retry(marketplace, browser, firm, kind, codes):
    subscription = marketplace.buy(person=firm.buyer.oid)
    page = browser.open(marketplace.purchase_token(subscription, kind), firm.buyer)

    assert (page.status, page.heading) == (400, "This link does not work any more")
    assert "That gives you a new link" in page.text
    assert "Try again" not in page.links
    assert codes() == ["unknown_purchase"]


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("?token=", "This link does not work any more"),
        ("/signed-in?code=x&state=", "This page is closed"),
        ("/purchase?visit=", "This page is closed"),
    ],
)
def test_an_overlong_value_gets_the_page_of_an_unknown_one(browser, path, heading):
    page = browser.get(f"{LANDING}{path}{'x' * 9000}")

    assert page.heading == heading


@pytest.mark.parametrize(
    "name",
    ["evil.example", "timetracker.example.com:443", "127.0.0.1.evil.example", "127.0.0.1@evil.example", "[", "a]b"],
)
def test_without_the_setting_no_address_is_made_from_a_foreign_host_name(app, browser, name, log_lines):
    before = len(rows(app, landing_visits))
    headers = {"Host": name, "X-Forwarded-Host": "127.0.0.1", "Forwarded": "host=127.0.0.1"}
    answer = browser.session.get(f"{browser.base}{LANDING}?token=x", headers=headers, timeout=30, allow_redirects=False)

    assert answer.status_code == 421
    assert "TimeTracker does not know its address" in answer.text
    assert {"Location", "Set-Cookie"}.isdisjoint(answer.headers)
    assert len(rows(app, landing_visits)) == before
    assert any("public_url_missing" in line for line in log_lines())


@pytest.mark.parametrize("name", ["127.0.0.1:7071", "localhost", "[::1]:7071"])
def test_without_the_setting_local_names_are_accepted(browser, name):
    answer = browser.session.get(
        f"{browser.base}{LANDING}?token=x", headers={"Host": name}, timeout=30, allow_redirects=False
    )

    assert redirect_uri(answer) == f"http://{name}{LANDING}/signed-in"


def redirect_uri(answer):
    """The redirect address in the request to Entra."""
    return parse_qs(urlsplit(answer.headers["Location"]).query)["redirect_uri"][0]


def test_with_the_setting_every_address_uses_it_for_any_host_name(app, marketplace, browser, firm):
    """As behind a proxy that ends TLS and uses another host name."""
    public = "https://timetracker.example.com"
    _, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    cookie = "; ".join(f"__Host-{each.name}={each.value}" for each in browser.session.cookies)
    headers = {
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "http",
        "Cookie": cookie,
    }
    with use(landing_support.with_settings(app, app.settings.model_copy(update={"public_url": public}))):
        sent = browser.session.post(
            f"{browser.base}{shown.action}",
            data={**shown.fields, **landing_support.CHOICES},
            headers=headers,
            timeout=60,
            allow_redirects=False,
        )
        arrived = browser.session.get(
            f"{browser.base}{LANDING}?token={token}", headers=headers, timeout=30, allow_redirects=False
        )

    assert redirect_uri(arrived) == f"{public}{LANDING}/signed-in"
    assert "secure" in arrived.headers["Set-Cookie"]
    assert sent.headers["Location"].startswith(f"{public}{LANDING}/purchase?visit=")
    assert "evil.example" not in str(arrived.headers) + str(sent.headers)


def test_without_an_address_for_the_page_nothing_is_activated(app, marketplace, browser, firm):
    subscription, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    cookie = "; ".join(f"{each.name}={each.value}" for each in browser.session.cookies)
    sent = browser.session.post(
        f"{browser.base}{shown.action}",
        data={**shown.fields, **landing_support.CHOICES},
        headers={"Host": "evil.example", "Cookie": cookie},
        timeout=60,
        allow_redirects=False,
    )

    assert sent.status_code == 421
    assert "nothing was changed" in sent.text
    assert nothing_is_bound(app, marketplace, subscription, firm)


def test_a_guest_does_not_register_a_directory(app, marketplace, browser, firm, stranger):
    subscription, token = buy(marketplace, firm, person=firm.buyer.oid)
    link = browser.open(token, stranger.buyer).links[OTHER]
    of_the_firm = browser.session.get(f"{browser.base}{link}", timeout=30)
    page = browser.pick(of_the_firm, firm.guest)

    assert (page.status, page.heading, page.action) == (403, "You are a guest in this organization", None)
    assert nothing_is_bound(app, marketplace, subscription, firm)


def test_a_form_of_somebody_without_the_right_changes_nothing(app, marketplace, browser, firm, member):
    """Between the page and the form another directory member made the tenant."""
    subscription, token = buy(marketplace, firm)
    shown = browser.open(token, firm.colleague)
    sign_up(member(firm.buyer))
    page = browser.submit(shown)

    assert shown.heading == "Set up TimeTracker"
    assert (page.status, page.heading) == (403, "Ask a super admin of your organization")
    assert marketplace.status(subscription) == "PendingFulfillmentStart"
    assert rows(app, tenants, entra_tenant_id=firm.key)[0].plan_kind == "trial"


def test_a_right_lost_during_the_confirmation_changes_nothing(
    app, marketplace, browser, *, firm, member, codes, monkeypatch
):
    """Another directory member makes the tenant after the first look."""
    subscription, token = buy(marketplace, firm)
    shown = browser.open(token, firm.colleague)
    plans = client_of(app).plans

    def slow(*given):
        sign_up(member(firm.buyer))
        return plans(*given)

    monkeypatch.setattr(client_of(app), "plans", slow)
    page = browser.submit(shown)

    assert (page.status, codes()) == (403, ["role_required"])
    assert "super admin of your organization" in page.text
    assert marketplace.status(subscription) == "PendingFulfillmentStart"
    assert rows(app, tenants, entra_tenant_id=firm.key)[0].plan_kind == "trial"


def test_a_deactivated_account_does_not_come_back_by_buying(marketplace, browser, firm, member):
    ben, ada = sign_up(member(firm.colleague)), member(firm.buyer)
    ada_id = ada.post("sign-in").body["user"]["id"]
    ben.post(f"users/{ada_id}/deactivate", {})
    subscription, token = buy(marketplace, firm)
    page = browser.submit(browser.open(token, firm.buyer))

    assert page.status == 403
    assert "was deactivated by an admin" in page.text
    assert marketplace.status(subscription) == "PendingFulfillmentStart"


@pytest.mark.parametrize("kind", ["expired", "garbage"])
def test_an_old_or_malformed_link_says_where_to_get_a_new_one(app, marketplace, browser, firm, kind):
    subscription = marketplace.buy(person=firm.buyer.oid)
    page = browser.open(marketplace.purchase_token(subscription, kind), firm.buyer)

    assert page.status == 400
    assert "choose Configure account or Manage account" in page.text
    assert nothing_is_bound(app, marketplace, subscription, firm)


@pytest.mark.parametrize("query", ["", "?token=", "?token=%00%01", "?token=" + "x" * 5000, "?token=%C3%A9"])
def test_a_link_without_a_token_says_where_to_get_one(browser, query):
    page = browser.get(f"{LANDING}{query}")

    assert page.status == 400
    assert page.headers["Content-Type"].startswith("text/html")
    assert "Set-Cookie" not in page.headers


def redirect_of(browser, entra_page, account):
    """The address that Entra sends the browser to, with its code."""
    answer = browser.session.post(entra_page.url, data={"person": account.oid}, timeout=30, allow_redirects=False)
    return answer.headers["Location"]


def test_another_browser_cannot_finish_a_sign_in(app, marketplace, browser, firm):
    """A link with another person's code signs nobody in."""
    subscription, token = buy(marketplace, firm)
    address = redirect_of(browser, browser.open_link(token), firm.buyer)
    others = [Browser(browser.base), Browser(browser.base)]
    others[1].open_link(token)
    pages = [other.get(address) for other in others]
    own = browser.get(address)

    assert [page.status for page in pages] == [404, 404]
    assert "opened in another browser" in pages[0].text
    assert own.heading == "Set up TimeTracker"
    assert nothing_is_bound(app, marketplace, subscription, firm)


def test_another_browser_sees_no_page_of_a_visit_and_cannot_send_its_form(app, marketplace, browser, firm):
    subscription, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    other = Browser(browser.base)
    other.open_link(token)

    assert other.get(shown.url).status == 404
    assert other.submit(shown).status == 404
    assert nothing_is_bound(app, marketplace, subscription, firm)


@pytest.mark.parametrize("form", ["", "0" * 64, None])
def test_a_form_of_another_site_is_rejected(app, marketplace, browser, firm, form):
    subscription, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    other_form = browser.open(token, firm.buyer).fields["form"] if form is None else form
    page = browser.submit(shown, form=other_form)

    assert page.status == 403
    assert "was not sent from this page" in page.text
    assert nothing_is_bound(app, marketplace, subscription, firm)


def test_a_purchase_id_from_the_browser_is_ignored(app, marketplace, browser, firm):
    _, token = buy(marketplace, firm)
    other = marketplace.buy(person=firm.buyer.oid)
    page = browser.submit(browser.open(token, firm.buyer), subscription=other)

    assert page.status == 400
    assert nothing_is_bound(app, marketplace, other, firm)


def test_the_cookie_is_for_this_host_only_and_for_no_script(marketplace, browser, firm):
    _, token = buy(marketplace, firm)
    url = f"{browser.base}{LANDING}"
    cookie = requests.get(url, params={"token": token}, timeout=30, allow_redirects=False).headers["Set-Cookie"]
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}

    assert parts >= {"path=/", "httponly", "samesite=lax"}
    assert not {part for part in parts if part == "secure" or part.startswith("domain=")}


def test_a_sign_in_expires_after_ten_minutes(app, marketplace, browser, firm, clock):
    subscription, token = buy(marketplace, firm)
    entra_page = browser.open_link(token)
    clock.tick(minutes=10)
    page = browser.pick(entra_page, firm.buyer)

    assert page.status == 404
    assert "choose Configure account or Manage account" in page.text
    assert nothing_is_bound(app, marketplace, subscription, firm)


def test_a_page_expires_after_thirty_minutes(app, marketplace, browser, firm, clock):
    subscription, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    clock.tick(minutes=30)

    assert browser.submit(shown).status == 404
    assert browser.get(shown.url).status == 404
    assert nothing_is_bound(app, marketplace, subscription, firm)


@pytest.mark.parametrize("change", [{"state": "other"}, {"state": ""}, {"code": "other"}, {"code": ""}])
def test_a_manipulated_return_address_signs_nobody_in(app, marketplace, browser, firm, change):
    subscription, token = buy(marketplace, firm)
    address = redirect_of(browser, browser.open_link(token), firm.buyer)
    query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()} | change
    page = browser.get(f"{address.partition('?')[0]}?{urlencode(query)}")

    assert page.status in {403, 404}
    assert page.action is None
    assert nothing_is_bound(app, marketplace, subscription, firm)


def test_a_cancelled_sign_in_can_be_started_again(marketplace, browser, firm, codes):
    _, token = buy(marketplace, firm)
    state = parse_qs(urlsplit(browser.open_link(token).url).query)["state"][0]
    denied = browser.get(f"{LANDING}/signed-in?error=access_denied&error_description=No&state={state}")
    page = browser.pick(browser.session.get(f"{browser.base}{denied.links['Try again']}", timeout=30), firm.buyer)

    assert (denied.status, page.heading) == (403, "Set up TimeTracker")
    assert denied.heading == "You are not signed in"
    assert codes() == ["not_signed_in"]


def claims(firm, entra, clock, its_nonce, **changes):
    seconds = int(clock().timestamp())
    return {
        "aud": landing_support.LANDING_CLIENT_ID,
        "iss": f"{entra.authority}/{firm.tid}/v2.0",
        "tid": firm.tid,
        "oid": firm.buyer.oid,
        "ver": "2.0",
        "nonce": its_nonce,
        "iat": seconds,
        "nbf": seconds,
        "exp": seconds + 3600,
        **changes,
    }


@pytest.fixture
def return_with(browser, firm, entra, clock):
    """Returns from a sign-in with an ID token of these claims."""

    def send_back(token, *, query=None, **changes):
        query = query or parse_qs(urlsplit(browser.open_link(token).url).query)
        id_claims = claims(firm, entra, clock, query["nonce"][0], **changes)
        if changes.get("tid"):
            id_claims["iss"] = f"{entra.authority}/{changes['tid']}/v2.0"
        minted = entra.emulator.admin.mint(TokenRequest(claims=id_claims))
        with landing_support.token_response(entra, json.dumps({"id_token": minted})):
            return browser.get(f"{LANDING}/signed-in?code=any&state={query['state'][0]}")

    return send_back


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aud": "6e74172b-be56-4843-9ff4-e66a39bb12e3"}, "not_signed_in"),
        ({"aud": None}, "not_signed_in"),
        ({"nonce": "of another sign-in"}, "not_signed_in"),
        ({"nonce": None}, "not_signed_in"),
        ({"iss": "https://login.example/v2.0"}, "not_signed_in"),
        ({"ver": "1.0"}, "not_signed_in"),
        ({"oid": "nobody"}, "not_signed_in"),
        ({"tid": CONSUMER_TENANT}, "personal_account"),
    ],
)
def test_an_id_token_that_is_invalid_or_for_another_sign_in_is_refused(
    app, marketplace, return_with, firm, *, codes, changes, code
):
    subscription = marketplace.buy(person=firm.buyer.oid)
    page = return_with(marketplace.purchase_token(subscription), **changes)

    assert (page.status, page.heading) == (403, HEADINGS[code])
    assert codes() == [code]
    assert nothing_is_bound(app, marketplace, subscription, firm)


def test_the_unchanged_id_token_of_these_tests_is_accepted(marketplace, return_with, firm):
    _, token = buy(marketplace, firm)

    assert return_with(token).heading == "Set up TimeTracker"


def test_a_buyer_without_an_email_address_is_matched_by_user_name(
    app, marketplace, browser, return_with, *, firm, member
):
    ben = sign_up(member(firm.colleague))
    ben.post("users", {"users": [{"email": (login := f"{firm.buyer.oid}@contoso.example")}]})
    _, token = buy(marketplace, firm)
    waits = browser.submit(return_with(token, preferred_username=login))
    accounts = rows(app, users, tenant_id=rows(app, tenants, entra_tenant_id=firm.key)[0].id)

    assert waits.heading == "Your purchase waits for agreement"
    assert [(each.email, str(each.entra_object_id)) for each in accounts[1:]] == [(login, firm.buyer.oid)]


@pytest.mark.parametrize("answer", ["<html>", "[]", "{}", '{"id_token": 7}', "x" * 200_000])
def test_a_malformed_answer_of_entra_is_503_with_a_retry(marketplace, browser, firm, entra, answer):
    _, token = buy(marketplace, firm)
    state = parse_qs(urlsplit(browser.open_link(token).url).query)["state"][0]
    with landing_support.token_response(entra, answer):
        page = browser.get(f"{LANDING}/signed-in?code=any&state={state}")

    assert page.status == 503
    assert "Try again" in page.links


def test_without_its_settings_there_is_no_landing_page(app, http, codes):
    off = app.settings.model_copy(update={"landing_client_id": "", "landing_client_secret": ""})
    unsold = app.settings.model_copy(update={"marketplace_client_id": "", "marketplace_tenant_id": ""})
    for settings in (off, unsold):
        with use(landing_support.with_settings(app, settings)):
            answers = [http.send(each.method, each.path, headers=FORM) for each in BROWSER_OPERATIONS]

            assert [answer.status for answer in answers] == [404] * 7
            assert all(b"There is no such address." in answer.raw for answer in answers)
    assert codes() == ["no_such_route"] * 14


def test_neither_tokens_nor_people_are_logged(marketplace, browser, firm, stranger, log_lines):
    _, token = buy(marketplace, firm)
    browser.open(token, stranger.buyer)
    browser.submit(browser.open(token, firm.buyer))
    browser.open(marketplace.purchase_token(marketplace.buy(person=firm.buyer.oid), "garbage"), firm.buyer)
    lines = "\n".join(log_lines())

    assert "request_refused" in lines
    for secret in (token, token[:40], "code=", "token=", firm.buyer.email, firm.buyer.oid, firm.tid, stranger.tid):
        assert secret not in lines


def test_an_error_page_is_neither_cached_nor_framed(browser):
    pages = [browser.get(f"{LANDING}{path}") for path in ("", "/signed-in", "/purchase", "/purchase?visit=1")]

    for page in pages:
        assert page.status in {400, 404}
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["X-Request-Id"] in page.text
        assert page.headers["X-Frame-Options"] == "DENY"


def test_a_refused_purchase_leaves_no_rows_at_all(app, marketplace, browser, firm, stranger):
    before = {table.name: len(rows(app, table)) for table in (tenants, users, subscriptions, audit_log)}
    _, token = buy(marketplace, firm)
    browser.open(token, stranger.buyer)

    assert {table.name: len(rows(app, table)) for table in (tenants, users, subscriptions, audit_log)} == before
