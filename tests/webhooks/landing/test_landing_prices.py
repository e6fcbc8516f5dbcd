"""The landing page shows the price and the free trial of a purchase, and refuses another product."""

import datetime as dt

import pytest

from shared.app import use
from shared.db.schema import landing_visits, tenants
from tests.support import landing as landing_support
from tests.support.landing import buy, rows


@pytest.mark.parametrize(
    ("purchase", "price"),
    [
        ({"plan": "seats", "quantity": 5}, "USD 6.00 per seat and month"),
        ({"plan": "seats", "quantity": 5, "term": "P1Y"}, "USD 60.00 per seat and year"),
        ({"plan": "gold", "term": "P1Y"}, "USD 490.00 a year, and USD 5.00 per active user and month"),
        (
            {"plan": "team"},
            "USD 20.00 a month, and USD 5.00 per active user and month, with 5 active users included a month",
        ),
        (
            {"plan": "team", "term": "P1Y"},
            "USD 200.00 a year, and USD 5.00 per active user and month, with 60 active users included a year",
        ),
    ],
)
def test_the_price_is_that_of_the_term_that_was_bought(marketplace, browser, firm, purchase, price):
    _, token = buy(marketplace, firm, **purchase)

    assert f"Price {price} " in f"{browser.open(token, firm.buyer).text} "


def test_an_unreadable_price_is_omitted(marketplace, browser, firm):
    marketplace.execute("shapes", unpriced=["gold"])
    _, token = buy(marketplace, firm, plan="gold")

    assert "USD" not in browser.open(token, firm.buyer).text


def test_a_free_trial_is_shown_with_its_end(marketplace, browser, firm, clock):
    _, token = buy(marketplace, firm, plan="seats", quantity=5, free_trial=True)
    before = browser.open(token, firm.buyer)
    active = browser.submit(before)
    ends = dt.datetime.fromisoformat(
        marketplace.send("GET", "saas/subscriptions").json()["subscriptions"][0]["term"]["endDate"]
    )

    assert "Free trial Microsoft charges nothing for it." in before.text
    assert f"Free trial Until {ends.day} {ends:%B %Y}. Microsoft charges nothing for it." in active.text
    assert ends > clock()


@pytest.mark.parametrize("offers", [{"timetracker-seats"}, {"timetracker/gold"}])
def test_a_purchase_of_another_product_is_refused_and_not_stored(app, marketplace, browser, firm, codes, offers):  # noqa: PLR0917 - fixtures
    subscription, token = buy(marketplace, firm, plan="paid")
    settings = app.settings.model_copy(update={"marketplace_offers": frozenset(offers)})
    with use(landing_support.with_settings(app, settings)):
        page = browser.open(token, firm.buyer)

    assert (page.status, page.heading, page.action) == (403, "This is not a purchase of TimeTracker", None)
    assert codes() == ["purchase_of_another_product"]
    assert marketplace.status(subscription) == "PendingFulfillmentStart"
    assert rows(app, tenants, entra_tenant_id=firm.key) == []
    assert [visit for visit in rows(app, landing_visits) if str(visit.entra_tenant_id) == firm.tid] == []


@pytest.mark.parametrize("offers", [{"timetracker"}, {"timetracker/paid", "timetracker/gold"}])
def test_a_purchase_of_this_product_is_accepted(app, marketplace, browser, firm, offers):
    _, token = buy(marketplace, firm, plan="paid")
    settings = app.settings.model_copy(update={"marketplace_offers": frozenset(offers)})
    with use(landing_support.with_settings(app, settings)):
        page = browser.submit(browser.open(token, firm.buyer))

    assert page.heading == "Your subscription is active"
