"""Each state of a purchase has its page, for every visitor and every repeat."""

from functools import partial

import pytest

from shared.app import use
from shared.db.row_level_security import ALL_TENANTS
from shared.db.schema import subscription_events, subscriptions, tenants
from tests.support.landing import LANDING, Browser, buy, rows, sign_up, with_settings
from tests.support.marketplace import wait_until


@pytest.fixture
def paid(marketplace, browser, firm):
    """A purchase in force; its id."""
    subscription, token = buy(marketplace, firm)
    assert browser.submit(browser.open(token, firm.buyer)).heading == "Your subscription is active"
    return subscription


def open_manage_page(marketplace, browser, subscription, account):
    """The page by Manage account."""
    return browser.open(marketplace.purchase_token(subscription), account)


def events_of(app, firm):
    [tenant] = rows(app, tenants, entra_tenant_id=firm.key)
    return [event.event_type for event in rows(app, subscription_events, tenant_id=tenant.id)]


def test_manage_account_shows_the_subscription_and_where_to_change_it(app, marketplace, browser, firm, paid):
    page = open_manage_page(marketplace, browser, paid, firm.buyer)

    assert (page.status, page.heading, page.action) == (200, "Your subscription is active", None)
    assert "Accounts in use 1, without a limit" in page.text
    assert "then renewed" in page.text
    assert page.links["Open TimeTracker in Azure DevOps"].endswith("/contoso")
    assert page.links["Azure portal"] == "https://portal.azure.com/"
    assert events_of(app, firm) == ["Activate"]


def test_a_purchase_active_at_microsoft_and_unknown_here_can_be_set_up(app, marketplace, browser, firm):
    subscription = marketplace.buy(person=firm.buyer.oid, active=True)
    shown = open_manage_page(marketplace, browser, subscription, firm.buyer)
    active = browser.submit(shown)

    assert (shown.status, shown.heading) == (200, "Finish setting up TimeTracker")
    assert active.heading == "Your subscription is active"
    assert events_of(app, firm) == ["Activate"]


@pytest.mark.parametrize("known", [True, False])
def test_a_suspended_purchase_says_what_to_do(marketplace, browser, firm, paid, known):
    subscription = paid if known else marketplace.buy(person=firm.buyer.oid, active=True)
    marketplace.execute("suspend", subscription=subscription)
    page = open_manage_page(marketplace, browser, subscription, firm.buyer)

    assert (page.status, page.heading, page.action) == (200, "Your subscription is suspended", None)
    assert "settle the payment in the Azure portal" in page.text
    assert "Nothing was deleted" in page.text


@pytest.mark.parametrize("known", [True, False])
def test_an_ended_purchase_says_why_nothing_happens(marketplace, browser, firm, paid, known):
    subscription = paid if known else marketplace.buy(person=firm.buyer.oid)
    marketplace.execute("unsubscribe", subscription=subscription)
    page = open_manage_page(marketplace, browser, subscription, firm.buyer)

    assert (page.status, page.heading, page.action) == (200, "This subscription has ended", None)
    assert "buy TimeTracker again" in page.text


def has_status(marketplace, subscription, status):
    return marketplace.status(subscription) == status


def lose_events(marketplace):
    """Stops the delivery of events."""
    marketplace.execute("shapes", held=True)


@pytest.fixture
def here(app, firm):
    """The statuses of the firm's subscriptions in the product."""

    def statuses():
        [tenant] = rows(app, tenants, entra_tenant_id=firm.key)
        return [each.status for each in rows(app, subscriptions, tenant_id=tenant.id)]

    return statuses


SUSPENDED = ("suspend", "Suspended", "Your subscription is suspended")
REINSTATED = ("reinstate", "Subscribed", "Your subscription is active")
ENDED = ("unsubscribe", "Unsubscribed", "This subscription has ended")


