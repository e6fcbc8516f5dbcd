"""A purchase gives no rights: for an existing organization an approver has to agree to it."""

import datetime as dt
import uuid
from decimal import Decimal

import pytest

from billing.subscriptions.model import Price
from billing.subscriptions.service import agree
from shared.db.row_level_security import ALL_TENANTS
from shared.db.schema import billing_records, notices, purchase_requests, subscriptions, tenants, users
from shared.jobs import job_work
from tests.support.landing import buy, rows, sign_up
from tests.support.marketplace import wait_until


WAITS = "Your purchase waits for agreement"
ASK = "Ask for agreement to your purchase"
AGREE = "Agree to a purchase of TimeTracker"
ACTIVE = "Your subscription is active"
THIRTY_DAYS = dt.timedelta(days=30)


@pytest.fixture
def tenant(app, firm):
    """The tenant's present row."""
    return lambda: rows(app, tenants, entra_tenant_id=firm.key)[0]


@pytest.fixture
def role_of(app):
    """Sets a person's role and the time since their last sign-in."""

    def set_role(person, role, *, inactive=dt.timedelta()):
        with app.transaction(tenant=ALL_TENANTS) as tx:
            own = users.c.entra_object_id == uuid.UUID(person.oid)
            at = None if inactive is None else app.now() - inactive
            tx.execute(users.update().where(own).values(role=role, last_sign_in_at=at))

    return set_role


@pytest.fixture
def owner(firm, member):
    """Ben, the super admin of a trial; Ada will buy."""
    return sign_up(member(firm.colleague))


@pytest.fixture
def agreement(app, tenant):
    """Puts the tenant on an agreement with the vendor."""

    def begin():
        with app.transaction() as tx:
            agree(job_work(app, tx, tenant().id), "agreed", None, Price(Decimal(4), "EUR"))
            tx.execute(tenants.update().where(tenants.c.id == tenant().id).values(plan_kind="paid"))

    return begin


def kinds(app, tenant_row):
    return [row.kind for row in rows(app, notices, tenant_id=tenant_row.id)]


def states(app, tenant_row):
    return [row.state for row in rows(app, purchase_requests, tenant_id=tenant_row.id)]


def nothing_happened(app, marketplace, subscription, tenant_row, before):
    """Checks that the purchase is not activated, and the tenant unchanged."""
    assert marketplace.status(subscription) == "PendingFulfillmentStart"
    assert rows(app, subscriptions, tenant_id=tenant_row.id) == []
    assert tenant_row.plan_kind == before.plan_kind == "trial"
    assert (tenant_row.time_zone, tenant_row.organization) == (before.time_zone, before.organization)
    assert (tenant_row.version, tenant_row.trial_ends_at) == (before.version, before.trial_ends_at)
    return True


def test_a_user_who_buys_gets_no_role_and_changes_no_setting(app, marketplace, browser, firm, member, owner, tenant):  # noqa: PLR0917 - fixtures
    """A purchase once made any employee super admin of an existing organization."""
    ada = member(firm.buyer)
    ada.post("sign-in")
    before = tenant()
    subscription, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    after = browser.submit(shown, organization="attacker-org", timeZone="Pacific/Kiritimati")

    assert after.heading == WAITS
    assert ada.get("me").body["role"] == "user"
    assert ada.get("privacy/export", scope="tenant").status == 403
    assert nothing_happened(app, marketplace, subscription, tenant(), before)
    assert owner.get("me").body["role"] == "super_admin"
    assert {row["action"] for row in owner.get("audit").body["items"]} >= {"purchase.requested"}
    assert kinds(app, tenant()) == ["purchase_waiting"]


def test_the_pages_say_who_can_agree_and_name_nobody(marketplace, browser, firm, owner):
    _, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    waits = browser.submit(shown)

    assert (shown.status, shown.heading, waits.status) == (200, ASK, 200)
    for page in (shown, waits):
        assert "A super admin of your organization has to agree" in page.text
        assert "Microsoft charges nothing" in page.text
        assert "within 30 days" in page.text
        assert firm.colleague.email not in page.html
        assert owner.get("me").body["displayName"] not in page.html
    assert "You are the billing contact" in waits.text


