"""The API of purchases that wait for agreement: their readers, decisions, repeats and changes."""

import datetime as dt
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.db.row_level_security import ALL_TENANTS
from shared.db.schema import notices, subscription_events, subscriptions, tenants, users
from tests.support.landing import buy, rows, sign_up
from tests.support.marketplace import wait_until
from tests.support.world import new_id


WAITS = "Your purchase waits for agreement"


@pytest.fixture
def tenant(app, firm):
    return lambda: rows(app, tenants, entra_tenant_id=firm.key)[0]


@pytest.fixture
def ben(firm, member):
    """The super admin of a trial."""
    return sign_up(member(firm.colleague))


@pytest.fixture
def gus(ben, firm, member):
    """Another person of the firm, whose role a test sets."""
    assert ben.tid
    gus = member(firm.guest)
    gus.post("sign-in")
    return gus


@pytest.fixture
def change(app):
    """Changes the row of an account."""

    def changed(account, **values):
        with app.transaction(tenant=ALL_TENANTS) as tx:
            tx.execute(users.update().where(users.c.entra_object_id == uuid.UUID(account.oid)).values(**values))

    return changed


@pytest.fixture
def waiting_purchase(marketplace, browser, firm, ben):
    """Microsoft's id of a waiting purchase by Ada."""
    assert ben.tid
    subscription, token = buy(marketplace, firm, plan="seats", quantity=20)
    assert browser.submit(browser.open(token, firm.buyer)).heading == WAITS
    return subscription


SEEN = {"plan": "seats", "quantity": 20}


def agree(person, purchase, **body):
    return person.post(f"billing/purchases/{purchase}/agree", {**SEEN, **body})


def decline(person, purchase):
    return person.post(f"billing/purchases/{purchase}/decline", {})


def test_a_super_admin_sees_a_waiting_purchase_and_agrees(marketplace, ben, waiting_purchase, tenant, firm, member):  # noqa: PLR0917 - fixtures
    [item] = ben.get("billing/purchases").body["items"]
    agreed = agree(ben, waiting_purchase)
    ada = member(firm.buyer).get("me").body
    detail = ben.get("billing/subscription").body

    assert (item["id"], item["state"], item["plan"], item["quantity"]) == (waiting_purchase, "waiting", "seats", 20)
    assert (item["agreer"], item["mayAgree"], item["endsAgreement"]) == ("super_admin", True, False)
    assert item["buyer"] == {"id": ada["id"], "displayName": ada["displayName"]}
    assert (agreed.status, agreed.body["state"], agreed.body["mayAgree"]) == (200, "agreed", False)
    assert agreed.body["decidedBy"]["id"] == ben.get("me").body["id"]
    assert marketplace.status(waiting_purchase) == "Subscribed"
    assert (tenant().plan_kind, tenant().seat_limit) == ("paid", 20)
    assert ada["role"] == "user"
    assert detail["subscription"]["billingContact"] == {"id": ada["id"], "displayName": ada["displayName"]}


def test_agreeing_twice_has_one_effect(app, ben, gus, firm, waiting_purchase, tenant, change):  # noqa: PLR0917 - fixtures
    change(firm.guest, role="super_admin")
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda person: agree(person, waiting_purchase), (ben, gus)))
    again = agree(gus, waiting_purchase, plan="gold")
    activated = rows(app, subscription_events, tenant_id=tenant().id)

    assert [each.status for each in (*answers, again)] == [200, 200, 200]
    assert {each.body["state"] for each in (*answers, again)} == {"agreed"}
    assert [each.event_type for each in activated] == ["Activate"]
    kinds = [row.kind for row in rows(app, notices, tenant_id=tenant().id)]
    assert kinds == ["purchase_waiting", "purchase_agreed"]


def test_a_purchase_canceled_while_it_waits_is_409_with_its_state(app, marketplace, ben, waiting_purchase, tenant):
    marketplace.execute("unsubscribe", subscription=waiting_purchase)
    refused = agree(ben, waiting_purchase)
    again = agree(ben, waiting_purchase)
    declined = decline(ben, waiting_purchase)

    assert [(each.status, each.code) for each in (refused, again, declined)] == [(409, "purchase_cancelled")] * 3
    assert (refused.body["state"], refused.body["purchase"]) == ("cancelled", waiting_purchase)
    [item] = ben.get("billing/purchases").body["items"]
    assert (item["state"], item["mayAgree"], "agreer" in item) == ("cancelled", False, False)
    assert (tenant().plan_kind, tenant().status) == ("trial", "active")
    assert rows(app, subscriptions, tenant_id=tenant().id) == []
    kinds = [row.kind for row in rows(app, notices, tenant_id=tenant().id)]
    assert kinds == ["purchase_waiting", "purchase_cancelled"]


def test_a_changed_purchase_is_not_agreed_to(marketplace, ben, waiting_purchase, tenant):
    refused = agree(ben, waiting_purchase, quantity=5)

    assert (refused.status, refused.code) == (409, "purchase_changed")
    assert (refused.body["plan"], refused.body["quantity"], refused.body["state"]) == ("seats", 20, "waiting")
    assert marketplace.status(waiting_purchase) == "PendingFulfillmentStart"
    assert tenant().plan_kind == "trial"
    assert agree(ben, waiting_purchase).status == 200


