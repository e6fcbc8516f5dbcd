import json

import pytest
import requests

from shared.errors import Inconclusive
from tests.support import purchases
from tests.support.marketplace import wait_until
from tests.support.purchases import client_of
from tests.support.world import new_id
from webhooks.events.flow import SECONDS
from webhooks.events.reconcile_flow import reconcile, reconcile_now


def wait_for_responses(purchase, operation):
    """The responses to an event once it was accepted or given up."""
    wait_until(lambda: purchase.attempts(operation))
    purchase.marketplace.wait_until_idle()
    return purchase.attempts(operation)


def test_more_seats_are_accepted_at_once_and_admit_more_people(purchase, owner):
    operation = purchase.execute("change", quantity=9)
    answers = wait_for_responses(purchase, operation)

    assert answers == [200]
    assert purchase.terms == ("subscribed", "seats", 9)
    assert purchase.tenant.seat_limit == 9
    assert purchase.outcomes == [("ChangeQuantity", "applied")]
    assert owner.post("sign-in").body["tenant"]["seatLimit"] == 9


def test_another_plan_is_accepted_with_its_price(purchase, clock):
    clock.tick(days=1)
    operation = purchase.execute("change", plan="seats-plus")
    answers = wait_for_responses(purchase, operation)

    assert answers == [200]
    assert purchase.terms == ("subscribed", "seats-plus", 5)
    assert purchase.rates == [("seats", "6.0000", "USD"), ("seats-plus", "9.0000", "USD")]


def test_seats_missing_in_microsofts_copy_stay(purchase):
    purchase.marketplace.execute("shapes", quantity="null")
    wait_for_responses(purchase, purchase.execute("renew"))

    assert purchase.outcomes == [("Renew", "applied")]
    assert (purchase.row.quantity, purchase.tenant.seat_limit) == (5, 5)


@pytest.mark.parametrize("lacking", [["term"], ["startDate"], ["endDate", "termUnit"], ["autoRenew", "offerId"]])
def test_values_missing_in_microsofts_copy_stay(purchase, app, lacking):
    before = purchase.row
    purchase.marketplace.execute("shapes", lacking=lacking)
    wait_for_responses(purchase, purchase.execute("renew"))
    reconcile(app, client_of(app))
    thin = purchase.row
    purchase.marketplace.execute("shapes", lacking=[])
    reconcile(app, client_of(app))

    names = ("offer_id", "quantity", "term_unit", "term_starts_at", "term_ends_at", "auto_renew")
    unchanged = [name for name in names if getattr(thin, name) == getattr(before, name)]
    moved = {"term_starts_at", "term_ends_at"} if lacking == ["autoRenew", "offerId"] else set()
    assert set(names) - set(unchanged) == moved
    assert purchase.outcomes[0] == ("Renew", "applied")
    assert purchase.row.term_starts_at > before.term_starts_at


def test_an_operation_without_a_status_did_not_fail(purchase, http):
    purchase.marketplace.execute("shapes", held=True)
    operation = purchase.execute("change", quantity=9)
    purchase.marketplace.execute("shapes", held=True, lacking=["status"])
    unclear = send_event(purchase, http, operation)
    purchase.marketplace.execute("shapes", lacking=[])

    assert (unclear.status, purchase.outcomes) == (503, [])
    assert send_event(purchase, http, operation).status == 200
    assert purchase.terms == ("subscribed", "seats", 9)


def test_a_plan_by_seats_without_a_number_is_not_unlimited(purchase, http):
    purchase.marketplace.execute("shapes", held=True)
    operation = purchase.execute("suspend")
    copy = purchase.marketplace.send("GET", f"saas/subscriptions/{purchase.id}").json()
    thin = json.dumps({**copy, "planId": "seats-plus", "quantity": None})
    purchase.marketplace.execute("faults", get={"status": 200, "body": thin})
    unclear = send_event(purchase, http, operation)
    purchase.marketplace.emulator.faults.clear()

    assert (unclear.status, purchase.tenant.seat_limit, purchase.outcomes) == (503, 5, [])
    assert send_event(purchase, http, operation).status == 200


