from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from tests.support.purchases import client_of
from tests.support.world import new_id
from tests.webhooks.events.test_events import send_event
from webhooks.events import flow as events_flow


FAULTS = {
    "not found": {"status": 404},
    "bad request": {"status": 400, "body": "{}"},
    "conflict": {"status": 409},
    "forbidden": {"status": 403},
    "broken": {"status": 500},
    "no JSON": {"status": 200, "body": "<html>"},
    "another operation": {"status": 200, "body": '{"id": "00000000-0000-4000-8000-000000000000"}'},
    "throttled": {"status": 429, "headers": {"Retry-After": "60"}},
}


@pytest.fixture
def held_purchase(purchase):
    """The purchase, whose events are delivered by hand."""
    purchase.marketplace.execute("shapes", held=True)
    return purchase


@pytest.mark.parametrize("fault", list(FAULTS))
def test_an_event_that_microsoft_cannot_confirm_changes_nothing_and_is_repeated(held_purchase, http, fault):
    operation, before = held_purchase.execute("change", quantity=9), held_purchase.row
    held_purchase.marketplace.execute("faults", operation=FAULTS[fault])
    failed = send_event(held_purchase, http, operation)
    assert (failed.status, failed.code) == (503, "marketplace_unavailable")
    assert (held_purchase.row, held_purchase.outcomes) == (before, [])
    held_purchase.marketplace.emulator.faults.clear()

    assert send_event(held_purchase, http, operation).status == 200
    assert len(held_purchase.outcomes) == 1


@pytest.mark.parametrize("endpoint", ["get", "get.answer", "operation.answer"])
@pytest.mark.parametrize("name", ["suspend", "renew", "unsubscribe", "reinstate"])
def test_no_event_is_applied_while_microsoft_is_unavailable(held_purchase, http, name, endpoint):
    if name == "reinstate":
        assert send_event(held_purchase, http, held_purchase.execute("suspend")).status == 200
    operation, before = held_purchase.execute(name), held_purchase.row
    held_purchase.marketplace.execute("faults", **{endpoint: {"status": 500}})
    failed = send_event(held_purchase, http, operation)
    assert (failed.status, held_purchase.row) == (503, before)
    held_purchase.marketplace.emulator.faults.clear()

    assert send_event(held_purchase, http, operation).status == 200
    assert held_purchase.row.version == before.version + 1


@pytest.mark.parametrize("name", ["suspend", "renew", "unsubscribe"])
def test_a_notice_without_an_operation_is_confirmed_by_the_subscription(held_purchase, http, name):
    operation = held_purchase.execute(name)
    held_purchase.marketplace.execute("faults", operation={"status": 404})

    assert [send_event(held_purchase, http, operation).status for _ in range(2)] == [200, 200]
    assert held_purchase.outcomes == [(name.capitalize(), "applied")]
    assert held_purchase.terms == held_purchase.at_microsoft


def test_an_accepted_change_is_not_undone_while_its_status_is_unavailable(held_purchase, http):
    held_purchase.marketplace.execute("pace", ack_seconds=30)
    assert send_event(held_purchase, http, held_purchase.execute("change", quantity=9)).status == 200
    renewal = held_purchase.execute("renew")
    held_purchase.marketplace.execute("faults", operation={"status": 404})

    assert send_event(held_purchase, http, renewal).status == 503
    assert held_purchase.terms == ("subscribed", "seats", 9)


def test_without_responses_from_microsoft_the_webhook_answers_in_time(held_purchase, http, monkeypatch):
    assert events_flow.SECONDS < 10  # when Microsoft stops
    monkeypatch.setattr(events_flow, "SECONDS", 0.5)
    operation = held_purchase.execute("change", quantity=9)
    held_purchase.marketplace.execute("faults", operation={"hang": True})
    answer = send_event(held_purchase, http, operation)
    held_purchase.marketplace.emulator.faults.clear()

    assert answer.status == 503
    assert held_purchase.outcomes == []