@pytest.mark.parametrize("steps", [[SUSPENDED], [SUSPENDED, REINSTATED], [ENDED], [SUSPENDED, ENDED]])
def test_page_and_product_agree_when_events_are_lost(marketplace, browser, firm, paid, here, steps):  # noqa: PLR0917 - fixtures
    lose_events(marketplace)
    for order, status, heading in steps:
        marketplace.execute(order, subscription=paid)
        wait_until(partial(has_status, marketplace, paid, status))
        page = open_manage_page(marketplace, browser, paid, firm.buyer)

        assert page.heading == heading
        assert here() == [status.lower()]


def test_without_microsoft_the_page_shows_the_state_of_the_product(marketplace, browser, firm, paid, here):
    change = marketplace.execute("change", subscription=paid, plan="gold")["operation"]
    wait_until(lambda: marketplace.stats()["operations"][change]["status"] == "Succeeded")
    lose_events(marketplace)
    marketplace.execute("suspend", subscription=paid)
    open_manage_page(marketplace, browser, paid, firm.buyer)
    marketplace.execute("reinstate", subscription=paid)
    wait_until(lambda: marketplace.status(paid) == "Subscribed")
    marketplace.execute("faults", operation={"status": 500, "headers": {"Retry-After": "0"}})
    page = open_manage_page(marketplace, browser, paid, firm.buyer)

    assert page.heading == "Your subscription is suspended"
    assert here() == ["suspended"]


def test_an_unreported_cancellation_does_not_block_a_new_purchase(marketplace, browser, firm, paid, here):
    lose_events(marketplace)
    marketplace.execute("unsubscribe", subscription=paid)
    _, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    active = browser.submit(shown)

    assert shown.heading == "Agree to a purchase of TimeTracker"
    assert active.heading == "Your subscription is active"
    assert here() == ["unsubscribed", "subscribed"]


def test_a_purchase_that_ends_between_the_page_and_the_confirmation_says_so(app, marketplace, browser, firm):
    subscription, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    marketplace.execute("unsubscribe", subscription=subscription)
    page = browser.submit(shown)

    assert page.heading == "This subscription has ended"
    assert rows(app, tenants, entra_tenant_id=firm.key) == []


@pytest.mark.parametrize("first", ["Subscribed", "NotStarted"])
def test_a_second_purchase_says_to_cancel_one(marketplace, browser, firm, paid, first):
    with marketplace.emulator.operations.updating() as state:
        state.subscriptions[paid].status = first
    second, token = buy(marketplace, firm)
    page = browser.open(token, firm.buyer)

    assert (page.status, page.heading, page.action) == (409, "You already have a subscription", None)
    assert "Cancel one of the two in the Azure portal" in page.text
    assert marketplace.status(second) == "PendingFulfillmentStart"


def test_a_new_purchase_after_a_cancellation_keeps_all_data(app, marketplace, browser, firm, paid):
    lose_events(marketplace)
    marketplace.execute("unsubscribe", subscription=paid)
    end_here(app, firm)
    _, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    active = browser.submit(shown)
    [tenant] = rows(app, tenants, entra_tenant_id=firm.key)

    assert "people and settings stay" in shown.text
    assert active.heading == "Your subscription is active"
    assert (tenant.plan_kind, tenant.status) == ("paid", "active")
    assert [each.status for each in rows(app, subscriptions, tenant_id=tenant.id)] == ["unsubscribed", "subscribed"]


def end_here(app, firm):
    """The rows after the event of a cancellation."""
    with app.transaction(tenant=ALL_TENANTS) as tx:
        of_firm = subscriptions.c.tenant_id == rows(app, tenants, entra_tenant_id=firm.key)[0].id
        tx.execute(subscriptions.update().where(of_firm).values(status="unsubscribed", ended_at=app.now()))
        tx.execute(tenants.update().where(tenants.c.entra_tenant_id == firm.key).values(status="cancelled"))