def test_a_new_plan_keeps_seats_missing_in_microsofts_copy(purchase):
    purchase.marketplace.execute("shapes", lacking=["quantity"])
    wait_for_responses(purchase, purchase.execute("change", plan="seats-plus"))

    assert (purchase.terms, purchase.tenant.seat_limit) == (("subscribed", "seats-plus", 5), 5)


def test_a_suspension_limits_and_a_reinstatement_restores(purchase, owner):
    wait_for_responses(purchase, purchase.execute("suspend"))
    suspended = owner.start()
    wait_for_responses(purchase, purchase.execute("reinstate"))
    restored = owner.start()

    assert (suspended.status, suspended.code) == (402, "subscription_suspended")
    assert restored.status == 201
    assert purchase.outcomes == [("Suspend", "applied"), ("Reinstate", "applied")]
    assert purchase.terms == purchase.at_microsoft == ("subscribed", "seats", 5)


def test_the_end_ends_access_and_keeps_the_data(purchase, owner):
    owner.start()
    owner.stop()
    wait_for_responses(purchase, purchase.execute("unsubscribe"))
    refused = owner.start()

    assert (refused.status, refused.code) == (402, "subscription_cancelled")
    assert purchase.terms == purchase.at_microsoft == ("unsubscribed", "seats", 5)
    assert purchase.row.ended_at is not None
    assert len(owner.entries()) == 1


def test_a_late_end_has_its_original_time(purchase, http, clock):
    purchase.marketplace.execute("shapes", held=True)
    clock.tick(hours=1)
    happened = clock()
    operation = purchase.execute("unsubscribe")
    clock.tick(minutes=10)
    assert send_event(purchase, http, operation).status == 200

    assert purchase.row.ended_at == purchase.ledger[-1].effective_at == happened
    assert purchase.ledger[-1].recorded_at == clock()


def test_a_renewal_refreshes_the_term(purchase):
    before = purchase.row.term_ends_at
    wait_for_responses(purchase, purchase.execute("renew"))

    assert purchase.row.term_starts_at > before
    assert purchase.outcomes == [("Renew", "applied")]


def test_an_event_adds_and_removes_no_rows_outside_its_ledger(purchase, owner, engine):
    owner.start()
    owner.stop()
    for name, given in (
        ("change", {"quantity": 9}),
        ("change", {"plan": "seats-plus"}),
        ("suspend", {}),
        ("reinstate", {}),
        ("renew", {}),
        ("unsubscribe", {}),
    ):
        before = purchases.row_counts(engine, owner.tid)
        wait_until(lambda: not pending_operations(purchase))
        wait_for_responses(purchase, purchase.execute(name, **given))
        after = purchases.row_counts(engine, owner.tid)

        changed = {table for table in after if after[table] != before[table]}
        own = {"subscription_rates", "billing_records", "billing_lines", "notices"}
        assert changed - own == {"audit_log", "subscription_events"}
        assert all(after[table] >= before[table] for table in after)


def pending_operations(purchase):
    return purchase.marketplace.send("GET", f"saas/subscriptions/{purchase.id}/operations").json()["operations"]


def with_people(world, owner, count):
    """Adds enabled accounts besides the owner's."""
    return [world.member(owner) for _ in range(count)]


def test_fewer_seats_than_enabled_accounts_are_refused_with_both_numbers(purchase, owner, world, http):
    with_people(world, owner, 3)
    purchase.marketplace.execute("shapes", held=True)
    operation = purchase.execute("change", quantity=2)
    refused = send_event(purchase, http, operation)

    assert (refused.status, refused.code) == (409, "seats_in_use")
    assert (refused.body["seatsUsed"], refused.body["seatsWanted"]) == (4, 2)
    assert "4 accounts" in refused.body["detail"]
    assert purchase.outcomes == [("ChangeQuantity", "refused")]
    assert purchase.tenant.seat_limit == 5
    [audited] = [row for row in owner.get("audit").body["items"] if row["action"] == "subscription.change_refused"]
    assert audited["before"] == {"seatLimit": 5, "seatsUsed": 4}
    assert audited["after"] == {"code": "seats_in_use", "seatLimit": 2}


