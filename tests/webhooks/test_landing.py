"""A purchase walks through the landing page: sign in, look, confirm, and it is in force on both sides."""


def buy(marketplace, firm, **purchase):
    """A subscription of the firm, and a token for its landing page."""
    subscription = marketplace.buy(person=firm.buyer.oid, **purchase)
    return subscription, marketplace.purchase_token(subscription)


def test_a_purchase_is_shown_confirmed_and_activated(marketplace, browser, firm):
    subscription, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    active = browser.submit(shown)

    assert (shown.status, shown.heading) == (200, "Set up TimeTracker")
    for fact in ("Paid", "USD 5.00 for each active user and month", "1 month", firm.buyer.email):
        assert fact in shown.text
    assert (active.status, active.heading) == (200, "Your subscription is active")
    assert marketplace.status(subscription) == "Subscribed"
