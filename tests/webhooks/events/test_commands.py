import datetime as dt
import functools
import uuid

import pytest

from billing.subscriptions.rules import terms_of
from shared import clock as real_clock
from shared.db.row_level_security import ALL_TENANTS
from shared.db.schema import users
from shared.deadline import Deadline
from shared.tenancy.store import find_caller
from tests.support import purchases
from tests.support.commands import Ops
from tests.support.purchases import Purchase, client_of
from tests.support.world import FakeClock, new_id
from tests.webhooks.events.test_events import send_event
from webhooks.agreement import store as agreement_store


@pytest.fixture
def clock() -> FakeClock:
    """Starts at the time that the command line reads."""
    return FakeClock(real_clock.now())


@pytest.fixture
def ops(marketplace, app_database_url, entra):
    """Runs `ops marketplace` with the settings of the Marketplace."""
    settings = {"ENTRA_AUTHORITY": entra.authority, **purchases.marketplace_settings(marketplace)}
    return functools.partial(Ops(app_database_url, **settings), "marketplace")


@pytest.fixture
def purchase_with_lost_event(purchase: Purchase) -> Purchase:
    """A purchase with an unreported suspension."""
    purchase.marketplace.execute("shapes", held=True)
    purchase.execute("suspend")
    return purchase


def test_show_prints_both_sides_the_differences_and_the_history(ops, purchase_with_lost_event):
    done = ops("show", purchase_with_lost_event.id, "--json")
    shown = done.json

    assert done.code == 0
    assert (shown["ours"]["status"], shown["microsoft"]["status"]) == ("subscribed", "suspended")
    assert shown["differences"] == ["status"]
    assert shown["tenant"] == purchase_with_lost_event.tenant.slug
    assert (shown["ours"]["ratePerUser"], shown["ours"]["currency"], shown["ours"]["seats"]) == ("6.00", "USD", 5)
    assert [row["event"] for row in shown["ledger"]] == ["Activate"]


def test_show_prints_pending_operations_and_finds_a_purchase_by_an_operation(ops, purchase, http):
    purchase.marketplace.execute("pace", ack_seconds=30)
    purchase.marketplace.execute("shapes", held=True)
    operation = purchase.execute("change", quantity=9)
    assert send_event(purchase, http, operation).status == 200
    shown = ops("show", operation, "--json").json
    table = ops("show", operation)

    assert shown["subscription"] == purchase.id
    assert shown["outstanding"] == [{"id": operation, "action": "ChangeQuantity", "status": "InProgress"}]
    assert "AT MICROSOFT" in table.out
    assert f"Pending at Microsoft: ChangeQuantity {operation}" in table.err.replace("\n", " ")


def test_show_prints_a_purchase_that_is_not_set_up(ops, marketplace):
    shown = ops("show", marketplace.buy(plan="paid"), "--json").json

    assert (shown["tenant"], shown["ours"], shown["microsoft"]["status"]) == (None, None, "pending")


@pytest.mark.parametrize(("name", "code"), [("00000000-0000-4000-8000-00000000000f", 3), ("contoso", 2)])
def test_an_unknown_subscription_is_a_one_line_error(ops, name, code):
    done = ops("show", name)

    assert (done.code, done.out, done.err.count("\n")) == (code, "", 1)


def test_a_dry_run_lists_the_repairs_and_makes_none(ops, purchase_with_lost_event, owner):
    dry = ops("reconcile", "--dry-run", "--json")
    assert purchase_with_lost_event.row.status == "subscribed"
    done = ops("reconcile", "--json")

    assert dry.json["changed"] == done.json["changed"] == [purchase_with_lost_event.id]
    assert (dry.json["dryRun"], done.json["dryRun"]) == (True, False)
    assert purchase_with_lost_event.terms == purchase_with_lost_event.at_microsoft
    assert purchase_with_lost_event.outcomes == [("Reconcile", "applied")]
    assert purchase_with_lost_event.ledger[-1].source == "operator"
    assert by_the_operator(owner) == {"subscription.moved"}


def by_the_operator(owner):
    return {row["action"] for row in owner.get("audit").body["items"] if row["actorKind"] == "operator"}


def test_a_comparison_lists_the_purchases_that_failed(ops, purchase_with_lost_event):
    purchase_with_lost_event.marketplace.execute("faults", get={"status": 403})
    done = ops("reconcile", "--json")

    assert (done.code, done.json["failed"], done.json["changed"]) == (1, [purchase_with_lost_event.id], [])


def test_a_comparison_with_open_issues_has_exit_code_1(ops, marketplace):
    waiting = marketplace.buy(plan="paid")
    done = ops("reconcile")

    assert done.code == 1
    assert any("not set up" in line and waiting in line for line in done.out.splitlines())


def test_a_replay_applies_microsofts_state_and_is_in_the_audit_log(ops, purchase_with_lost_event, owner):
    done = ops("replay", purchase_with_lost_event.id, "--yes", "--json")
    [audited] = [
        row
        for row in owner.get("audit").body["items"]
        if row["action"] == "subscription.moved" and row["actorKind"] == "operator"
    ]

    assert (done.code, done.json["changed"]) == (0, True)
    assert (done.json["before"]["status"], done.json["after"]["status"]) == ("subscribed", "suspended")
    assert purchase_with_lost_event.terms == purchase_with_lost_event.at_microsoft
    assert purchase_with_lost_event.outcomes == [("Replay", "applied")]
    assert audited["after"]["subscriptionStatus"] == "suspended"


