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
def held(bought):
    """The purchase, whose events wait to be copy by hand."""
    bought.marketplace.execute("shapes", held=True)
    return bought


@pytest.mark.parametrize("fault", list(FAULTS))
def test_an_event_that_microsoft_cannot_confirm_changes_nothing_and_is_repeated(held, http, fault):
    operation, before = held.execute("change", quantity=9), held.row
    held.marketplace.execute("faults", operation=FAULTS[fault])
    failed = send_event(held, http, operation)
    assert (failed.status, failed.code) == (503, "marketplace_unavailable")
    assert (held.row, held.outcomes) == (before, [])
    held.marketplace.emulator.faults.clear()

    assert send_event(held, http, operation).status == 200
    assert len(held.outcomes) == 1


@pytest.mark.parametrize("endpoint", ["get", "get.answer", "operation.answer"])
@pytest.mark.parametrize("name", ["suspend", "renew", "unsubscribe", "reinstate"])
def test_no_notice_is_applied_while_microsoft_is_unavailable(held, http, name, endpoint):
    if name == "reinstate":
        assert send_event(held, http, held.execute("suspend")).status == 200
    operation, before = held.execute(name), held.row
    held.marketplace.execute("faults", **{endpoint: {"status": 500}})
    failed = send_event(held, http, operation)
    assert (failed.status, held.row) == (503, before)
    held.marketplace.emulator.faults.clear()

    assert send_event(held, http, operation).status == 200
    assert held.row.version == before.version + 1


@pytest.mark.parametrize("name", ["suspend", "renew", "unsubscribe"])
def test_a_notice_without_an_operation_is_confirmed_by_the_subscription(held, http, name):
    operation = held.execute(name)
    held.marketplace.execute("faults", operation={"status": 404})

    assert [send_event(held, http, operation).status for _ in range(2)] == [200, 200]
    assert held.outcomes == [(name.capitalize(), "applied")]
    assert held.terms == held.at_microsoft


def test_an_accepted_change_is_not_undone_while_its_status_is_unavailable(held, http):
    held.marketplace.execute("pace", ack_seconds=30)
    assert send_event(held, http, held.execute("change", quantity=9)).status == 200
    renewal = held.execute("renew")
    held.marketplace.execute("faults", operation={"status": 404})

    assert send_event(held, http, renewal).status == 503
    assert held.terms == ("subscribed", "seats", 9)


def test_without_responses_from_microsoft_the_webhook_answers_in_time(held, http, monkeypatch):
    assert events_flow.SECONDS < 10  # when Microsoft stops
    monkeypatch.setattr(events_flow, "SECONDS", 0.5)
    operation = held.execute("change", quantity=9)
    held.marketplace.execute("faults", operation={"hang": True})
    answer = send_event(held, http, operation)
    held.marketplace.emulator.faults.clear()

    assert answer.status == 503
    assert held.outcomes == []


def test_an_unavailable_price_delays_the_change(held, http, clock):
    clock.tick(days=1)
    operation = held.execute("change", plan="seats-plus")
    held.marketplace.execute("faults", plans={"status": 500})
    assert send_event(held, http, operation).status == 503
    held.marketplace.emulator.faults.clear()

    assert send_event(held, http, operation).status == 200
    assert held.rates[-1] == ("seats-plus", "9.0000", "USD")


def test_a_plan_that_is_sold_without_a_price_is_accepted_with_an_alarm(held, http, logged):
    operation = held.execute("change", plan="seats-plus")
    held.marketplace.execute("faults", plans={"status": 200, "body": '{"plans": [{"planId": "seats-plus"}]}'})

    assert send_event(held, http, operation).status == 200
    assert held.rates == [("seats", "6.0000", "USD")]
    assert "marketplace_price_unknown" in {line["event"] for line in logged()}


def test_a_change_without_a_value_never_removes_the_limit(held, http):
    operation = held.execute("change", quantity=9)
    held.marketplace.execute("shapes", quantity="empty")

    assert send_event(held, http, operation).status == 503
    assert held.terms == ("subscribed", "seats", 5)


def test_an_unknown_state_changes_nothing(held, http):
    operation = held.execute("suspend")
    copy = {"id": held.id, "saasSubscriptionStatus": "NotStarted", "planId": "seats"}
    held.marketplace.execute("faults", get={"status": 200, "body": str(copy).replace("'", '"')})

    assert send_event(held, http, operation).status == 503
    assert held.terms == ("subscribed", "seats", 5)


def test_without_a_database_the_event_is_repeated(held, http, monkeypatch):
    operation = held.execute("suspend")
    with monkeypatch.context() as patched:

        def away(*_: object, **__: object) -> None:
            raise sa.exc.OperationalError("SELECT 1", {}, ConnectionError())

        patched.setattr(held.app.engine.dialect, "do_execute", away)
        answer = send_event(held, http, operation)

    assert (answer.status, answer.code) == (503, "temporarily_unavailable")
    assert send_event(held, http, operation).status == 200


def test_an_overtaken_event_reads_microsofts_state_again(held, http, app, monkeypatch):
    """Another event is committed after Microsoft was read for this one, so that reading is stale and discarded."""
    client, renewal = client_of(app), held.execute("renew")
    get, overtaken = client.get, list[bool]()

    def slow(subscription, flow):
        copy = get(subscription, flow)
        if not overtaken:
            overtaken.append(True)
            assert send_event(held, http, held.execute("suspend")).status == 200
        return copy

    monkeypatch.setattr(client, "get", slow)

    assert send_event(held, type(http)(http.base), renewal).status == 200
    assert held.terms == held.at_microsoft == ("suspended", "seats", 5)


def test_concurrent_copies_of_an_event_are_applied_once(held, http):
    operation = held.execute("change", quantity=9)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: send_event(held, type(http)(http.base), operation).status, range(8)))

    assert answers == [200] * 8
    assert held.outcomes == [("ChangeQuantity", "applied")]


def test_a_suspension_sends_nine_statements(held, http, counted):
    operation = held.execute("suspend")
    with counted() as sent:
        answer = send_event(held, http, operation)

    assert answer.status == 200
    # installation; subscription, ledger; tenant, subscription, event, subscription, tenant, audit
    assert len(sent) == 9, sent


def test_a_repeat_sends_three(held, http, counted):
    operation = held.execute("suspend")
    send_event(held, http, operation)
    with counted() as sent:
        send_event(held, http, operation)

    assert len(sent) == 3, sent  # installation; subscription, ledger


def test_a_forged_event_sends_none(held, http, counted):
    with counted() as sent:
        answer = http.send("POST", "marketplace/webhook", {"subscriptionId": held.id, "id": new_id()}, token="a.b.c")

    assert answer.status == 401
    assert sent == []
