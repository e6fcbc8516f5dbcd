"""A purchase walks through the landing page: sign in, look, confirm, and it is in force on both sides."""

from decimal import Decimal

from privacy.jobs import remove_expired
from shared.db.schema import (
    landing_visits,
    subscription_events,
    subscription_rates,
    subscriptions,
    tenants,
)
from tests.support.landing import CHOICES, buy, rows, sign_up


def tenant_row(app, firm):
    [row] = rows(app, tenants, entra_tenant_id=firm.key)
    return row


def test_a_purchase_is_shown_confirmed_and_activated(app, marketplace, browser, firm, member):
    subscription, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    active = browser.submit(shown)
    tenant, welcome = tenant_row(app, firm), member(firm.buyer).post("sign-in").body

    assert (shown.status, shown.heading) == (200, "Set up TimeTracker")
    for fact in ("Paid", "USD 5.00 per active user and month", "1 month", firm.buyer.email):
        assert fact in shown.text
    assert (active.status, active.heading) == (200, "Your subscription is active")
    assert marketplace.status(subscription) == "Subscribed"
    assert (tenant.plan_kind, tenant.status, tenant.rate_per_user) == ("paid", "active", Decimal(5))
    assert (tenant.seat_limit, tenant.users_at_purchase, tenant.currency) == (None, 1, "USD")
    assert str(tenant.subscription_id) == subscription
    assert (tenant.time_zone, tenant.organization) == (CHOICES["timeZone"], CHOICES["organization"])
    assert (welcome["user"]["role"], welcome["tenant"]["plan"]) == ("super_admin", "paid")
    assert welcome["entitlements"] == {"canTrack": True}


def test_a_purchase_is_in_the_ledger_with_its_price(app, marketplace, browser, firm):
    subscription, token = buy(marketplace, firm, plan="seats", quantity=20)
    browser.submit(browser.open(token, firm.buyer))
    tenant = tenant_row(app, firm)
    [bought] = rows(app, subscriptions, tenant_id=tenant.id)
    [event] = rows(app, subscription_events, tenant_id=tenant.id)
    [rate] = rows(app, subscription_rates, tenant_id=tenant.id)

    assert (bought.status, bought.plan_id, bought.quantity) == ("subscribed", "seats", 20)
    assert str(bought.marketplace_id) == subscription
    assert bought.paid_from == app.now()
    assert (event.event_type, event.source, event.outcome, event.status) == (
        "Activate",
        "landing",
        "applied",
        "subscribed",
    )
    assert (rate.rate_per_user, rate.currency, rate.from_at) == (Decimal(6), "USD", bought.paid_from)
    assert (tenant.seat_limit, tenant.rate_per_user) == (20, Decimal(6))


def test_a_trial_becomes_paid_with_all_its_data(marketplace, browser, firm, member, clock):
    ada = member(firm.buyer)
    ada.post("tenants", {"name": "Contoso", "azureDevOpsOrganization": "contoso", "timeZone": "Asia/Kolkata"})
    member(firm.colleague).post("sign-in")
    ada.start()
    clock.tick(minutes=5)
    ada.stop()
    tenant_id = ada.get("tenant").body["id"]
    _, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    browser.submit(shown)
    tenant = ada.get("tenant").body

    assert "time, people and settings stay" in shown.text
    assert "Asia/Kolkata" in shown.text
    assert (tenant["timeZone"], tenant["azureDevOpsOrganization"]) == ("Asia/Kolkata", "contoso")
    assert (tenant["id"], tenant["plan"], tenant["name"]) == (tenant_id, "paid", "Contoso")
    assert tenant["planDetail"]["usersAtPurchase"] == 2
    assert tenant["planDetail"]["trialStartedAt"]
    assert [entry["elapsedMs"] for entry in ada.entries()] == [300_000]


def test_too_few_seats_are_shown_with_both_numbers_and_nobody_is_removed(marketplace, browser, firm, member):
    ada, ben = sign_up(member(firm.buyer)), member(firm.colleague)
    ben.post("sign-in")
    _, token = buy(marketplace, firm, plan="seats", quantity=1)
    shown = browser.open(token, firm.buyer)
    active = browser.submit(shown)
    refused = member(firm.guest).post("sign-in")

    for page in (shown, active):
        assert "2 accounts in use, and this subscription has 1 seat" in page.text
    assert (ada.get("me").status, ben.get("me").status) == (200, 200)
    assert (refused.status, refused.code) == (403, "seat_limit_reached")


def test_a_visit_does_not_store_its_secrets(app, marketplace, browser, firm):
    _, token = buy(marketplace, firm)
    browser.submit(browser.open(token, firm.buyer))
    [visit] = rows(app, landing_visits, entra_tenant_id=firm.key)

    assert (visit.purchase_token, visit.verifier, visit.nonce) == (None, None, None)
    assert visit.expires_at > app.now()


def test_retention_removes_expired_visits(app, marketplace, browser, firm, clock):
    _, token = buy(marketplace, firm)
    browser.open(token, firm.buyer)
    clock.tick(minutes=31)
    remove_expired(None)

    assert rows(app, landing_visits, entra_tenant_id=firm.key) == []


def test_a_fee_is_shown_with_the_price_per_user(marketplace, browser, firm):
    _, token = buy(marketplace, firm, plan="gold")

    assert "USD 49.00 a month, and USD 5.00 per active user and month" in browser.open(token, firm.buyer).text