def test_an_unavailable_price_delays_the_change(held_purchase, http, clock):
    clock.tick(days=1)
    operation = held_purchase.execute("change", plan="seats-plus")
    held_purchase.marketplace.execute("faults", plans={"status": 500})
    assert send_event(held_purchase, http, operation).status == 503
    held_purchase.marketplace.emulator.faults.clear()

    assert send_event(held_purchase, http, operation).status == 200
    assert held_purchase.rates[-1] == ("seats-plus", "9.0000", "USD")


def test_a_plan_that_is_sold_without_a_price_is_accepted_with_an_alarm(held_purchase, http, log_lines):
    operation = held_purchase.execute("change", plan="seats-plus")
    held_purchase.marketplace.execute("faults", plans={"status": 200, "body": '{"plans": [{"planId": "seats-plus"}]}'})

    assert send_event(held_purchase, http, operation).status == 200
    assert held_purchase.rates == [("seats", "6.0000", "USD")]
    assert "marketplace_price_unknown" in {line["event"] for line in log_lines()}


def test_a_change_without_a_value_never_removes_the_limit(held_purchase, http):
    operation = held_purchase.execute("change", quantity=9)
    held_purchase.marketplace.execute("shapes", quantity="empty")

    assert send_event(held_purchase, http, operation).status == 503
    assert held_purchase.terms == ("subscribed", "seats", 5)


def test_an_unknown_state_changes_nothing(held_purchase, http):
    operation = held_purchase.execute("suspend")
    copy = {"id": held_purchase.id, "saasSubscriptionStatus": "NotStarted", "planId": "seats"}
    held_purchase.marketplace.execute("faults", get={"status": 200, "body": str(copy).replace("'", '"')})

    assert send_event(held_purchase, http, operation).status == 503
    assert held_purchase.terms == ("subscribed", "seats", 5)


def test_without_a_database_the_event_is_repeated(held_purchase, http, monkeypatch):
    operation = held_purchase.execute("suspend")
    with monkeypatch.context() as patched:

        def away(*_: object, **__: object) -> None:
            raise sa.exc.OperationalError("SELECT 1", {}, ConnectionError())

        patched.setattr(held_purchase.app.engine.dialect, "do_execute", away)
        answer = send_event(held_purchase, http, operation)

    assert (answer.status, answer.code) == (503, "temporarily_unavailable")
    assert send_event(held_purchase, http, operation).status == 200


def test_an_overtaken_event_reads_microsofts_state_again(held_purchase, http, app, monkeypatch):
    """Another event is committed after Microsoft was read for this one, so that reading is stale and discarded."""
    client, renewal = client_of(app), held_purchase.execute("renew")
    get, overtaken = client.get, list[bool]()

    def slow(subscription, flow):
        copy = get(subscription, flow)
        if not overtaken:
            overtaken.append(True)
            assert send_event(held_purchase, http, held_purchase.execute("suspend")).status == 200
        return copy

    monkeypatch.setattr(client, "get", slow)

    assert send_event(held_purchase, type(http)(http.base), renewal).status == 200
    assert held_purchase.terms == held_purchase.at_microsoft == ("suspended", "seats", 5)


def test_concurrent_copies_of_an_event_are_applied_once(held_purchase, http):
    operation = held_purchase.execute("change", quantity=9)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: send_event(held_purchase, type(http)(http.base), operation).status, range(8)))

    assert answers == [200] * 8
    assert held_purchase.outcomes == [("ChangeQuantity", "applied")]


def test_a_suspension_sends_nine_statements(held_purchase, http, record_statements):
    operation = held_purchase.execute("suspend")
    with record_statements() as sent:
        answer = send_event(held_purchase, http, operation)

    assert answer.status == 200
    # installation; subscription, ledger; tenant, subscription, event, subscription, tenant, audit
    assert len(sent) == 9, sent


def test_a_repeat_sends_three(held_purchase, http, record_statements):
    operation = held_purchase.execute("suspend")
    send_event(held_purchase, http, operation)
    with record_statements() as sent:
        send_event(held_purchase, http, operation)

    assert len(sent) == 3, sent  # installation; subscription, ledger


def test_a_forged_event_sends_none(held_purchase, http, record_statements):
    with record_statements() as sent:
        answer = http.send(
            "POST", "marketplace/webhook", {"subscriptionId": held_purchase.id, "id": new_id()}, token="a.b.c"
        )

    assert answer.status == 401
    assert sent == []
