import datetime as dt
import json
import uuid
from dataclasses import replace

import pytest

from billing.marketplace.client import MarketplaceClient
from billing.marketplace.errors import (
    MarketplaceRefused,
    MarketplaceUnauthorized,
    MarketplaceUnavailable,
    UnreadableResponse,
)
from billing.marketplace.usage_model import Usage
from billing.metering.model import Alarm, UsageEvent, UsageState
from billing.metering.rules import verdict
from shared.deadline import Deadline
from shared.settings import Settings
from tests.support import marketplace as support
from tests.support.world import START


UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def meter(marketplace, entra):
    client = MarketplaceClient.of(
        Settings.from_env(
            {
                "ENTRA_AUTHORITY": entra.authority,
                "ENTRA_API_CLIENT_ID": UNKNOWN,
                "ENTRA_CLIENT_IDS": UNKNOWN,
                "MARKETPLACE_API_URL": marketplace.api_url,
                "MARKETPLACE_TENANT_ID": support.TENANT_ID,
                "MARKETPLACE_CLIENT_ID": support.CLIENT_ID,
                "MARKETPLACE_CLIENT_SECRET": support.CLIENT_SECRET,
            }
        )
    )
    yield client.meter
    client.close()


@pytest.fixture
def usage(marketplace):
    return Usage(uuid.UUID(marketplace.buy(active=True)), "active_user", 3, "paid", START)


def usage_event(usage):
    return UsageEvent(1, 1, uuid.UUID(UNKNOWN), usage, UsageState.PENDING, 1, None)


def result_of(usage, **changed):
    """An item as the real service writes it, for an hour that it may write in its own way."""
    item = {**usage.document(), "status": "Accepted", "messageTime": "0001-01-01T00:00:00", "usageEventId": UNKNOWN}
    return {**item, **changed}


def answer(marketplace, *items):
    body = json.dumps({"count": len(items), "result": list(items)})
    marketplace.execute("faults", usage_batch={"status": 200, "body": body})


def test_a_sent_event_is_accepted_and_listed(meter, usage, marketplace):
    result = meter.send_usage([usage], Deadline.after(5))[usage.key]

    listing = meter.usage(START.date(), START.date(), Deadline.after(5))
    assert (result.word, result.quantity) == ("Accepted", 3)
    assert str(result.usage_event_id) == marketplace.stats()["usage"][0]["id"]
    assert (listing.quantity_of(usage, START.date(), START.date()), listing.unreadable) == (3, 0)
    assert listing.quantity_of(replace(usage, dimension="coffee"), START.date(), START.date()) == 0
    assert listing.quantity_of(usage, START.date() + dt.timedelta(days=1), START.date() + dt.timedelta(days=2)) == 0


def test_a_duplicate_has_the_recorded_event_of_its_hour(meter, usage):
    meter.send_usage([usage], Deadline.after(5))

    result = meter.send_usage([replace(usage, quantity=9)], Deadline.after(5))[usage.key]

    assert (result.word, result.quantity, result.recorded.quantity) == ("Duplicate", 9, 3)
    assert result.recorded.usage_event_id is not None


def test_nothing_listed_is_an_empty_list(meter):
    assert meter.usage(START.date(), START.date(), Deadline.after(5)).days == ()


def test_days_outside_of_the_period_are_left_out(meter, usage):
    meter.send_usage([usage, replace(usage, slot=START - dt.timedelta(hours=20))], Deadline.after(5))

    assert len(meter.usage(START.date(), START.date(), Deadline.after(5)).days) == 1


@pytest.mark.parametrize("events", [0, 26])
def test_a_batch_of_another_size_is_a_programming_error(meter, usage, marketplace, events):
    with pytest.raises(ValueError, match="1 to 25"):
        meter.send_usage([usage] * events, Deadline.after(5))

    assert marketplace.stats()["hits"].get("usage_batch", 0) == 0


@pytest.mark.parametrize(
    ("status", "error"), [(400, MarketplaceRefused), (403, MarketplaceUnauthorized), (503, MarketplaceUnavailable)]
)
def test_a_batch_that_fails_raises(meter, usage, marketplace, status, error):
    marketplace.execute("faults", usage_batch={"status": status, "headers": {"Retry-After": "0"}})

    with pytest.raises(error):
        meter.send_usage([usage], Deadline.after(5))

    assert marketplace.stats()["hits"]["usage_batch"] == (4 if status == 503 else 1)