@pytest.mark.parametrize(("shape", "value"), [("quantity", "string"), ("padded_status", True), ("unknown_enums", True)])
def test_unusual_responses_of_the_real_service_are_understood(marketplace, browser, firm, shape, value):
    marketplace.execute("shapes", **{shape: value})
    _, token = buy(marketplace, firm, plan="seats", quantity=20)
    active = browser.submit(browser.open(token, firm.buyer))

    assert active.heading == "Your subscription is active"
    assert "1 of 20" in active.text


def test_an_unknown_status_changes_nothing(app, marketplace, browser, firm):
    subscription, token = buy(marketplace, firm)
    with marketplace.emulator.operations.updating() as state:
        state.subscriptions[subscription].status = "NotStarted"
    page = browser.open(token, firm.buyer)

    assert (page.status, page.heading) == (409, "Microsoft is still working on this purchase")
    assert rows(app, tenants, entra_tenant_id=firm.key) == []


@pytest.mark.usefixtures("short_activation_wait")
def test_a_slow_activation_is_completed_by_look_again(app, marketplace, browser, firm):
    marketplace.execute("pace", activation_seconds=600)
    subscription, token = buy(marketplace, firm)
    under_way = browser.submit(browser.open(token, firm.buyer))
    waiting = rows(app, tenants, entra_tenant_id=firm.key)[0]
    with marketplace.emulator.operations.updating() as state:
        state.subscriptions[subscription].visible_at = 0
    done = browser.press(under_way, "Look again")

    assert (under_way.status, under_way.heading) == (200, "Your subscription is being activated")
    assert (waiting.plan_kind, waiting.status) == ("trial", "active")
    assert done.heading == "Your subscription is active"
    assert events_of(app, firm) == ["Activate"]


def test_the_page_waits_a_moment_for_an_activation(marketplace, browser, firm):
    marketplace.execute("pace", activation_seconds=0.3)
    _, token = buy(marketplace, firm)

    assert browser.submit(browser.open(token, firm.buyer)).heading == "Your subscription is active"


def test_a_failing_marketplace_loses_nothing_and_the_page_says_so(app, marketplace, browser, firm):
    _, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    marketplace.execute("faults", activate={"status": 500})
    failed = browser.submit(shown)
    waiting = rows(app, tenants, entra_tenant_id=firm.key)[0]
    marketplace.emulator.faults.clear()
    finished = browser.get(shown.url)
    active = browser.submit(finished)

    assert failed.status == 503
    assert "Nothing is lost" in failed.text
    assert (waiting.plan_kind, waiting.status) == ("trial", "active")
    assert finished.heading == "Finish setting up TimeTracker"
    assert active.heading == "Your subscription is active"
    assert events_of(app, firm) == ["Activate"]


def test_look_again_completes_an_activation_whose_response_was_lost(app, marketplace, browser, firm):
    subscription, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    marketplace.execute("faults", **{"activate.answer": {"status": 500}})
    failed = browser.submit(shown)
    marketplace.emulator.faults.clear()
    done = browser.press(browser.get(shown.url), "Look again")

    assert (failed.status, marketplace.status(subscription)) == (503, "Subscribed")
    assert done.heading == "Your subscription is active"
    assert events_of(app, firm) == ["Activate"]


def test_the_same_form_twice_is_one_activation(app, marketplace, browser, firm):
    _, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    pages = [browser.submit(shown), browser.submit(shown)]

    assert [page.heading for page in pages] == ["Your subscription is active"] * 2
    assert marketplace.stats()["hits"]["activate"] == 1
    assert events_of(app, firm) == ["Activate"]


def test_two_tabs_end_in_one_activation(app, marketplace, browser, firm):
    subscription, token = buy(marketplace, firm)
    entra_pages = [browser.open_link(token), browser.open_link(marketplace.purchase_token(subscription))]
    tabs = [browser.pick(entra_page, firm.buyer) for entra_page in entra_pages]
    pages = [browser.submit(tab) for tab in tabs]

    assert [page.heading for page in pages] == ["Your subscription is active"] * 2
    assert events_of(app, firm) == ["Activate"]