def test_a_changed_purchase_shows_its_present_terms(marketplace, ben, waiting_purchase):
    with marketplace.emulator.operations.updating() as state:
        state.subscriptions[waiting_purchase].quantity = 500
    refused = agree(ben, waiting_purchase)
    [item] = ben.get("billing/purchases").body["items"]

    assert (refused.status, refused.code, refused.body["quantity"]) == (409, "purchase_changed", 500)
    assert item["quantity"] == 500
    assert agree(ben, waiting_purchase, quantity=500).status == 200


def test_the_buyer_cannot_decide_with_a_role_below_super_admin(  # noqa: PLR0917 - fixtures
    marketplace, ben, waiting_purchase, firm, member, change
):
    ada = member(firm.buyer)
    answers = [agree(ada, waiting_purchase), decline(ada, waiting_purchase)]
    change(firm.buyer, role="admin")
    change(firm.colleague, last_sign_in_at=None)
    answers += [agree(ada, waiting_purchase), decline(ada, waiting_purchase)]
    [item] = ada.get("billing/purchases").body["items"]

    assert [(each.status, each.code) for each in answers] == [(403, "role_required")] * 4
    assert "Ask the support of TimeTracker" in answers[-1].body["detail"]
    assert (item["agreer"], item["mayAgree"]) == ("operator", False)
    assert marketplace.status(waiting_purchase) == "PendingFulfillmentStart"
    assert ben.get("billing/purchases").body["items"][0]["mayAgree"] is True


def test_an_admin_named_by_microsoft_as_buyer_cannot_agree(  # noqa: PLR0917 - fixtures
    app, marketplace, browser, firm, gus, change
):
    subscription, token = buy(marketplace, firm, person=firm.buyer.oid, purchaser=firm.guest.oid)
    browser.submit(browser.open(token, firm.buyer))
    change(firm.guest, role="admin")
    change(firm.colleague, last_sign_in_at=app.now() - dt.timedelta(days=31))
    refused = gus.post(f"billing/purchases/{subscription}/agree", {"plan": "paid"})

    assert (refused.status, refused.code) == (403, "role_required")
    assert marketplace.status(subscription) == "PendingFulfillmentStart"


@pytest.mark.parametrize("away", [31, None], ids=["gone", "never"])
def test_an_admin_other_than_the_buyer_agrees_where_no_super_admin_signs_in(  # noqa: PLR0917 - fixtures
    app, marketplace, gus, waiting_purchase, firm, change, tenant, away
):
    change(firm.guest, role="admin")
    before = agree(gus, waiting_purchase)
    change(firm.colleague, last_sign_in_at=away and app.now() - dt.timedelta(days=away))
    [item] = gus.get("billing/purchases").body["items"]
    agreed = agree(gus, waiting_purchase)

    assert (before.status, before.code) == (403, "role_required")
    assert (item["agreer"], item["mayAgree"]) == ("admin", True)
    assert (agreed.status, tenant().plan_kind) == (200, "paid")
    assert marketplace.status(waiting_purchase) == "Subscribed"


def test_a_declined_purchase_can_be_agreed_to(marketplace, ben, waiting_purchase, tenant):
    declined, again = decline(ben, waiting_purchase), decline(ben, waiting_purchase)
    agreed = agree(ben, waiting_purchase)
    late = decline(ben, waiting_purchase)

    assert [(each.status, each.body["state"]) for each in (declined, again)] == [(200, "declined")] * 2
    assert (agreed.status, agreed.body["state"]) == (200, "agreed")
    assert (late.status, late.code, late.body["state"]) == (409, "purchase_agreed", "agreed")
    assert (marketplace.status(waiting_purchase), tenant().plan_kind) == ("Subscribed", "paid")


def test_another_organizations_purchase_is_not_found(ben, waiting_purchase, world):
    owner = world.tenant()

    for answer in (
        agree(owner, waiting_purchase),
        decline(owner, waiting_purchase),
        agree(ben, new_id()),
        agree(ben, "x"),
    ):
        assert (answer.status, answer.code) == (404, "not_found")
    assert owner.get("billing/purchases").body["items"] == []


def test_a_repeat_completes_an_agreement_that_failed_at_microsoft(marketplace, ben, waiting_purchase, tenant):
    marketplace.execute("faults", activate={"status": 500})
    failed = agree(ben, waiting_purchase)
    between = tenant().plan_kind
    marketplace.emulator.faults.clear()
    done = agree(ben, waiting_purchase)

    assert (failed.status, failed.code, between) == (503, "marketplace_unavailable", "trial")
    assert (done.status, marketplace.status(waiting_purchase), tenant().plan_kind) == (200, "Subscribed", "paid")


def test_a_cancelled_customer_buys_again_only_with_agreement(app, marketplace, browser, firm, ben, tenant):  # noqa: PLR0917 - fixtures
    first, token = buy(marketplace, firm, person=firm.colleague.oid)
    browser.submit(browser.open(token, firm.colleague))
    with app.transaction(tenant=ALL_TENANTS) as tx:  # the trial is over, and so does not come back
        tx.execute(tenants.update().where(tenants.c.id == tenant().id).values(trial_ends_at=app.now()))
    marketplace.execute("unsubscribe", subscription=first)
    wait_until(lambda: tenant().status == "cancelled")
    second, token = buy(marketplace, firm, plan="seats", quantity=20)
    waits = browser.submit(browser.open(token, firm.buyer))
    before = marketplace.status(second)

    assert (waits.heading, before) == (WAITS, "PendingFulfillmentStart")
    assert agree(ben, second).status == 200
    assert (tenant().status, tenant().plan_kind, marketplace.status(second)) == ("active", "paid", "Subscribed")