def send_event(purchase, http, operation, **changes):
    """Sends an event as Microsoft does; returns the whole response."""
    copy = purchase.operation(operation)
    body = {"id": operation, "subscriptionId": purchase.id, "action": copy["action"], **changes}
    bearer = purchase.marketplace.emulator.delivery._tokens.build_webhook_token("v2", {})
    return http.send("POST", "marketplace/webhook", body, token=bearer)


def test_microsoft_accepts_a_refusal_and_both_sides_stay(purchase, owner, world):
    with_people(world, owner, 3)
    answers = wait_for_responses(purchase, purchase.execute("change", quantity=3))

    assert answers == [409]
    assert purchase.terms == purchase.at_microsoft == ("subscribed", "seats", 5)


def test_a_repeated_refused_change_is_refused_and_recorded_once(purchase, owner, world, http):
    with_people(world, owner, 3)
    purchase.marketplace.execute("shapes", held=True, unanswered="wait")
    operation = purchase.execute("change", quantity=2)
    answers = [send_event(purchase, http, operation) for _ in range(3)]

    assert [each.status for each in answers] == [409, 409, 409]
    assert {(each.body["seatsUsed"], each.body["seatsWanted"]) for each in answers} == {(4, 2)}
    assert purchase.outcomes == [("ChangeQuantity", "refused")]


def test_a_reduction_to_the_enabled_accounts_is_accepted(purchase, owner, world):
    with_people(world, owner, 3)
    answers = wait_for_responses(purchase, purchase.execute("change", quantity=4))
    fifth = world.person(owner.tid).post("sign-in")

    assert answers == [200]
    assert (fifth.status, fifth.code) == (403, "seat_limit_reached")


def test_the_revert_of_a_refused_change_is_accepted(purchase, owner, world):
    purchase.marketplace.execute("shapes", revert="always")
    with_people(world, owner, 3)
    wait_for_responses(purchase, purchase.execute("change", quantity=3))
    wait_until(lambda: not pending_operations(purchase))
    purchase.marketplace.wait_until_idle()

    assert purchase.outcomes == [("ChangeQuantity", "refused"), ("ChangeQuantity", "applied")]
    assert purchase.terms == purchase.at_microsoft == ("subscribed", "seats", 5)


def test_a_refused_reduction_in_force_keeps_people_and_admits_nobody(purchase, owner, world, http, log_lines):
    people = with_people(world, owner, 3)
    purchase.marketplace.execute("shapes", held=True)
    operation = purchase.execute("change", quantity=2)
    refused = send_event(purchase, http, operation)
    wait_until(lambda: purchase.operation(operation)["status"] == "Succeeded")
    repeated = send_event(purchase, http, operation)

    assert (refused.status, repeated.status) == (409, 200)
    assert purchase.terms == purchase.at_microsoft == ("subscribed", "seats", 2)
    assert [each.start().status for each in people] == [201, 201, 201]
    assert world.person(owner.tid).post("sign-in").code == "seat_limit_reached"
    assert {line["event"] for line in log_lines()} >= {"marketplace_refusal_overruled", "seats_over_limit"}


def test_an_increase_that_is_still_too_low_is_accepted(purchase, owner, world, http, log_lines):
    with_people(world, owner, 4)
    purchase.marketplace.execute("shapes", held=True, unanswered="accept")
    cut = purchase.execute("change", quantity=2)
    wait_until(lambda: not pending_operations(purchase))
    assert send_event(purchase, http, cut).status == 200  # it was in force when we wait_for_responses of it
    raised = purchase.execute("change", quantity=3)

    assert send_event(purchase, http, raised).status == 200
    assert purchase.terms == ("subscribed", "seats", 3)
    assert "seats_over_limit" in {line["event"] for line in log_lines()}