def test_a_replay_that_ends_a_purchase_records_the_operator_also_for_its_bill(ops, purchase, owner):
    purchase.marketplace.execute("shapes", held=True)
    purchase.execute("unsubscribe")
    done = ops("replay", purchase.id, "--yes", "--json")

    assert (done.code, done.json["after"]["status"]) == (0, "unsubscribed")
    assert by_the_operator(owner) == {"subscription.moved", "bill.closed"}


def test_a_replay_that_is_not_agreed_to_changes_nothing(ops, purchase_with_lost_event):
    dry, unasked = (
        ops("replay", purchase_with_lost_event.id, "--dry-run", "--json"),
        ops("replay", purchase_with_lost_event.id),
    )

    assert (dry.code, dry.json["changed"], unasked.code) == (0, False, 2)
    assert purchase_with_lost_event.row.status == "subscribed"


def test_a_replay_adds_a_missing_price(ops, purchase, http):
    purchase.marketplace.execute("shapes", held=True)
    operation = purchase.execute("change", plan="seats-plus")
    purchase.marketplace.execute("faults", plans={"status": 200, "body": '{"plans": []}'})
    assert send_event(purchase, http, operation).status == 200
    purchase.marketplace.emulator.faults.clear()
    done = ops("replay", purchase.id, "--yes", "--json")

    assert done.json["after"]["ratePerUser"] == "9.00"
    assert purchase.rates[-1] == ("seats-plus", "9.0000", "USD")


def test_without_the_marketplace_the_commands_name_the_missing_settings(ops):
    off = dict.fromkeys(("MARKETPLACE_TENANT_ID", "MARKETPLACE_CLIENT_ID", "MARKETPLACE_CLIENT_SECRET"), "")
    done = ops("show", new_id(), **off)

    assert (done.code, done.out) == (2, "")
    assert "MARKETPLACE_" in done.err


def test_an_unavailable_marketplace_is_a_one_line_error(ops, purchase):
    purchase.marketplace.execute("faults", get={"status": 403}, list={"status": 403})

    assert ops("show", purchase.id).err.strip() == "ops: the Marketplace is unavailable: http_403"
    assert ops("reconcile").code == 4


@pytest.fixture
def purchase_request(app, marketplace, owner, world):
    """A purchase that a member has requested for; its id, and the member."""
    ben = world.member(owner, name="Ben")
    purchase = marketplace.buy(plan="seats", quantity=5)
    terms = terms_of(client_of(app).get(purchase, Deadline.after(10)))
    with app.transaction() as tx:
        caller = find_caller(tx, tid=ben.tid, oid=ben.oid, lock=True)
        assert caller is not None
        assert terms is not None
        agreement_store.add(tx, caller.tenant.id, uuid.UUID(purchase), terms, caller.user.id, app.now())
    return purchase, ben


@pytest.fixture
def leave(app):
    """Sets a person's last sign-in to a month ago."""

    def make_inactive(person):
        with app.transaction(tenant=ALL_TENANTS) as tx:
            own = users.c.entra_object_id == uuid.UUID(person.oid)
            tx.execute(users.update().where(own).values(last_sign_in_at=app.now() - dt.timedelta(days=30)))

    return make_inactive


def test_an_operator_agrees_only_without_an_active_approver(ops, purchase_request, owner, world, leave, marketplace):  # noqa: PLR0917 - fixtures
    purchase, ben = purchase_request
    by_super_admin = ops("agree", purchase, "--yes")
    helper = world.member(owner, name="Cleo")
    owner.patch(f"users/{helper.get('me').body['id']}", {"role": "admin"})
    leave(owner)
    by_admin = ops("agree", purchase, "--yes")
    before = marketplace.status(purchase)
    leave(helper)
    dry, unasked = ops("agree", purchase, "--dry-run", "--json"), ops("agree", purchase)
    untouched = marketplace.status(purchase)
    done, again = ops("agree", purchase, "--yes", "--json"), ops("agree", purchase, "--yes")

    assert (by_super_admin.code, "a super admin of the customer" in by_super_admin.err) == (1, True)
    assert (by_admin.code, "an admin other than the buyer" in by_admin.err) == (1, True)
    assert before == untouched == "PendingFulfillmentStart"
    assert (dry.code, dry.json["state"], unasked.code) == (0, "waiting", 2)
    assert (done.code, done.json["state"], again.code) == (0, "agreed", 0)
    assert marketplace.status(purchase) == "Subscribed"
    assert owner.get("tenant").body["plan"] == "paid"
    assert ben.get("me").body["role"] == "user"
    [agreed] = [row for row in owner.get("audit").body["items"] if row["action"] == "purchase.agreed"]
    assert agreed["actorKind"] == "operator"
    [notice] = [item for item in owner.get("notices").body["items"] if item["kind"] == "purchase_agreed"]
    assert (notice["text"], "by" in notice) == (
        "The purchase of plan seats, 5 seats was agreed to by the vendor.",
        False,
    )


def test_an_operator_cannot_agree_to_a_canceled_or_unrequested_purchase(
    ops, purchase_request, owner, leave, marketplace
):
    purchase, _ = purchase_request
    leave(owner)
    marketplace.execute("unsubscribe", subscription=purchase)
    refused = ops("agree", purchase, "--yes")
    unknown, garbage = ops("agree", new_id(), "--yes"), ops("agree", "x", "--yes")

    assert (refused.code, "was canceled" in refused.err) == (1, True)
    assert (unknown.code, "does not wait for agreement" in unknown.err) == (3, True)
    assert garbage.code == 2
    assert owner.get("tenant").body["plan"] == "trial"
