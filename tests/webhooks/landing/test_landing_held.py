"""While a restored database is held no purchase is activated; the page says to come again."""

from tests.support.installations import change, own
from tests.support.landing import buy
from tests.support.world import START


def test_a_purchase_waits_while_the_database_is_held(engine, marketplace, browser, firm):
    subscription, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    with own(engine):
        change(engine, held_since=START, held_reason="begun")
        waits, page = browser.submit(shown), browser.open(token, firm.buyer)
        not_activated = marketplace.status(subscription)
    active = browser.submit(shown)

    assert (waits.status, waits.headers["Retry-After"], page.status) == (503, "300", 503)
    assert "restored from a backup" in waits.text
    assert not_activated == "PendingFulfillmentStart"
    assert (active.status, marketplace.status(subscription)) == (200, "Subscribed")