def test_a_later_event_does_not_undo_a_change_that_is_accepted_and_not_in_force_yet(purchase, http):
    purchase.marketplace.execute("pace", ack_seconds=30)
    purchase.marketplace.execute("shapes", held=True)
    change = purchase.execute("change", quantity=9)
    renewal = purchase.execute("renew")
    assert send_event(purchase, http, change).status == 200
    assert send_event(purchase, http, renewal).status == 200

    assert purchase.at_microsoft == ("subscribed", "seats", 5)
    assert purchase.terms == ("subscribed", "seats", 9)
    assert purchase.tenant.seat_limit == 9


def test_an_accepted_change_that_failed_at_microsoft_is_reverted_by_the_next_event(purchase, http):
    purchase.marketplace.execute("pace", ack_seconds=30)
    purchase.marketplace.execute("shapes", held=True)
    change = purchase.execute("change", quantity=9)
    assert send_event(purchase, http, change).status == 200
    end = purchase.execute("unsubscribe")  # it makes pending operations fail

    assert send_event(purchase, http, end).status == 200
    assert purchase.terms == purchase.at_microsoft == ("unsubscribed", "seats", 5)


def test_a_pending_change_does_not_alter_the_terms_of_an_ended_subscription(purchase):
    shop = purchase.marketplace
    shop.execute("pace", ack_seconds=30)
    looks = shop.stats()["hits"].get("get", 0)
    shop.execute("faults", get={"delay": 1, "times": 1})
    change = purchase.execute("change", quantity=9)
    wait_until(lambda: shop.stats()["hits"].get("get", 0) > looks)  # its operation was under way, and has been read
    shop.execute("shapes", held=True)
    end = purchase.execute("unsubscribe")
    wait_for_responses(purchase, change)
    shop.execute("release")
    wait_for_responses(purchase, end)

    assert purchase.terms == purchase.at_microsoft == ("unsubscribed", "seats", 5)


def test_a_repeated_event_gets_the_same_response_and_is_recorded_once(purchase, http):
    purchase.marketplace.execute("shapes", held=True)
    operation = purchase.execute("suspend")
    answers = [send_event(purchase, http, operation).status for _ in range(4)]

    assert answers == [200] * 4
    assert purchase.outcomes == [("Suspend", "applied")]


def test_an_old_event_applies_microsofts_present_state(purchase, http):
    purchase.marketplace.execute("shapes", held=True)
    suspension = purchase.execute("suspend")
    end = purchase.execute("unsubscribe")
    assert send_event(purchase, http, end).status == 200
    assert send_event(purchase, http, suspension).status == 200

    assert purchase.terms == purchase.at_microsoft == ("unsubscribed", "seats", 5)
    assert purchase.outcomes == [("Unsubscribe", "applied"), ("Suspend", "superseded")]


def test_the_body_is_only_a_hint(purchase, http):
    purchase.marketplace.execute("shapes", held=True)
    operation = purchase.execute("suspend")
    answer = send_event(purchase, http, operation, action="ChangePlan", planId="gold", quantity=5000)

    assert answer.status == 200
    assert purchase.terms == ("suspended", "seats", 5)
    assert purchase.outcomes == [("Suspend", "applied")]


def test_an_unknown_action_is_recorded_and_changes_nothing(purchase, log_lines):
    before = purchase.row
    body = {"id": new_id(), "subscriptionId": purchase.id, "action": "Transfer", "more": {"x": [1]}}

    assert purchase.marketplace.execute("event", body=body)["status"] == 200
    assert purchase.marketplace.execute("event", body=body)["status"] == 200
    assert (purchase.row, purchase.outcomes) == (before, [("Transfer", "ignored")])
    [first] = {(line["event"], line["tenant"]) for line in log_lines() if line["event"] == "marketplace_event_unknown"}
    assert first[1] == str(purchase.tenant.public_id)


