import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa

from billing.subscriptions.rules import terms_of
from billing.subscriptions.store import all_bought
from shared.db.row_level_security import ALL_TENANTS
from shared.db.schema import subscriptions
from shared.deadline import Deadline
from shared.jobs import JobFailed
from shared.tenancy.store import find_tenant
from tests.support import purchases
from tests.support.connection_loss import drop_connections, on_postgresql
from tests.support.purchases import client_of
from tests.webhooks.events.test_events import send_event, wait_for_responses
from webhooks.agreement import store as agreement_store
from webhooks.events.jobs import reconcile_all
from webhooks.events.reconcile_flow import ReconcileOptions, reconcile


@pytest.fixture
def silent_purchase(purchase):
    """A purchase whose events never arrive."""
    purchase.marketplace.execute("pages", landing="http://127.0.0.1:9/", webhook="http://127.0.0.1:9/webhook")
    purchase.marketplace.execute("pace", retries=0, ack_seconds=0)
    return purchase


@pytest.mark.parametrize(
    ("name", "given", "terms"),
    [
        ("change", {"quantity": 9}, ("subscribed", "seats", 9)),
        ("change", {"plan": "seats-plus"}, ("subscribed", "seats-plus", 5)),
        ("suspend", {}, ("suspended", "seats", 5)),
        ("unsubscribe", {}, ("unsubscribed", "seats", 5)),
        ("renew", {}, ("subscribed", "seats", 5)),
    ],
)
def test_a_missed_event_is_repaired_and_reported_once(silent_purchase, app, name, given, terms):
    app.now.tick(days=1)
    before = silent_purchase.row
    silent_purchase.execute(name, **given)
    silent_purchase.marketplace.wait_until_idle()
    first, second = reconcile_all(app), reconcile_all(app)

    assert silent_purchase.terms == silent_purchase.at_microsoft == terms
    assert silent_purchase.row.version == before.version + 1
    assert (first.changed, second.changed) == ([silent_purchase.id], [])
    assert silent_purchase.outcomes == [("Reconcile", "applied")]
    assert silent_purchase.rates[-1][0] == terms[1]


def test_a_late_event_after_its_repair_changes_nothing(silent_purchase, app, http):
    operation = silent_purchase.execute("suspend")
    reconcile_all(app)
    before = silent_purchase.terms

    assert send_event(silent_purchase, http, operation).status == 200
    assert silent_purchase.terms == before
    assert silent_purchase.outcomes == [("Reconcile", "applied"), ("Suspend", "applied")]


def test_an_activation_whose_response_was_lost_is_completed(app, marketplace, owner):
    pending = purchases.add_pending_purchase(app, marketplace, owner.tid, active=True)
    assert pending.row.status == "pending"
    report = reconcile_all(app)

    assert report.changed == [pending.id]
    assert pending.terms == ("subscribed", "seats", 5)
    assert pending.rates == [("seats", "6.0000", "USD")]
    assert (pending.tenant.plan_kind, pending.tenant.users_at_purchase) == ("paid", 1)
    assert owner.start().status == 201


def test_a_purchase_that_was_never_set_up_is_reported(app, marketplace, log_lines):
    waiting = {marketplace.buy(plan="paid"), marketplace.buy(plan="paid", active=True)}
    gone = marketplace.buy(plan="paid")
    marketplace.execute("unsubscribe", subscription=gone)
    report = reconcile_all(app)

    assert set(report.waiting) == waiting
    assert {
        line["subscription"] for line in log_lines() if line["event"] == "marketplace_purchase_not_set_up"
    } == waiting


def test_an_unreadable_and_a_failing_row_do_not_stop_the_others(silent_purchase, app, world, log_lines):
    other = purchases.add_active_purchase(app, silent_purchase.marketplace, world.tenant().tid)
    other.execute("suspend")
    silent_purchase.execute("suspend")
    listed = silent_purchase.marketplace.send("GET", "saas/subscriptions").json()["subscriptions"]
    listed.insert(0, {**listed[0], "id": "no id"})
    listed.insert(0, {**listed[1], "quantity": "many"})
    body = json.dumps({"subscriptions": listed})
    silent_purchase.marketplace.execute("faults", list={"status": 200, "body": body}, get={"status": 500, "times": 4})
    with pytest.raises(JobFailed, match="3 of 4"):
        reconcile_all(app)
    lines = log_lines()

    [failed, suspended] = sorted([silent_purchase, other], key=lambda each: each.row.status)
    assert (failed.row.status, suspended.row.status) == ("subscribed", "suspended")
    assert select_events(lines, "marketplace_reconcile_failed", "reason") == [(failed.id, "http_500")]
    assert select_events(lines, "marketplace_subscription_unreadable") == [(listed[0]["id"],), ("",)]
    assert [(line["count"], line["failed"]) for line in lines if line["event"] == "marketplace_reconciled"] == [(1, 1)]