def test_a_super_admin_agrees_on_the_page_and_the_buyer_is_the_billing_contact(  # noqa: PLR0917 - fixtures
    app, marketplace, browser, firm, member, owner, tenant
):
    subscription, token = buy(marketplace, firm)
    waits = browser.submit(browser.open(token, firm.buyer))
    entra = browser.session.get(f"{browser.base}{waits.links['Use another account']}", timeout=30)
    shown = browser.pick(entra, firm.colleague)
    active = browser.submit(shown)
    [bought] = rows(app, subscriptions, tenant_id=tenant().id)
    [ada] = rows(app, users, entra_object_id=uuid.UUID(firm.buyer.oid))

    assert shown.heading == AGREE
    assert not {"organization", "timeZone"} & set(shown.fields)
    assert "time, people and settings stay" in shown.text
    assert active.heading == ACTIVE
    assert marketplace.status(subscription) == "Subscribed"
    assert (tenant().plan_kind, tenant().status) == ("paid", "active")
    assert bought.billing_contact_id == ada.id
    assert ada.role == "user"
    assert member(firm.buyer).get("me").body["role"] == "user"
    assert kinds(app, tenant()) == ["purchase_waiting", "purchase_agreed"]
    assert states(app, tenant()) == ["agreed"]
    assert owner.get("tenant").body["plan"] == "paid"


def test_a_buyer_who_is_a_super_admin_has_agreed(  # noqa: PLR0917 - fixtures
    app, marketplace, browser, firm, member, tenant
):
    sign_up(member(firm.buyer))
    subscription, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    active = browser.submit(shown, organization="other", timeZone="America/New_York")

    assert (shown.heading, active.heading) == (AGREE, ACTIVE)
    assert marketplace.status(subscription) == "Subscribed"
    assert (tenant().time_zone, tenant().organization) == ("Europe/Berlin", "contoso")
    assert states(app, tenant()) == []
    assert kinds(app, tenant()) == ["purchase_agreed"]


@pytest.mark.parametrize("inactive", [THIRTY_DAYS, None], ids=["gone", "never"])
def test_without_a_super_admin_who_signs_in_an_admin_other_than_the_buyer_agrees(  # noqa: PLR0917 - fixtures
    marketplace, browser, firm, member, owner, tenant, role_of, inactive
):
    member(firm.guest).post("sign-in")
    role_of(firm.guest, "admin")
    role_of(firm.colleague, "super_admin", inactive=inactive)
    subscription, token = buy(marketplace, firm)
    waits = browser.submit(browser.open(token, firm.buyer))
    entra = browser.session.get(f"{browser.base}{waits.links['Use another account']}", timeout=30)
    shown = browser.pick(entra, firm.guest)
    active = browser.submit(shown)

    assert "an admin other than the buyer can agree" in waits.text
    assert (shown.heading, active.heading) == (AGREE, ACTIVE)
    assert marketplace.status(subscription) == "Subscribed"
    assert owner.tid
    assert tenant().plan_kind == "paid"


def test_a_super_admin_who_signed_in_within_30_days_must_agree(  # noqa: PLR0917 - fixtures
    marketplace, browser, firm, member, owner, role_of
):
    member(firm.guest).post("sign-in")
    role_of(firm.guest, "admin")
    role_of(firm.colleague, "super_admin", inactive=THIRTY_DAYS - dt.timedelta(minutes=5))
    _, token = buy(marketplace, firm)
    waits = browser.submit(browser.open(token, firm.buyer))
    entra = browser.session.get(f"{browser.base}{waits.links['Use another account']}", timeout=30)

    assert "A super admin of your organization has to agree" in waits.text
    assert browser.pick(entra, firm.guest).heading == "Ask a super admin of your organization"
    assert owner.tid