def test_an_ignored_action_is_recorded_without_an_alarm(purchase, log_lines):
    before, stranger = purchase.row, purchase.marketplace.buy(plan="paid", active=True)
    for subscription in (purchase.id, stranger):
        body = {"id": new_id(), "subscriptionId": subscription, "action": "Subscribe"}
        assert purchase.marketplace.execute("event", body=body)["status"] == 200

    assert (purchase.row, purchase.outcomes) == (before, [("Subscribe", "ignored")])
    assert [line["event"] for line in log_lines() if line["level"] == "error"] == []


def in_chunks(purchase, http, operation):
    """Sends an event as Microsoft does, without its length."""
    bearer = purchase.marketplace.emulator.delivery._tokens.build_webhook_token("v2", {})
    body = json.dumps({"id": operation, "subscriptionId": purchase.id, "action": "Suspend"}).encode()
    headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
    url = f"{http.base}/api/marketplace/webhook"
    return requests.post(url, data=iter([body]), headers=headers, timeout=30).status_code


def test_an_event_with_a_lost_body_compares_all_purchases(purchase, http, log_lines):
    """The platform drops chunked bodies, also of repeats."""
    purchase.marketplace.execute("shapes", held=True)
    operation = purchase.execute("suspend")
    purchase.marketplace.execute("faults", list={"status": 500, "headers": {"Retry-After": "0"}})
    away = in_chunks(purchase, http, operation)
    purchase.marketplace.emulator.faults.clear()
    wait_until(lambda: purchase.at_microsoft[0] == "suspended")
    taken = in_chunks(purchase, http, operation)

    assert (away, taken) == (503, 200)
    assert purchase.terms == purchase.at_microsoft == ("suspended", "seats", 5)
    assert [line["event"] for line in log_lines()].count("marketplace_event_without_body") == 2


def test_an_event_without_a_body_is_repeated_while_a_purchase_cannot_be_compared(purchase, http):
    purchase.marketplace.execute("shapes", held=True)
    operation = purchase.execute("suspend")
    wait_until(lambda: purchase.at_microsoft[0] == "suspended")
    purchase.marketplace.execute("faults", get={"status": 403})
    refused = in_chunks(purchase, http, operation)
    here = purchase.terms
    purchase.marketplace.emulator.faults.clear()
    bearer = purchase.marketplace.emulator.delivery._tokens.build_webhook_token("v2", {})
    empty = http.send("POST", "marketplace/webhook", b"", token=bearer)

    assert (refused, here) == (503, ("subscribed", "seats", 5))
    assert (empty.status, purchase.terms) == (200, ("suspended", "seats", 5))


def test_a_comparison_for_an_event_ends_within_microsofts_timeout(purchase, app):
    purchase.marketplace.execute("shapes", held=True)
    purchase.execute("suspend")
    wait_until(lambda: purchase.at_microsoft[0] == "suspended")
    purchase.marketplace.execute("faults", get={"hang": True})
    with pytest.raises(Inconclusive):
        reconcile_now(app, client_of(app), seconds=0.5)

    purchase.marketplace.emulator.faults.clear()
    assert SECONDS < 10


@pytest.mark.parametrize("action", ["Suspend", "ChangeQuantity", "Unsubscribe", "Transfer"])
def test_an_event_of_a_subscription_that_is_not_set_up_is_an_alarm_and_accepted(purchase, log_lines, action):
    stranger = purchase.marketplace.buy(plan="paid", active=True)
    body = {"id": new_id(), "subscriptionId": stranger, "action": action}

    assert purchase.marketplace.execute("event", body=body)["status"] == 200
    [line] = [line for line in log_lines() if line["event"] == "marketplace_subscription_unknown"]
    assert line["subscription"] == stranger


def test_the_operation_of_a_short_reinstatement_is_found_at_microsoft(purchase):
    purchase.marketplace.execute("pace", ack_seconds=30)
    purchase.marketplace.execute("shapes", minimal_bodies="reinstate")
    wait_for_responses(purchase, purchase.execute("suspend"))
    operation = purchase.execute("reinstate")
    wait_until(lambda: purchase.attempts(operation))
    again = [purchase.marketplace.execute("event", body=short(purchase))["status"] for _ in range(3)]

    assert again == [200] * 3
    assert purchase.terms == purchase.at_microsoft == ("subscribed", "seats", 5)
    assert purchase.outcomes == [("Suspend", "applied"), ("Reinstate", "applied")]