def select_events(lines, name, *fields):
    return [tuple(line.get(each) for each in ("subscription", *fields)) for line in lines if line.get("event") == name]


def test_a_subscription_that_microsoft_does_not_list_is_an_alarm_and_unchanged(silent_purchase, app, world, log_lines):
    ended, listed = (
        purchases.add_active_purchase(app, silent_purchase.marketplace, world.tenant().tid) for _ in range(2)
    )
    ended.execute("unsubscribe")
    reconcile_all(app)
    rows = silent_purchase.marketplace.send("GET", "saas/subscriptions").json()["subscriptions"]
    body = json.dumps({"subscriptions": [row for row in rows if row["id"] == listed.id]})
    silent_purchase.marketplace.execute("faults", list={"status": 200, "body": body})
    report = reconcile_all(app)
    named = {line["subscription"] for line in log_lines() if line["event"] == "marketplace_subscription_missing"}

    assert {silent_purchase.id, ended.id, listed.id} & set(report.missing) == {silent_purchase.id}
    assert {silent_purchase.id, ended.id, listed.id} & named == {silent_purchase.id}
    assert (silent_purchase.terms, ended.row.status) == (("subscribed", "seats", 5), "unsubscribed")


def test_an_accepted_change_that_is_not_in_force_yet_is_no_difference(purchase, app):
    purchase.marketplace.execute("pace", ack_seconds=30)
    wait_for_responses(purchase, purchase.execute("change", quantity=9))
    report = reconcile_all(app)

    assert report.changed == []
    assert purchase.terms == ("subscribed", "seats", 9)
    assert purchase.at_microsoft == ("subscribed", "seats", 5)


def test_every_page_is_compared(silent_purchase, app, world):
    others = [purchases.add_active_purchase(app, silent_purchase.marketplace, world.tenant().tid) for _ in range(4)]
    silent_purchase.marketplace.execute("shapes", page_size=2)
    for each in others:
        each.execute("suspend")
    report = reconcile_all(app)

    assert report.compared == 5
    assert sorted(report.changed) == sorted(each.id for each in others)


def test_too_few_seats_are_an_alarm_and_everybody_stays(silent_purchase, app, owner, world, log_lines):
    people = [world.member(owner) for _ in range(3)]
    silent_purchase.execute("change", quantity=2)
    reconcile_all(app)

    assert silent_purchase.terms == ("subscribed", "seats", 2)
    assert [each.start().status for each in people] == [201] * 3
    assert "seats_over_limit" in {line["event"] for line in log_lines()}


def test_an_unknown_status_is_reported_with_its_purchase(silent_purchase, app, log_lines):
    with silent_purchase.marketplace.emulator.operations.updating() as state:
        state.subscriptions[silent_purchase.id].status = "NotStarted"
    with pytest.raises(JobFailed):
        reconcile_all(app)

    assert select_events(log_lines(), "marketplace_reconcile_failed", "reason") == [
        (silent_purchase.id, "status_unknown")
    ]


def test_a_failure_is_reported_with_its_purchase_and_error_type(silent_purchase, app, log_lines):
    silent_purchase.execute("suspend")

    def broken(_connection, _cursor, statement, *_):
        if statement.startswith("UPDATE subscriptions"):
            raise ZeroDivisionError

    sa.event.listen(app.engine, "before_cursor_execute", broken)
    try:
        with pytest.raises(JobFailed):
            reconcile_all(app)
    finally:
        sa.event.remove(app.engine, "before_cursor_execute", broken)

    assert select_events(log_lines(), "marketplace_reconcile_failed", "errorType") == [
        (silent_purchase.id, "ZeroDivisionError")
    ]