@pytest.mark.parametrize("role", ["user", "admin"])
def test_a_buyer_without_an_active_approver_asks_the_vendor(  # noqa: PLR0917 - fixtures
    app, marketplace, browser, firm, member, owner, tenant, role_of, role
):
    member(firm.buyer).post("sign-in")
    role_of(firm.buyer, role)
    role_of(firm.colleague, "super_admin", inactive=THIRTY_DAYS)
    before = tenant()
    subscription, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    waits = browser.submit(shown)

    assert (shown.heading, waits.heading) == (ASK, WAITS)
    assert "Ask the support of TimeTracker" in waits.text
    assert nothing_happened(app, marketplace, subscription, tenant(), before)
    assert owner.tid


def test_a_buyer_without_a_seat_can_ask_and_gets_none(  # noqa: PLR0917 - fixtures
    app, marketplace, browser, firm, owner, tenant
):
    owner.post("users", {"users": [{"email": f"{number}@contoso.example"} for number in range(4)]})
    before = tenant()
    subscription, token = buy(marketplace, firm)
    waits = browser.submit(browser.open(token, firm.buyer))
    [request] = rows(app, purchase_requests, tenant_id=tenant().id)

    assert waits.heading == WAITS
    assert request.buyer_id is None
    assert rows(app, users, entra_object_id=uuid.UUID(firm.buyer.oid)) == []
    assert tenant().seats_used == before.seats_used == 5
    assert nothing_happened(app, marketplace, subscription, tenant(), before)


def test_a_visitor_who_is_neither_buyer_nor_approver_learns_nothing(  # noqa: PLR0917 - fixtures
    app, marketplace, browser, firm, member, owner, tenant
):
    member(firm.guest).post("sign-in")
    _, token = buy(marketplace, firm)
    waits = browser.submit(browser.open(token, firm.buyer))
    entra = browser.session.get(f"{browser.base}{waits.links['Use another account']}", timeout=30)
    page = browser.pick(entra, firm.guest)

    assert (page.status, page.heading, page.action) == (403, "Ask a super admin of your organization", None)
    assert firm.buyer.email not in page.html
    assert states(app, tenant()) == ["waiting"]
    assert owner.tid


def test_a_form_that_is_sent_again_asks_once(  # noqa: PLR0917 - fixtures
    app, marketplace, browser, firm, owner, tenant
):
    _, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    pages = [browser.submit(shown) for _ in range(3)]

    assert [page.heading for page in pages] == [WAITS] * 3
    assert states(app, tenant()) == ["waiting"]
    assert kinds(app, tenant()) == ["purchase_waiting"]
    assert owner.tid


def test_a_purchase_that_is_declined_says_so_and_can_still_be_agreed_to(  # noqa: PLR0917 - fixtures
    app, marketplace, browser, firm, owner, tenant
):
    subscription, token = buy(marketplace, firm)
    waits = browser.submit(browser.open(token, firm.buyer))
    of_buyer = waits.url
    entra = browser.session.get(f"{browser.base}{waits.links['Use another account']}", timeout=30)
    shown = browser.pick(entra, firm.colleague)
    declined = browser.submit(shown, decision="decline")
    buyers_page = browser.get(of_buyer)

    assert states(app, tenant()) == ["declined"]
    assert "was declined before" in declined.text
    assert (buyers_page.heading, buyers_page.action) == ("Your purchase was declined", None)
    assert marketplace.status(subscription) == "PendingFulfillmentStart"
    assert browser.submit(declined).heading == ACTIVE
    assert states(app, tenant()) == ["agreed"]
    assert kinds(app, tenant()) == ["purchase_waiting", "purchase_declined", "purchase_agreed"]
    assert owner.tid


def test_a_purchase_that_is_cancelled_while_it_waits_is_closed(  # noqa: PLR0917 - fixtures
    app, marketplace, browser, firm, owner, tenant
):
    subscription, token = buy(marketplace, firm)
    waits = browser.submit(browser.open(token, firm.buyer))
    marketplace.execute("unsubscribe", subscription=subscription)
    read = browser.get(waits.url).heading, states(app, tenant())
    page = browser.open(marketplace.purchase_token(subscription), firm.buyer)

    assert read == ("This subscription has ended", ["waiting"])  # to read a page changes nothing
    assert page.heading == "This subscription has ended"
    assert states(app, tenant()) == ["cancelled"]
    assert kinds(app, tenant()) == ["purchase_waiting", "purchase_cancelled"]
    assert tenant().plan_kind == "trial"
    assert owner.tid


