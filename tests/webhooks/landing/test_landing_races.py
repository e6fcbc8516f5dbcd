"""Confirmations at once, and hosts killed in the middle of one: one tenant, one activation, and a way to go on."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count

import pytest
import requests
from sqlalchemy import event

from shared import clock as real_clock
from shared.db.schema import subscription_events, subscriptions, tenants, users
from tests.faults import product
from tests.faults.crashes import start_crashing_hosts
from tests.support import landing as landing_support
from tests.support.landing import Browser, buy, rows
from tests.support.purchases import marketplace_settings
from tests.support.world import new_id


def at_once(calls):
    together = threading.Barrier(len(calls))

    def one(call):
        together.wait(30)
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(one, calls))


def one_purchase(app, marketplace, subscription, firm):
    """One tenant, one account of the buyer, one subscription in force, activated once."""
    [tenant] = rows(app, tenants, entra_tenant_id=firm.key)
    assert (tenant.plan_kind, tenant.status) == ("paid", "active")
    assert [each.role for each in rows(app, users, tenant_id=tenant.id)] == ["super_admin"]
    assert [str(each.marketplace_id) for each in rows(app, subscriptions, tenant_id=tenant.id)] == [subscription]
    assert [each.event_type for each in rows(app, subscription_events, tenant_id=tenant.id)] == ["Activate"]
    assert marketplace.status(subscription) == "Subscribed"
    return True


@pytest.mark.parametrize("visits", [1, 2])
def test_concurrent_confirmations_activate_once(app, marketplace, host, firm, visits):
    subscription, token = buy(marketplace, firm)
    browsers = [Browser(host) for _ in range(visits)]
    shown = [browser.open(token, firm.buyer) for browser in browsers]
    calls = [lambda b=browser, s=page: b.submit(s) for browser, page in zip(browsers, shown, strict=True)]
    pages = at_once(calls * (4 // visits))
    looked = browsers[0].get(shown[0].url)

    assert {page.status for page in pages} <= {200}
    assert looked.heading == "Your subscription is active"
    assert one_purchase(app, marketplace, subscription, firm)


@contextmanager
def registering_first(engine, times):
    """Adds the directory's tenant just before the product does, a given number of times; the refusal rolls it back."""
    left = [new_id() for _ in range(times)]

    def register(connection, _cursor, statement, _parameters, context, *_):
        if (
            left
            and statement.startswith("INSERT INTO tenants")
            and ("ON CONFLICT" in statement or "UPDLOCK" in statement)
        ):
            other = {"public_id": uuid.UUID(left[-1]), "slug": left.pop()}
            connection.execute(tenants.insert().inline(), {**context.compiled_parameters[0], **other})

    event.listen(engine, "before_cursor_execute", register)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", register)
    assert not left


def test_a_confirmation_is_repeated_when_the_directory_was_just_registered(app, marketplace, browser, firm):
    subscription, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    with registering_first(app.engine, times=1):
        active = browser.submit(shown)

    assert active.heading == "Your subscription is active"
    assert one_purchase(app, marketplace, subscription, firm)


def test_a_purchase_that_twice_could_not_be_set_up_is_not_activated(app, marketplace, browser, firm):
    subscription, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    with registering_first(app.engine, times=2):
        refused = browser.submit(shown)
    waiting = marketplace.status(subscription)
    active = browser.submit(shown)

    assert (refused.status, waiting) == (409, "PendingFulfillmentStart")
    assert active.heading == "Your subscription is active"
    assert one_purchase(app, marketplace, subscription, firm)


def finish(browser, url):
    """Loads the page again and presses its button, as a buyer does after an error."""
    page = browser.get(url)
    if "Look again" in page.buttons:
        return browser.press(page, "Look again")
    return page if page.action is None else browser.submit(page)


@pytest.fixture
def crashing(app, entra, marketplace, tmp_path):
    """Hosts on the same database, Entra and Marketplace."""
    landing = {
        "LANDING_CLIENT_ID": landing_support.LANDING_CLIENT_ID,
        "LANDING_CLIENT_SECRET": landing_support.LANDING_CLIENT_SECRET,
    }
    settings = product.environment(app.settings.database_url, entra, **landing, **marketplace_settings(marketplace))
    with start_crashing_hosts(tmp_path / "log", settings) as hosts:
        yield hosts


def test_opening_the_page_again_completes_a_confirmation_killed_at_any_point(
    app, marketplace, browser, crashing, monkeypatch
):
    every = 1 if app.engine.dialect.name == "sqlite" else 3  # the points are the same ones
    for point in count(1, every):
        app.now.at = real_clock.now()  # Entra's tokens are of now
        firm = landing_support.register_in_entra(monkeypatch, landing_support.new_firm())
        subscription, token = buy(marketplace, firm)
        shown = browser.open(token, firm.buyer)
        assert shown.heading == "Set up TimeTracker", shown.text
        with crashing.host(point) as base:
            survived = was_answered(browser, shown, base)
        done = finish(browser, shown.url)

        assert done.heading == "Your subscription is active", point
        assert one_purchase(app, marketplace, subscription, firm)
        if survived:
            break

    assert point > 15


def was_answered(browser, shown, base):
    fields = {**shown.fields, **landing_support.CHOICES}
    try:
        browser.session.post(f"{base}{shown.action}", data=fields, timeout=60, allow_redirects=False)
    except requests.ConnectionError:
        return False
    return True