@pytest.mark.usefixtures("silent_purchase")
def test_a_comparison_without_differences_waits_for_no_writer(app):
    """Without the restore mark, which every job writes."""
    with app.transaction(), ThreadPoolExecutor(1) as pool:
        report = pool.submit(reconcile, app, client_of(app)).result()

    assert (report.compared, report.changed) == (1, [])


@pytest.mark.usefixtures("silent_purchase")
def test_all_purchases_are_compared(app):
    with app.transaction(reads_only=True, tenant=ALL_TENANTS) as tx:
        compared = [each.id for each in all_bought(tx)]
        of_microsoft = sa.select(subscriptions.c.id).where(subscriptions.c.marketplace_id.is_not(None))
        there_are = tx.execute(of_microsoft.order_by(subscriptions.c.id)).scalars().all()

    assert compared == there_are


def test_without_the_marketplace_there_is_nothing_to_compare(app, settings):
    assert reconcile_all(replace(app, settings=settings)).compared == 0


@on_postgresql
@pytest.mark.parametrize("beginning", ["SELECT subscriptions", "UPDATE subscriptions"])
def test_a_broken_connection_is_retried_in_the_same_comparison(silent_purchase, app, engine, beginning):
    silent_purchase.execute("suspend")
    silent_purchase.marketplace.wait_until_idle()
    with drop_connections(app.engine, engine, beginning) as statements:
        report = reconcile_all(app)

    assert (report.changed, report.failed, len(statements)) == ([silent_purchase.id], [], 1)
    assert silent_purchase.outcomes == [("Reconcile", "applied")]


@on_postgresql
@pytest.mark.parametrize("beginning", ["SELECT subscriptions", "UPDATE subscriptions"])
def test_an_event_with_a_broken_connection_is_applied_in_the_same_call(silent_purchase, app, http, engine, beginning):
    operation = silent_purchase.execute("suspend")
    silent_purchase.marketplace.wait_until_idle()
    with drop_connections(app.engine, engine, beginning) as statements:
        answer = send_event(silent_purchase, http, operation)

    assert (answer.status, len(statements)) == (200, 1)
    assert silent_purchase.outcomes == [("Suspend", "applied")]


@pytest.fixture
def purchase_request(app, marketplace, owner):
    """A purchase of the owner's organization that waits for agreement; its id, and its state here."""
    purchase = marketplace.buy(plan="paid")
    terms = terms_of(client_of(app).get(purchase, Deadline.after(10)))
    with app.transaction() as tx:
        tenant = find_tenant(tx, tid=owner.tid, lock=True)
        assert tenant is not None
        assert terms is not None
        agreement_store.add(tx, tenant.id, uuid.UUID(purchase), terms, None, app.now())

    def state():
        with app.transaction(reads_only=True, tenant=ALL_TENANTS) as tx:
            request = agreement_store.find_anywhere(tx, uuid.UUID(purchase))
        return None if request is None else request.state

    return purchase, state


def test_a_purchase_that_waits_for_agreement_is_reported_as_such_and_not_activated(
    app, marketplace, purchase_request, owner, log_lines
):
    purchase, state = purchase_request
    with marketplace.emulator.operations.updating() as held:
        held.subscriptions[purchase].status = "Subscribed"  # as though somebody had activated it
    report = reconcile_all(app)

    assert (report.waiting, report.unanswered, report.changed) == ([], [purchase], [])
    assert state() == "waiting"
    assert owner.get("tenant").body["plan"] == "trial"
    events = [line["event"] for line in log_lines() if line.get("subscription") == purchase]
    assert events == ["marketplace_purchase_not_agreed"]


def test_a_purchase_canceled_while_it_waited_is_closed_and_reported_once(app, marketplace, purchase_request, owner):
    purchase, state = purchase_request
    marketplace.execute("unsubscribe", subscription=purchase)
    dry = reconcile(app, client_of(app), ReconcileOptions(dry_run=True))
    before = state()
    reports = [reconcile_all(app), reconcile_all(app)]

    assert (dry.changed, before) == ([purchase], "waiting")
    assert [report.changed for report in reports] == [[purchase], []]
    assert state() == "cancelled"
    assert [item["kind"] for item in owner.get("notices").body["items"]] == ["purchase_cancelled"]
