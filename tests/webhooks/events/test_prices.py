"""The price of a purchase is that of its term, never that of another term or plan."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from billing.closing.jobs import close_all_ended
from shared.app import use
from shared.db.row_level_security import ALL_TENANTS
from shared.db.schema import billing_lines, billing_records, subscription_rates, usage_events
from tests.support import purchases
from tests.support.marketplace import wait_until
from tests.webhooks.events.test_events import wait_for_responses
from webhooks.events.jobs import reconcile_all


@pytest.fixture
def shop(settings, marketplace):
    """The settings with the Marketplace and its meter on."""
    on = purchases.with_marketplace(settings, marketplace)
    return on.model_copy(update={"marketplace_metering_dimension": "active_user"})


@pytest.fixture
def buy(app, marketplace, owner):
    """Buys and activates a plan for the owner's tenant."""
    return lambda **purchase: purchases.add_active_purchase(
        app, marketplace, owner.tid, **{"quantity": None, **purchase}
    )


def rows(purchase, table):
    with purchase.app.transaction(reads_only=True, tenant=ALL_TENANTS) as tx:
        return tx.execute(sa.select(table).where(table.c.tenant_id == purchase.tenant.id)).all()


def shown_prices(owner):
    """The prices in the two responses that have them."""
    subscription = owner.get("billing/subscription").body["subscription"]
    detail = owner.get("tenant").body["planDetail"]
    names = ("ratePerUser", "rateUnit", "currency")
    return [
        (*(each.get(name) for name in names), each.get(identity))
        for each, identity in ((subscription, "id"), (detail, "subscriptionId"))
    ]


@pytest.mark.parametrize(
    ("plan", "term", "rate", "unit"),
    [
        ("seats", "P1M", "6.00", "P1M"),
        ("seats", "P1Y", "60.00", "P1Y"),
        ("seats-yearly", "P1Y", "60.00", "P1Y"),
        ("gold", "P1Y", "5.00", "P1M"),  # a metered user costs the same on every term
    ],
)
def test_the_price_is_that_of_the_term_that_was_bought_and_has_its_unit(buy, owner, plan, term, rate, unit):  # noqa: PLR0917 - fixtures
    seats = 30 if plan.startswith("seats") else None
    purchase = buy(plan=plan, quantity=seats, term=term)

    assert shown_prices(owner) == [(rate, unit, "USD", purchase.id)] * 2


def test_a_bill_of_seats_by_the_year_has_no_total(buy, owner):
    purchase = buy(plan="seats-yearly", quantity=30, term="P1Y")
    owner.get("me")
    wait_for_responses(purchase, purchase.execute("unsubscribe"))
    [record] = rows(purchase, billing_records)
    [item] = owner.get("billing/records").body["items"]

    assert (record.kind, record.rate_per_user, record.rate_unit, record.total) == ("final", 60, "P1Y", None)
    assert (item["ratePerUser"], item["rateUnit"], item["currency"], "total" in item) == ("60.00", "P1Y", "USD", False)


def test_an_unreadable_price_is_not_replaced_by_a_former_subscriptions(buy, owner, marketplace, clock):
    before = buy(plan="paid")
    wait_for_responses(before, before.execute("unsubscribe"))
    clock.tick(days=1)
    marketplace.execute("shapes", unpriced=["seats-yearly"])
    purchase = buy(plan="seats-yearly", quantity=30, term="P1Y")

    assert shown_prices(owner) == [(None, None, None, purchase.id)] * 2
    assert owner.get("billing/preview").status == 200