def test_a_reloaded_page_shows_the_present_state(marketplace, browser, firm):
    _, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    before = browser.get(shown.url)
    active = browser.submit(before)
    back = browser.get(shown.url)

    assert before.heading == "Set up TimeTracker"
    assert (active.heading, back.heading) == ("Your subscription is active",) * 2


def test_the_return_address_of_the_sign_in_can_be_reloaded(marketplace, browser, firm):
    _, token = buy(marketplace, firm)
    entra_page = browser.open_link(token)
    sent_back = browser.session.post(
        entra_page.url, data={"person": firm.buyer.oid}, timeout=30, allow_redirects=False
    ).headers["Location"]
    pages = [browser.get(sent_back), browser.get(sent_back)]

    assert LANDING in sent_back
    assert [page.heading for page in pages] == ["Set up TimeTracker"] * 2
    assert "code=" not in pages[0].url


def test_a_plus_sign_that_became_a_blank_is_restored_also_at_the_start(marketplace, browser, firm):
    _, token = buy(marketplace, firm)
    entra_page = browser.session.get(f"{browser.base}{LANDING}?token={token}", timeout=30)

    assert token.startswith("+")
    assert browser.pick(entra_page, firm.buyer).heading == "Set up TimeTracker"


def test_invalid_choices_show_the_form_again_as_it_was_filled_in(marketplace, browser, firm):
    _, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    wrong = browser.submit(shown, timeZone="Mars/Olympus", organization="no such name!")
    active = browser.submit(wrong)

    assert (wrong.status, wrong.heading) == (400, "Error: Set up TimeTracker")
    assert "Choose a time zone from the list." in wrong.text
    assert "Enter the name of your Azure DevOps organization" in wrong.text
    assert wrong.fields["organization"] == "no such name!"
    assert active.heading == "Your subscription is active"


@pytest.mark.parametrize(
    "written",
    [" contoso ", "https://dev.azure.com/contoso/", "dev.azure.com/contoso/Web", "contoso.visualstudio.com"],
)
def test_the_address_of_an_organization_is_accepted_in_the_place_of_its_name(app, marketplace, browser, firm, written):
    _, token = buy(marketplace, firm)
    browser.submit(browser.open(token, firm.buyer), organization=written)

    assert rows(app, tenants, entra_tenant_id=firm.key)[0].organization == "contoso"


def test_a_colleague_gets_a_link_to_the_product_and_no_names(marketplace, browser, firm, member, paid):
    """There is nothing to confirm, so rights do not matter."""
    member(firm.colleague).post("sign-in")
    page = open_manage_page(marketplace, browser, paid, firm.colleague)

    assert (page.status, page.heading, page.action) == (200, "Your organization has TimeTracker", None)
    assert page.links["Open TimeTracker in Azure DevOps"].endswith("/contoso")
    assert firm.buyer.email not in page.html
    assert member(firm.colleague).get("me").body["role"] == "user"


def test_a_colleague_sees_a_suspension_and_no_names(marketplace, browser, firm, member, paid):
    member(firm.colleague).post("sign-in")
    marketplace.execute("suspend", subscription=paid)
    page = open_manage_page(marketplace, browser, paid, firm.colleague)

    assert (page.status, page.heading) == (200, "Your organization has TimeTracker")
    assert "Microsoft could not collect the payment" in page.text
    assert firm.buyer.email not in page.html


def test_a_colleague_with_the_link_of_a_second_purchase_has_nothing_to_confirm(
    marketplace, browser, firm, member, paid
):
    member(firm.colleague).post("sign-in")
    _, token = buy(marketplace, firm)
    page = browser.open(token, firm.colleague)

    assert paid
    assert (page.status, page.heading) == (200, "Your organization has TimeTracker")


