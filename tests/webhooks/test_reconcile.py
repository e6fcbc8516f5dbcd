import json
from dataclasses import replace

import pytest

from shared.jobs import JobFailed
from tests.support import purchases
from tests.support.cutting import cutting, on_postgresql
from tests.webhooks.test_events import heard, tell
from webhooks.jobs import reconcile_all


@pytest.fixture
def deaf(bought):
    """A purchase whose events never reach us."""
    bought.marketplace.order("pages", landing="http://127.0.0.1:9/", webhook="http://127.0.0.1:9/webhook")
    bought.marketplace.order("pace", retries=0, ack_seconds=0)
    return bought


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
def test_a_missed_event_is_repaired_and_told_once(deaf, app, name, given, terms):
    app.now.tick(days=1)
    before = deaf.row
    deaf.order(name, **given)
    deaf.marketplace.idle()
    first, second = reconcile_all(app), reconcile_all(app)

    assert deaf.terms == deaf.at_microsoft == terms
    assert deaf.row.version == before.version + 1
    assert (first.changed, second.changed) == ([deaf.id], [])
    assert deaf.told == [("Reconcile", "applied")]
    assert deaf.rates[-1][0] == terms[1]


def test_a_late_event_of_what_was_repaired_changes_nothing_more(deaf, app, http):
    operation = deaf.order("suspend")
    reconcile_all(app)
    before = deaf.terms

    assert tell(deaf, http, operation).status == 200
    assert deaf.terms == before
    assert deaf.told == [("Reconcile", "applied"), ("Suspend", "applied")]


def test_an_activation_whose_answer_was_lost_is_completed(app, marketplace, owner):
    pending = purchases.begun(app, marketplace, owner.tid, active=True)
    assert pending.row.status == "pending"
    report = reconcile_all(app)

    assert report.changed == [pending.id]
    assert pending.terms == ("subscribed", "seats", 5)
    assert pending.rates == [("seats", "6.0000", "USD")]
    assert (pending.tenant.plan_kind, pending.tenant.users_at_purchase) == ("paid", 1)
    assert owner.start().status == 201


def test_what_was_bought_and_never_set_up_is_named_for_the_operator(app, marketplace, logged):
    waiting = {marketplace.buy(plan="paid"), marketplace.buy(plan="paid", active=True)}
    gone = marketplace.buy(plan="paid")
    marketplace.order("unsubscribe", subscription=gone)
    report = reconcile_all(app)

    assert set(report.waiting) == waiting
    assert {line["subscription"] for line in logged() if line["event"] == "marketplace_purchase_waiting"} == waiting


def test_one_row_that_cannot_be_read_and_one_that_fails_do_not_stop_the_rest(deaf, app, world, logged):
    other = purchases.activated(app, deaf.marketplace, world.tenant().tid)
    other.order("suspend")
    deaf.order("suspend")
    listed = deaf.marketplace.send("GET", "saas/subscriptions").json()["subscriptions"]
    listed.insert(0, {**listed[0], "id": "no id"})
    listed.insert(0, {**listed[1], "quantity": "many"})
    body = json.dumps({"subscriptions": listed})
    deaf.marketplace.order("faults", list={"status": 200, "body": body}, get={"status": 500, "times": 4})
    with pytest.raises(JobFailed, match="3 of 4"):
        reconcile_all(app)

    statuses = sorted([deaf.row.status, other.row.status])
    assert statuses == ["subscribed", "suspended"]
    assert [line["reason"] for line in logged() if line["event"] == "marketplace_reconcile_failed"] == ["http_500"]


def test_what_microsoft_does_not_list_is_an_alarm_and_stays_as_it_is(deaf, app, logged):
    deaf.marketplace.order("faults", list={"status": 200, "body": '{"subscriptions": []}'})
    report = reconcile_all(app)

    assert deaf.id in report.missing
    assert deaf.terms == ("subscribed", "seats", 5)
    assert deaf.id in {line["subscription"] for line in logged() if line["event"] == "marketplace_subscription_missing"}


def test_an_accepted_change_that_is_not_in_force_yet_is_no_difference(bought, app):
    bought.marketplace.order("pace", ack_seconds=30)
    heard(bought, bought.order("change", quantity=9))
    report = reconcile_all(app)

    assert report.changed == []
    assert bought.terms == ("subscribed", "seats", 9)
    assert bought.at_microsoft == ("subscribed", "seats", 5)


def test_every_page_is_compared(deaf, app, world):
    others = [purchases.activated(app, deaf.marketplace, world.tenant().tid) for _ in range(4)]
    deaf.marketplace.order("shapes", page_size=2)
    for each in others:
        each.order("suspend")
    report = reconcile_all(app)

    assert report.compared == 5
    assert sorted(report.changed) == sorted(each.id for each in others)


def test_seats_below_the_enabled_accounts_are_an_alarm_and_everybody_stays(deaf, app, owner, world, logged):
    people = [world.member(owner) for _ in range(3)]
    deaf.order("change", quantity=2)
    reconcile_all(app)

    assert deaf.terms == ("subscribed", "seats", 2)
    assert [each.start().status for each in people] == [201] * 3
    assert "seats_over_limit" in {line["event"] for line in logged()}


def test_without_the_marketplace_there_is_nothing_to_compare(app, settings):
    assert reconcile_all(replace(app, settings=settings)).compared == 0


@on_postgresql
@pytest.mark.parametrize("beginning", ["SELECT subscriptions", "UPDATE subscriptions"])
def test_a_line_that_is_cut_is_made_good_in_the_same_comparison(deaf, app, engine, beginning):
    deaf.order("suspend")
    deaf.marketplace.idle()
    with cutting(app.engine, engine, beginning) as met:
        report = reconcile_all(app)

    assert (report.changed, report.failed, len(met)) == ([deaf.id], [], 1)
    assert deaf.told == [("Reconcile", "applied")]


@on_postgresql
@pytest.mark.parametrize("beginning", ["SELECT subscriptions", "UPDATE subscriptions"])
def test_an_event_whose_line_is_cut_is_applied_within_its_call(deaf, app, http, engine, beginning):
    operation = deaf.order("suspend")
    deaf.marketplace.idle()
    with cutting(app.engine, engine, beginning) as met:
        answer = tell(deaf, http, operation)

    assert (answer.status, len(met)) == (200, 1)
    assert deaf.told == [("Suspend", "applied")]