def test_a_new_plan_without_a_price_is_not_billed_at_the_old_price(  # noqa: PLR0917 - fixtures
    buy, owner, world, marketplace, clock, log_lines
):
    purchase = buy(plan="paid")
    clock.tick(minutes=1)
    marketplace.execute("shapes", unpriced=["gold"])
    change = purchase.execute("change", plan="gold")
    wait_for_responses(purchase, change)
    wait_until(
        lambda: purchase.operation(change)["status"] == "Succeeded"
    )  # else the comparison would see the former plan
    clock.tick(days=40)
    world.member(owner)
    close_all_ended(purchase.app)
    clock.tick(days=31)
    close_all_ended(purchase.app)
    records = rows(purchase, billing_records)
    alarms = [line["event"] for line in log_lines() if line["level"] == "error"]

    assert [(each.plan_id, each.rate_per_user) for each in records[:2]] == [("paid", 5), ("gold", None)]
    assert {"marketplace_price_unknown", "bill_without_price"} <= set(alarms)
    assert [purchase.tenant.rate_per_user] == [None]

    marketplace.execute("shapes", unpriced=[])
    first, second = reconcile_all(purchase.app), reconcile_all(purchase.app)
    close_all_ended(purchase.app)
    close_all_ended(purchase.app)
    records = rows(purchase, billing_records)
    open_now = [each for each in records if each.state == "closed"]

    assert (first.changed, second.changed) == ([purchase.id], [])
    assert {each.rate_per_user for each in open_now} == {5}
    assert all(each.total == (each.active_users - each.included_users) * 5 for each in open_now)
    assert purchase.tenant.rate_per_user == 5
    lines = [line for line in rows(purchase, billing_lines) if not line.is_void]
    assert len(lines) == sum(each.active_users for each in open_now)
    assert sum(event.quantity for event in rows(purchase, usage_events)) == len(lines)


def test_a_new_term_without_a_price_is_not_billed_at_the_old_price(buy, owner, marketplace, clock):
    purchase = buy(plan="seats", quantity=5, term="P1M")
    clock.tick(minutes=1)
    marketplace.emulator.operations.subscription(purchase.id).term_unit = "P1Y"
    marketplace.execute("shapes", unpriced=["seats"])
    wait_for_responses(purchase, purchase.execute("renew"))
    clock.tick(minutes=1)
    spans = owner.get("billing/preview").body["seats"]

    assert [(each.rate_per_user, each.rate_unit) for each in rows(purchase, subscription_rates)] == [
        (6, "P1M"),
        (None, "P1Y"),
    ]
    assert shown_prices(owner) == [(None, None, None, purchase.id)] * 2
    assert [each.get("listedPrice") for each in spans] == ["6.00", None]

    marketplace.execute("shapes", unpriced=[])
    first, second = reconcile_all(purchase.app), reconcile_all(purchase.app)
    spans = owner.get("billing/preview").body["seats"]

    assert (first.changed, second.changed) == ([purchase.id], [])
    assert shown_prices(owner) == [("60.00", "P1Y", "USD", purchase.id)] * 2
    assert [(each["listedPrice"], each["termUnit"]) for each in spans] == [("6.00", "P1M"), ("60.00", "P1Y")]


def test_the_price_of_a_plan_without_one_is_read_daily_and_changes_nothing(buy, marketplace):
    marketplace.execute("shapes", unpriced=["paid"])
    purchase = buy(plan="paid")
    before = purchase.row
    reports = [reconcile_all(purchase.app) for _ in range(2)]

    assert [each.changed for each in reports] == [[], []]
    assert (purchase.row, len(purchase.ledger)) == (before, 1)
    assert [row.rate_per_user for row in rows(purchase, subscription_rates)] == [None]


@pytest.mark.parametrize(("term", "users", "off"), [("P1M", 5, 1), ("P1Y", 60, 0)])
def test_included_users_are_shown_and_deducted_from_monthly_terms_only(buy, owner, term, users, off):
    purchase = buy(plan="team", term=term)
    owner.post("sign-in")
    purchase.app.now.tick(minutes=1)
    subscription = owner.get("billing/subscription").body["subscription"]
    wait_for_responses(purchase, purchase.execute("unsubscribe"))
    [record] = rows(purchase, billing_records)

    assert (subscription["includedUsers"], subscription["includedUnit"]) == (users, term)
    assert (record.active_users, record.included_users, record.total) == (1, off, 5 * (1 - off))
    assert [event.quantity for event in rows(purchase, usage_events)] == [1] * (1 - off)