def test_a_colleague_sees_that_a_purchase_waits_for_a_super_admin_and_no_names(marketplace, browser, firm, member):
    sign_up(member(firm.buyer))
    member(firm.colleague).post("sign-in")
    _, token = buy(marketplace, firm)
    page = browser.open(token, firm.colleague)

    assert (page.status, page.heading, page.action) == (403, "Ask a super admin of your organization", None)
    assert page.links["Azure portal"] == "https://portal.azure.com/"
    assert firm.buyer.email not in page.html


def test_every_page_shows_the_account_and_offers_another(marketplace, browser, firm, member):
    """Otherwise a wrong account of the same organization would be a dead end."""
    sign_up(member(firm.buyer))
    member(firm.colleague).post("sign-in")
    _, token = buy(marketplace, firm)
    stuck = browser.open(token, firm.colleague)
    entra_page = browser.session.get(f"{browser.base}{stuck.links['Use another account']}", timeout=30)
    page = browser.pick(entra_page, firm.buyer)
    active = browser.submit(page)
    old = browser.get(stuck.url)

    assert f"You are signed in as {firm.colleague.email}" in stuck.text
    assert f"/{firm.tid}/" in entra_page.url
    assert "prompt=select_account" in entra_page.url
    assert (page.heading, active.heading) == ("Agree to a purchase of TimeTracker", "Your subscription is active")
    assert f"You are signed in as {firm.buyer.email}" in active.text
    assert old.heading == "Your organization has TimeTracker"  # the first visit is still its own


def test_another_account_can_sign_in_only_in_the_same_browser_while_the_visit_lasts(marketplace, browser, firm, clock):
    _, token = buy(marketplace, firm)
    link = browser.open(token, firm.buyer).links["Use another account"]
    stranger = Browser(browser.base)
    stranger.open_link(token)
    entra_page = browser.session.get(f"{browser.base}{link}", timeout=30)
    clock.tick(minutes=9)
    refused = stranger.get(link)
    clock.tick(minutes=21)
    late, too_late = browser.pick(entra_page, firm.buyer), browser.get(link)

    assert [page.heading for page in (refused, late, too_late)] == ["This page is closed"] * 3


def test_the_pages_show_the_contact_for_help(app, marketplace, browser, firm):
    _, token = buy(marketplace, firm)
    without = browser.open(token, firm.buyer)
    with use(with_settings(app, app.settings.model_copy(update={"vendor_contact": "help@vendor.example"}))):
        pages = [browser.get(without.url), browser.get(LANDING), browser.get("/api/marketplace/activate")]

    assert "Help:" not in without.text
    assert [page.links["help@vendor.example"] for page in pages] == ["mailto:help@vendor.example"] * 3


@pytest.mark.parametrize("path", ["/api/marketplace/activate", "/api/marketplace/landing", "/api/nothing", "/api"])
def test_a_browser_gets_a_page_at_an_address_without_one(browser, path):
    """A person may reload the address of a failed form, or type one."""
    method = "POST" if path.endswith("landing") else "GET"
    headers = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    answer = browser.session.request(method, f"{browser.base}{path}", headers=headers, timeout=30)
    program = browser.session.request(method, f"{browser.base}{path}", headers={"Accept": "*/*"}, timeout=30)

    assert answer.status_code == program.status_code == (405 if "marketplace" in path else 404)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Content-Security-Policy" in answer.headers
    assert "openapi" not in answer.text
    assert program.headers["Content-Type"].startswith(
        "text/html" if "marketplace" in path else "application/problem+json"
    )


def test_any_super_admin_may_confirm(marketplace, browser, firm, member):
    sign_up(member(firm.colleague))
    _, token = buy(marketplace, firm)

    assert browser.submit(browser.open(token, firm.colleague)).heading == "Your subscription is active"
