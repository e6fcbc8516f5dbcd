"""During a restore hold no purchase is activated; the page asks to come back."""

import pytest

from shared.db.schema import tenants
from tests.support.installations import change, own
from tests.support.landing import buy, rows
from tests.support.world import START


def test_a_purchase_waits_while_the_database_is_held(engine, marketplace, browser, firm):
    subscription, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    with own(engine):
        change(engine, held_since=START, held_reason="begun")
        waits, page = browser.submit(shown), browser.open(token, firm.buyer)
        not_activated = marketplace.status(subscription)
    active = browser.submit(shown)

    # to read the page changes nothing
    assert (waits.status, waits.headers["Retry-After"], page.status) == (503, "300", 200)
    assert "database was restored" in waits.text
    assert not_activated == "PendingFulfillmentStart"
    assert (active.status, marketplace.status(subscription)) == (200, "Subscribed")


@pytest.mark.usefixtures("short_activation_wait")
def test_a_confirmed_purchase_is_not_activated_while_the_database_is_held(app, engine, marketplace, browser, firm):
    marketplace.execute("pace", activation_seconds=600)
    subscription, token = buy(marketplace, firm)
    browser.submit(browser.open(token, firm.buyer))
    with marketplace.emulator.operations.updating() as state:
        state.subscriptions[subscription].visible_at = 0
    with own(engine):
        change(engine, held_since=START, held_reason="begun")
        shown = browser.open(token, firm.buyer)
        [held] = rows(app, tenants, entra_tenant_id=firm.key)
    done = browser.open(token, firm.buyer)

    assert (shown.heading, held.plan_kind) == ("Your subscription is being activated", "trial")
    assert done.heading == "Your subscription is active"