@pytest.mark.parametrize("body", ["{", '{"result": 7}'])
def test_a_response_without_a_list_is_unreadable(meter, usage, marketplace, body):
    marketplace.execute("faults", usage_batch={"status": 200, "body": body})

    with pytest.raises(UnreadableResponse):
        meter.send_usage([usage], Deadline.after(5))


def test_items_are_matched_by_their_event_in_any_spelling(meter, usage, marketplace):
    later = replace(usage, slot=START + dt.timedelta(hours=1))
    written = [
        result_of(
            later, resourceId=str(usage.subscription_id).upper(), effectiveStartTime="2026-11-23T11:59:59.1234567+01:00"
        ),
        result_of(usage, status=" Accepted ", effectiveStartTime="2026-11-23T09:30:14Z", quantity="3.0"),
    ]
    answer(marketplace, *written)

    results = meter.send_usage([usage, later], Deadline.after(5))

    assert {key: result.word for key, result in results.items()} == {usage.key: "Accepted", later.key: "Accepted"}
    assert results[usage.key].quantity == 3


@pytest.mark.parametrize(
    "changed", [{"resourceId": "x"}, {"status": None}, {"dimension": ""}, {"effectiveStartTime": "soon"}]
)
def test_an_unreadable_item_hides_no_other(meter, usage, marketplace, changed):
    other = replace(usage, dimension="gold_user")
    answer(marketplace, result_of(usage, **changed), 7, result_of(other))

    assert set(meter.send_usage([usage, other], Deadline.after(5))) == {other.key}


@pytest.mark.parametrize(
    ("item", "consequence"),
    [
        ({}, (UsageState.ACCEPTED, None)),
        ({"quantity": None}, (UsageState.ACCEPTED, None)),
        ({"quantity": 2}, (UsageState.ALARM, Alarm.CONFLICT)),
        ({"status": "Duplicate"}, (UsageState.PENDING, None)),  # without the recorded event
        ({"status": "Duplicate", "error": {"additionalInfo": 7}}, (UsageState.PENDING, None)),
        ({"status": "Error"}, (UsageState.PENDING, None)),
        ({"status": "ResourceNotActive"}, (UsageState.HELD, None)),
        ({"status": "Expired"}, (UsageState.ALARM, Alarm.EXPIRED)),
        ({"status": "InvalidQuantity"}, (UsageState.ALARM, Alarm.REFUSED)),
        ({"status": "SomethingNew"}, (UsageState.PENDING, Alarm.REFUSED)),
        ({"status": "ada@contoso.example 10.1.2.3"}, (UsageState.PENDING, Alarm.REFUSED)),
    ],
)
def test_each_status_has_one_consequence(meter, usage, marketplace, item, consequence):
    answer(marketplace, result_of(usage, **item))

    result = meter.send_usage([usage], Deadline.after(5))[usage.key]

    found = verdict(usage_event(usage), result, START)
    assert (found.state, found.alarm) == consequence
    assert found.word.isalpha()


@pytest.mark.parametrize("status", ["ResourceNotActive", "Duplicate"])
def test_after_a_day_an_event_is_neither_held_nor_pending(meter, usage, marketplace, status):
    answer(marketplace, result_of(usage, status=status))
    result = meter.send_usage([usage], Deadline.after(5))[usage.key]

    before = verdict(usage_event(usage), result, START + dt.timedelta(hours=24) - dt.timedelta(milliseconds=1))
    after = verdict(usage_event(usage), result, START + dt.timedelta(hours=24))

    assert before.state in {UsageState.HELD, UsageState.PENDING}
    assert (after.state, after.alarm) == (UsageState.ALARM, Alarm.EXPIRED)


def test_an_event_without_a_result_keeps_its_state(usage):
    held = replace(usage_event(usage), state=UsageState.HELD)

    assert verdict(held, None, START).state is UsageState.HELD
    assert verdict(usage_event(usage), None, START).word == "NotTold"