def test_a_yearly_fee_with_included_users_is_an_alarm(marketplace, owner, app, log_lines):
    purchase = purchases.add_pending_purchase(
        app, marketplace, owner.tid, plan="team", quantity=None, term="P1Y", active=True
    )
    reconcile_all(app)

    assert purchase.row.status == "subscribed"
    assert [line["tenant"] for line in log_lines() if line["event"] == "marketplace_included_by_the_year"] == [
        str(purchase.tenant.public_id)
    ]


def test_the_marketplaces_free_trial_is_shown_with_its_end_and_costs_nothing(buy, owner, world, clock):
    purchase = buy(plan="seats", quantity=5, free_trial=True)
    subscription = owner.get("billing/subscription").body["subscription"]
    world.member(owner)
    clock.tick(minutes=1)
    wait_for_responses(purchase, purchase.execute("unsubscribe"))
    [record] = rows(purchase, billing_records)

    assert subscription["isFreeTrial"] is True
    assert subscription["freeTrialEndsAt"] == subscription["termEndsAt"]
    assert (record.active_users, record.included_users, record.total) == (2, 2, 0)
    assert rows(purchase, usage_events) == []


def test_an_extended_free_trial_shows_its_new_end(buy, owner):
    purchase = buy(plan="seats", quantity=5, free_trial=True)
    ends_at = owner.get("billing/subscription").body["subscription"]["termEndsAt"]
    wait_for_responses(purchase, purchase.execute("renew"))
    subscription = owner.get("billing/subscription").body["subscription"]

    assert "isFreeTrial" not in subscription
    assert (subscription["freeTrialEndsAt"], subscription["termEndsAt"] > ends_at) == (ends_at, True)


def test_a_timer_running_at_the_cancellation_is_billed_and_reported(buy, owner, world, marketplace, clock):
    purchase = buy(plan="paid")
    ben = world.member(owner)
    clock.tick(days=40)
    close_all_ended(purchase.app)
    ben.start()
    clock.tick(minutes=3)
    preview = owner.get("billing/preview").body
    wait_for_responses(purchase, purchase.execute("unsubscribe"))
    ben.stop()
    clock.tick(days=40)
    close_all_ended(purchase.app)
    final = rows(purchase, billing_records)[-1]
    lines = [line for line in rows(purchase, billing_lines) if line.record_id == final.id]

    assert [line["reason"] for line in preview["lines"]] == ["time"]
    assert (final.kind, final.active_users, final.total) == ("final", 1, 5)
    assert [(line.reason, line.last_activity_at) for line in lines] == [("time", final.period_to)]
    assert [usage["quantity"] for usage in marketplace.stats()["usage"]][-1:] == [1]


@pytest.mark.parametrize(
    ("offers", "status"),
    [
        ({"timetracker-seats"}, 200),
        ({"timetracker-seats/seats", "timetracker-seats/seats-plus"}, 200),
        ({"TimeTracker-Seats"}, 200),
        (set(), 200),
        ({"timetracker-seats/seats"}, 409),
        ({"timetracker"}, 409),
    ],
)
def test_a_change_to_another_products_plan_is_refused(purchase, offers, status):
    settings = purchase.app.settings.model_copy(
        update={"marketplace_offers": frozenset(each.lower() for each in offers)}
    )
    with use(replace(purchase.app, settings=settings)):
        answers = wait_for_responses(purchase, purchase.execute("change", plan="seats-plus"))
    plan = "seats-plus" if status == 200 else "seats"

    assert answers == [status]
    assert purchase.terms == ("subscribed", plan, 5)
    assert purchase.outcomes == [("ChangePlan", "applied" if status == 200 else "refused")]


def test_a_purchase_of_another_product_is_not_compared(purchase, app, marketplace):
    marketplace.buy(plan="other", quantity=None, active=True)
    ours = replace(app, settings=app.settings.model_copy(update={"marketplace_offers": frozenset({"timetracker"})}))
    waiting = [reconcile_all(each).waiting for each in (app, ours)]

    assert [len(each) for each in waiting] == [1, 0]
    assert purchase.terms == ("subscribed", "seats", 5)  # known here, so compared though its offer is not named