def test_the_buyer_can_finish_an_agreed_purchase_whose_activation_failed(marketplace, browser, firm, owner, tenant):
    subscription, token = buy(marketplace, firm)
    waits = browser.submit(browser.open(token, firm.buyer))
    entra = browser.session.get(f"{browser.base}{waits.links['Use another account']}", timeout=30)
    shown = browser.pick(entra, firm.colleague)
    marketplace.execute("faults", activate={"status": 500})
    failed = browser.submit(shown)
    marketplace.emulator.faults.clear()
    resumed = browser.get(waits.url)
    active = browser.submit(resumed)

    assert failed.status == 503
    assert resumed.heading == "Finish setting up TimeTracker"
    assert active.heading == ACTIVE
    assert marketplace.status(subscription) == "Subscribed"
    assert tenant().plan_kind == "paid"
    assert owner.tid


def test_a_purchase_that_ends_restores_the_trial_with_its_original_end(  # noqa: PLR0917 - fixtures
    app, marketplace, browser, firm, member, tenant, clock
):
    ada = sign_up(member(firm.buyer))
    ends_at = tenant().trial_ends_at
    ada.start()
    subscription, token = buy(marketplace, firm)
    assert browser.submit(browser.open(token, firm.buyer)).heading == ACTIVE
    clock.tick(hours=1)
    marketplace.execute("unsubscribe", subscription=subscription)
    wait_until(lambda: tenant().plan_kind == "trial")
    stopped = ada.stop()

    assert (tenant().status, tenant().trial_ends_at) == ("active", ends_at)
    assert (tenant().rate_per_user, tenant().currency, tenant().seat_limit) == (None, None, None)
    assert tenant().subscription_id is None
    assert stopped.status == 200
    assert ada.start().status == 201
    assert kinds(app, tenant()) == ["purchase_agreed", "subscription_cancelled"]


def test_a_trial_that_would_be_over_does_not_come_back(app, marketplace, browser, firm, member, tenant):  # noqa: PLR0917 - fixtures
    ada = sign_up(member(firm.buyer))
    subscription, token = buy(marketplace, firm)
    browser.submit(browser.open(token, firm.buyer))
    with app.transaction() as tx:
        over = {"trial_ends_at": app.now()}
        tx.execute(tenants.update().where(tenants.c.id == tenant().id).values(**over))
    marketplace.execute("unsubscribe", subscription=subscription)
    wait_until(lambda: tenant().status == "cancelled")

    assert ada.start().code == "subscription_cancelled"


def test_a_directory_that_began_with_a_purchase_has_no_trial_to_restore(marketplace, browser, firm, tenant):
    subscription, token = buy(marketplace, firm)
    browser.submit(browser.open(token, firm.buyer))
    marketplace.execute("unsubscribe", subscription=subscription)
    wait_until(lambda: tenant().status == "cancelled")

    assert tenant().plan_kind == "paid"


def test_an_agreement_with_the_vendor_ends_only_by_a_second_tick(  # noqa: PLR0917 - fixtures
    app, marketplace, browser, firm, member, tenant, agreement
):
    ada = sign_up(member(firm.buyer))
    agreement()
    subscription, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    without = browser.submit(shown)
    before = [each.status for each in rows(app, subscriptions, tenant_id=tenant().id)], marketplace.status(subscription)
    active = browser.submit(without, endAgreement="yes")
    after = [(each.plan_id, each.status) for each in rows(app, subscriptions, tenant_id=tenant().id)]

    assert "End the agreement with the vendor" in shown.text
    assert (without.status, without.heading) == (400, f"Error: {AGREE}")
    assert "Tick the box" in without.text
    assert before == (["subscribed"], "PendingFulfillmentStart")
    assert active.heading == ACTIVE
    assert after == [("agreed", "unsubscribed"), ("paid", "subscribed")]
    [agreed, _] = rows(app, subscriptions, tenant_id=tenant().id)
    assert [each.subscription_id for each in rows(app, billing_records, tenant_id=tenant().id)] == [agreed.id]
    done = {(row["action"], row.get("actorId")) for row in ada.get("audit").body["items"]}
    me = ada.get("me").body["id"]
    assert done >= {(action, me) for action in ("purchase.agreed", "subscription.moved", "bill.closed")}


