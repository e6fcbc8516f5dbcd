import datetime as dt
import uuid

import pytest

from tests.support.tenant_bills import PAID_FROM, start_paid_plan
from tests.support.world import START, new_id


@pytest.fixture
def ada(world):
    return world.tenant()


def test_a_trial_has_its_plan_and_seats_and_no_subscription(ada):
    assert ada.get("billing/subscription").body == {
        "plan": "trial",
        "status": "active",
        "seatsUsed": 1,
        "seatLimit": 5,
        "trialEndsAt": "2026-12-23T09:00:00.000Z",
        "history": [],
    }


def test_an_ended_trial_is_shown_as_expired(ada, clock):
    clock.tick(days=30)

    assert ada.get("billing/subscription").body["status"] == "expired"


def test_a_subscription_shows_its_rate_and_its_term(ada, engine):
    bought = new_id()
    bills = start_paid_plan(engine, ada, marketplace_id=uuid.UUID(bought), term_starts_at=PAID_FROM, term_ends_at=START)
    bills.add_price("4.50", PAID_FROM)
    bills.add_price("5", START + dt.timedelta(days=1))
    shown = ada.get("billing/subscription").body

    assert (shown["plan"], shown["status"], shown["seatsUsed"], "seatLimit" in shown) == ("paid", "active", 4, False)
    assert shown["subscription"] == {
        "id": bought,
        "status": "subscribed",
        "offer": "timetracker",
        "plan": "paid",
        "termUnit": "P1M",
        "autoRenew": True,
        "termStartsAt": "2026-01-01T00:00:00.000Z",
        "termEndsAt": "2026-11-23T09:00:00.000Z",
        "paidFrom": "2026-01-01T00:00:00.000Z",
        "ratePerUser": "4.50",
        "rateUnit": "P1M",
        "currency": "EUR",
        "rateFrom": "2026-01-01T00:00:00.000Z",
    }


def test_the_price_is_the_one_in_force_now(ada, engine, clock):
    bills = start_paid_plan(engine, ada)
    bills.add_price("4.50", PAID_FROM)
    bills.add_price("5", clock() + dt.timedelta(hours=1))
    clock.tick(hours=1, milliseconds=-1)
    before = ada.get("billing/subscription").body["subscription"]["ratePerUser"]
    clock.tick(milliseconds=1)

    assert before == "4.50"
    assert ada.get("billing/subscription").body["subscription"]["ratePerUser"] == "5.00"


def test_a_paid_subscription_is_shown_before_a_pending_or_ended_one(ada, engine):
    ended = {"status": "unsubscribed", "ended_at": START}
    bills = start_paid_plan(engine, ada, marketplace_id=uuid.UUID(live := new_id()))
    bills.subscribe(uuid.UUID(new_id()), status="pending", paid_from=None)
    bills.subscribe(uuid.UUID(new_id()), **ended)

    assert ada.get("billing/subscription").body["subscription"]["id"] == live


def test_an_ended_subscription_shows_its_end(ada, engine):
    start_paid_plan(engine, ada, marketplace_id=uuid.UUID(bought := new_id())).end(START)
    shown = ada.get("billing/subscription").body["subscription"]

    assert (shown["id"], shown["status"], shown["endedAt"]) == (bought, "unsubscribed", "2026-11-23T09:00:00.000Z")


def test_pages_of_the_history_have_each_event_newest_first(ada, engine):
    bills = start_paid_plan(engine, ada)
    kinds = ["Activate", "ChangeQuantity", "Suspend", "Reinstate", "Unsubscribe"]
    for number, kind in enumerate(kinds):
        bills.add_event(kind, START + dt.timedelta(hours=number))
    page, listed = ada.get("billing/subscription", pageSize="2").body, []
    while True:
        listed += page["history"]
        if "nextLink" not in page:
            break
        bills.add_event("Renew", START)  # a new event does not move pages
        page = ada.get(page["nextLink"]).body

    assert [event["type"] for event in listed] == kinds[::-1]
    assert [event["number"] for event in listed] == [5, 4, 3, 2, 1]
    assert listed[-1] == {
        "number": 1,
        "type": "Activate",
        "source": "webhook",
        "outcome": "applied",
        "plan": "paid",
        "status": "subscribed",
        "effectiveAt": "2026-11-23T09:00:00.000Z",
        "recordedAt": "2026-11-23T09:00:00.000Z",
    }


def test_an_event_of_a_plan_with_seats_shows_their_new_number(ada, engine):
    bills = start_paid_plan(engine, ada, marketplace_id=uuid.UUID(bought := new_id()), quantity=5)
    bills.add_event("ChangeQuantity", START, quantity=7, plan_id="seats", status="suspended", outcome="refused")
    shown = ada.get("billing/subscription").body
    [event] = shown["history"]

    assert shown["subscription"]["quantity"] == 5
    assert {name: event.get(name) for name in ("quantity", "plan", "status", "outcome")} == {
        "quantity": 7,
        "plan": "seats",
        "status": "suspended",
        "outcome": "refused",
    }
    assert (event["number"], event["subscriptionId"]) == (1, bought)


def test_an_invalid_cursor_is_refused(ada):
    assert [ada.get("billing/subscription", after=after).status for after in ("1", "0", "x")] == [400, 400, 400]