def short(purchase):
    return {"subscriptionId": purchase.id, "operationType": "Reinstate"}


def test_a_short_reinstatement_is_repeated_while_the_subscription_is_suspended(purchase, log_lines):
    wait_for_responses(purchase, purchase.execute("suspend"))

    assert purchase.marketplace.execute("event", body=short(purchase))["status"] == 503
    postponed = [line["reason"] for line in log_lines() if line["event"] == "marketplace_event_postponed"]
    assert postponed == ["not_reinstated_yet"]
    assert purchase.terms == ("suspended", "seats", 5)


def test_unusual_events_of_the_real_service_are_understood(purchase):
    purchase.marketplace.execute(
        "shapes",
        padded_status=True,
        quantity="string",
        unknown_enums=True,
        minimal_bodies="all",
        suspend_body="Subscribed",
        reinstate_status="Succeeded",
        hidden_notices=True,
        unknown_operation=400,
        copies=3,
        tokens="v1",
    )
    for name, given in (("change", {"quantity": 9}), ("suspend", {}), ("reinstate", {}), ("renew", {})):
        wait_until(lambda: not pending_operations(purchase))
        wait_for_responses(purchase, purchase.execute(name, **given))

    assert purchase.terms == ("subscribed", "seats", 9)
    assert set(purchase.applied.values()) == {1}


def test_a_second_subscription_starts_when_the_first_has_ended(app, marketplace, owner, log_lines, http):
    second = purchases.add_pending_purchase(app, marketplace, owner.tid, quantity=7, active=True)
    purchase = purchases.add_active_purchase(app, marketplace, owner.tid)
    purchase.marketplace.execute("shapes", held=True)
    renewal = second.execute("renew")
    assert send_event(second, http, renewal).status == 200
    assert (second.row.status, purchase.tenant.seat_limit) == ("pending", 5)
    assert "marketplace_second_subscription" in {line["event"] for line in log_lines()}

    assert send_event(purchase, http, purchase.execute("unsubscribe")).status == 200
    assert send_event(second, http, second.execute("change", quantity=8)).status == 200
    assert (second.row.status, purchase.tenant.seat_limit, purchase.tenant.status) == ("subscribed", 8, "active")


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b"[" * 100_000, b'{"subscriptionId": "x"}', b"\xff"])
def test_an_unreadable_event_is_never_refused(http, purchase, body):
    bearer = purchase.marketplace.emulator.delivery._tokens.build_webhook_token("v2", {})
    answer = http.send("POST", "marketplace/webhook", body, token=bearer)

    assert (answer.status, answer.code) == (503, "marketplace_event_unreadable")


def test_a_failed_acknowledgement_of_a_reinstatement_does_not_matter(purchase):
    wait_for_responses(purchase, purchase.execute("suspend"))
    purchase.marketplace.execute("faults", acknowledge={"status": 404})
    answers = wait_for_responses(purchase, purchase.execute("reinstate"))

    assert answers == [200]
    assert purchase.terms == ("subscribed", "seats", 5)


@pytest.mark.parametrize(
    ("said", "status", "acknowledged"), [("Renew", "InProgress", 1), ("Reinstate", "Succeeded", 0)]
)
def test_a_pending_reinstatement_is_acknowledged(purchase, http, said, status, acknowledged):
    wait_for_responses(purchase, purchase.execute("suspend"))
    purchase.marketplace.execute("pace", ack_seconds=30)
    purchase.marketplace.execute("shapes", held=True, reinstate_status=status)
    operation = purchase.execute("reinstate")

    assert send_event(purchase, http, operation, action=said).status == 200
    assert purchase.marketplace.stats()["hits"].get("acknowledge", 0) == acknowledged