def test_an_agreement_stays_in_force_until_the_purchase_is_active(  # noqa: PLR0917 - fixtures
    app, marketplace, browser, firm, member, tenant, agreement
):
    ada = sign_up(member(firm.buyer))
    agreement()
    subscription, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    marketplace.execute("faults", activate={"status": 500})
    failed = browser.submit(shown, endAgreement="yes")
    marketplace.emulator.faults.clear()
    marketplace.execute("unsubscribe", subscription=subscription)
    ended = browser.get(shown.url)
    found = [(each.plan_id, each.status) for each in rows(app, subscriptions, tenant_id=tenant().id)]

    assert failed.status == 503
    assert ended.heading == "This subscription has ended"
    assert found[0] == ("agreed", "subscribed")
    assert (tenant().plan_kind, tenant().status) == ("paid", "active")
    assert ada.start().status == 201


def test_an_agreement_that_was_replaced_does_not_come_back(  # noqa: PLR0917 - fixtures
    app, marketplace, browser, firm, member, tenant, agreement
):
    sign_up(member(firm.buyer))
    agreement()
    subscription, token = buy(marketplace, firm)
    browser.submit(browser.open(token, firm.buyer), endAgreement="yes")
    marketplace.execute("unsubscribe", subscription=subscription)
    wait_until(lambda: tenant().status == "cancelled")

    found = [each.status for each in rows(app, subscriptions, tenant_id=tenant().id)]
    assert found == ["unsubscribed", "unsubscribed"]


def test_an_admin_cannot_end_an_agreement_with_the_vendor(  # noqa: PLR0917 - fixtures
    app, marketplace, browser, firm, member, owner, tenant, agreement, role_of
):
    member(firm.guest).post("sign-in")
    agreement()
    role_of(firm.guest, "admin")
    role_of(firm.colleague, "super_admin", inactive=None)
    subscription, token = buy(marketplace, firm)
    waits = browser.submit(browser.open(token, firm.buyer))
    entra = browser.session.get(f"{browser.base}{waits.links['Use another account']}", timeout=30)

    assert "Ask the support of TimeTracker" in waits.text
    assert browser.pick(entra, firm.guest).status == 403
    assert marketplace.status(subscription) == "PendingFulfillmentStart"
    assert [each.status for each in rows(app, subscriptions, tenant_id=tenant().id)] == ["subscribed"]
    assert owner.tid


@pytest.mark.usefixtures("short_activation_wait")
def test_a_purchase_agreed_to_before_does_not_end_a_later_agreement_with_the_vendor(  # noqa: PLR0917 - fixtures
    app, marketplace, browser, firm, member, tenant, agreement
):
    sign_up(member(firm.buyer))
    marketplace.execute("pace", activation_seconds=600)
    subscription, token = buy(marketplace, firm)
    under_way = browser.submit(browser.open(token, firm.buyer))
    agreement()
    with marketplace.emulator.operations.updating() as state:
        state.subscriptions[subscription].visible_at = 0
    page = browser.get(under_way.url)

    assert page.heading == "Finish setting up TimeTracker"
    assert "End the agreement with the vendor" in page.text
    found = {each.plan_id: each.status for each in rows(app, subscriptions, tenant_id=tenant().id)}
    assert found == {"agreed": "subscribed", "paid": "pending"}
    assert browser.submit(page, endAgreement="yes").heading == ACTIVE
