import datetime as dt
from typing import Any

import pytest

from tests.support.marketplace import Marketplace
from tests.support.world import START


UNKNOWN = "00000000-0000-4000-8000-000000000000"


def event(subscription: str, at: dt.datetime = START, **changed: object) -> dict[str, Any]:
    document = {
        "resourceId": subscription,
        "quantity": 5.0,
        "dimension": "active_user",
        "effectiveStartTime": at.replace(tzinfo=None).isoformat(),
        "planId": "paid",
        **changed,
    }
    return {name: value for name, value in document.items() if value is not None}


def batch(marketplace: Marketplace, *events: dict[str, Any]) -> list[dict[str, Any]]:
    answer = marketplace.send("POST", "batchUsageEvent", {"request": list(events)})
    assert answer.status_code == 200
    document = answer.json()
    assert document["count"] == len(events)
    result: list[dict[str, Any]] = document["result"]
    return result


@pytest.fixture
def subscription(marketplace) -> str:
    found: str = marketplace.buy(active=True)
    return found


def test_an_event_is_accepted_once_in_its_hour(marketplace, subscription, clock):
    clock.tick(minutes=59)

    first = marketplace.send("POST", "usageEvent", event(subscription))
    second = marketplace.send("POST", "usageEvent", event(subscription, clock(), quantity=7))

    recorded = second.json()["additionalInfo"]["acceptedMessage"]
    assert (first.status_code, first.json()["status"], first.json()["quantity"]) == (200, "Accepted", 5.0)
    assert (second.status_code, second.json()["code"]) == (409, "Conflict")
    assert (recorded["usageEventId"], recorded["quantity"]) == (first.json()["usageEventId"], 5.0)
    assert len(marketplace.stats()["usage"]) == 1


def test_the_next_hour_is_a_new_slot(marketplace, subscription, clock):
    later = clock.tick(hours=1)

    results = batch(marketplace, event(subscription), event(subscription, later))

    assert [each["status"] for each in results] == ["Accepted", "Accepted"]


def test_a_duplicate_in_a_batch_has_the_recorded_event(marketplace, subscription):
    [first] = batch(marketplace, event(subscription))

    [second] = batch(marketplace, event(subscription, quantity=9))

    recorded = second["error"]["additionalInfo"]["acceptedMessage"]
    assert (second["status"], second["quantity"], second["resourceId"]) == ("Duplicate", 9, subscription)
    assert (recorded["usageEventId"], recorded["quantity"]) == (first["usageEventId"], 5.0)


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"resourceId": UNKNOWN}, "ResourceNotFound"),
        ({"resourceId": None}, "BadArgument"),
        ({"dimension": "coffee"}, "InvalidDimension"),
        ({"quantity": 0}, "InvalidQuantity"),
        ({"quantity": -1.5}, "InvalidQuantity"),
        ({"planId": "gold"}, "BadArgument"),
        ({"effectiveStartTime": "soon"}, "BadArgument"),
        ({"effectiveStartTime": "2026-11-23T09:00:01"}, "BadArgument"),
        ({"effectiveStartTime": "2026-11-22T09:00:01"}, "Accepted"),
        ({"effectiveStartTime": "2026-11-22T09:00:00"}, "Expired"),
        ({"effectiveStartTime": "2026-11-23T10:00:00+01:00"}, "Accepted"),
    ],
)
def test_each_event_of_a_batch_is_judged_alone(marketplace, subscription, changed, status):
    other = marketplace.buy(active=True)

    wrong, right = batch(marketplace, event(subscription, **changed), event(other))

    assert (wrong["status"], right["status"]) == (status, "Accepted")


@pytest.mark.parametrize("changed", [{"quantity": 0}, {"effectiveStartTime": "2026-11-21T00:00:00"}])
def test_a_single_wrong_event_is_a_bad_request(marketplace, subscription, changed):
    answer = marketplace.send("POST", "usageEvent", event(subscription, **changed))

    assert (answer.status_code, answer.json()["code"]) == (400, "BadArgument")
    assert answer.json()["details"][0]["message"]


def test_usage_is_accepted_while_active_and_a_day_after_the_end(marketplace, subscription, clock):
    waiting = marketplace.buy()
    [pending] = batch(marketplace, event(waiting))
    marketplace.execute("suspend", subscription=subscription)
    [suspended] = batch(marketplace, event(subscription))
    marketplace.execute("unsubscribe", subscription=subscription)
    ended = clock()
    later = clock.tick(hours=1)

    after, before = batch(marketplace, event(subscription, later), event(subscription, ended))

    assert (pending["status"], suspended["status"]) == ("ResourceNotActive", "ResourceNotActive")
    assert (after["status"], before["status"]) == ("ResourceNotActive", "Accepted")


@pytest.mark.parametrize("status", ["Error", "ResourceNotAuthorized"])
def test_the_meter_can_be_out_of_order(marketplace, subscription, status):
    marketplace.execute("shapes", usage_status=status)
    [failed] = batch(marketplace, event(subscription))
    marketplace.execute("shapes", usage_status=None)

    [taken] = batch(marketplace, event(subscription))

    assert (failed["status"], taken["status"]) == (status, "Accepted")


@pytest.mark.parametrize(("count", "status"), [(0, 400), (25, 200), (26, 400)])
def test_a_batch_has_at_most_25_events(marketplace, subscription, count, status):
    events = [event(subscription, START - dt.timedelta(hours=hours % 24)) for hours in range(count)]

    assert marketplace.send("POST", "batchUsageEvent", {"request": events}).status_code == status


def test_plans_by_seats_are_not_metered(marketplace):
    seats = marketplace.buy(plan="seats", quantity=2, active=True)

    [result] = batch(marketplace, event(seats, planId="seats"))

    assert result["status"] == "InvalidDimension"


def test_usage_is_listed_by_day(marketplace, subscription):
    yesterday = START - dt.timedelta(hours=10)
    batch(marketplace, event(subscription), event(subscription, START - dt.timedelta(hours=1), quantity=2))
    batch(marketplace, event(subscription, yesterday, quantity=1))

    both = marketplace.send("GET", "usageEvents", query={"usageStartDate": "2026-11-22"}).json()
    one = marketplace.send("GET", "usageEvents", query={"usageStartDate": "2026-11-22", "UsageEndDate": "2026-11-22"})
    none = marketplace.send("GET", "usageEvents", query={"usageStartDate": "2026-11-22", "dimension": "coffee"})

    shown = [(day["usageDate"][:10], day["submittedQuantity"], day["submittedCount"]) for day in both]
    assert shown == [("2026-11-22", 1.0, 1), ("2026-11-23", 7.0, 2)]
    assert {day["reconStatus"] for day in both} == {"Accepted"}
    assert (len(one.json()), none.json()) == (1, [])
    assert marketplace.send("GET", "usageEvents").status_code == 400
