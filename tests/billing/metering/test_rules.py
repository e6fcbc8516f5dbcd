"""A usage event after each response of the meter, its limit of 24 hours, and the period of a day's usage."""

import datetime as dt
import uuid
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.marketplace.usage_model import Usage, UsageDay, UsageResult
from billing.metering.model import Alarm, Sent, UsageEvent, UsageState, Verdict
from billing.metering.reconcile_rules import (
    Accepted,
    Difference,
    Entry,
    Mismatch,
    RescheduleRefused,
    ensure_not_reported,
    free_hour,
    mismatches,
)
from billing.metering.rules import (
    LISTED,
    NO_RESULT,
    is_late,
    may_have_arrived,
    unreported,
    verdict,
    verdict_after_listing,
)
from shared.calendar import Month


SLOT = dt.datetime(2026, 11, 23, 9, tzinfo=dt.UTC)
DAY = SLOT.date()
HOUR, MOMENT = dt.timedelta(hours=1), dt.timedelta(milliseconds=1)
STILL, LATE = SLOT + 24 * HOUR - MOMENT, SLOT + 24 * HOUR
ONE, TWO = (uuid.UUID(int=number) for number in (1, 2))
SUBSCRIPTION, EVENT_ID, THEIR_ID = (uuid.UUID(int=number) for number in (10, 20, 30))
ACCEPTED, ALARM, HELD, PENDING = UsageState.ACCEPTED, UsageState.ALARM, UsageState.HELD, UsageState.PENDING


def usage_event(number=1, quantity=3, state=PENDING, *, attempts=1, claimed_until=None, slot=SLOT):
    usage = Usage(SUBSCRIPTION, "active_user", quantity, "paid", slot)
    return UsageEvent(number, 7, ONE, usage, state, attempts, claimed_until)


def result(word, quantity=None, recorded=None):
    fields = {"status": word, "resourceId": str(SUBSCRIPTION), "dimension": "active_user", "quantity": quantity}
    fields |= {"effectiveStartTime": SLOT.isoformat(), "usageEventId": str(EVENT_ID)}
    if recorded is not None:
        of = {"usageEventId": str(THEIR_ID), **recorded}
        fields["error"] = {"additionalInfo": {"acceptedMessage": of}}
    return UsageResult.model_validate(fields)


def test_usage_is_late_from_the_24th_hour_on():
    assert (is_late(SLOT, STILL), is_late(SLOT, LATE)) == (False, True)


@pytest.mark.parametrize("state", [PENDING, HELD])
def test_an_event_without_a_result_keeps_its_state(state):
    assert verdict(usage_event(state=state), None, LATE) == Verdict(state, NO_RESULT)


@pytest.mark.parametrize("quantity", [3, None])
def test_accepted_with_our_quantity_or_none_is_accepted(quantity):
    assert verdict(usage_event(), result("Accepted", quantity), STILL) == Verdict(ACCEPTED, "Accepted", None, EVENT_ID)


@pytest.mark.parametrize("now", [STILL, LATE])
def test_another_quantity_than_ours_is_a_conflict(now):
    accepted = verdict(usage_event(), result("Accepted", 4), now)
    duplicate = verdict(usage_event(), result("Duplicate", 3, {"quantity": 4}), now)

    assert accepted == Verdict(ALARM, "Accepted", Alarm.CONFLICT, EVENT_ID)
    assert duplicate == Verdict(ALARM, "Duplicate", Alarm.CONFLICT, THEIR_ID)


def test_a_duplicate_of_our_quantity_is_an_earlier_accepted_attempt():
    assert verdict(usage_event(), result("Duplicate", 4, {"quantity": 3}), STILL) == Verdict(
        ACCEPTED, "Duplicate", None, THEIR_ID
    )


def test_a_duplicate_without_details_is_sent_again_until_it_is_late():
    of = result("Duplicate", 3)

    assert verdict(usage_event(), of, STILL) == Verdict(PENDING, "Duplicate")
    assert verdict(usage_event(), of, LATE) == Verdict(ALARM, "Duplicate", Alarm.EXPIRED)


@pytest.mark.parametrize(
    ("word", "while_taken", "after"),
    [
        ("Error", Verdict(PENDING, "Error"), Verdict(PENDING, "Error")),
        (
            "ResourceNotActive",
            Verdict(HELD, "ResourceNotActive"),
            Verdict(ALARM, "ResourceNotActive", Alarm.EXPIRED),
        ),
        ("Expired", Verdict(ALARM, "Expired", Alarm.EXPIRED), Verdict(ALARM, "Expired", Alarm.EXPIRED)),
        ("NewWord", Verdict(PENDING, "NewWord", Alarm.REFUSED), Verdict(PENDING, "NewWord", Alarm.REFUSED)),
        *(
            (word, Verdict(ALARM, word, Alarm.REFUSED), Verdict(ALARM, word, Alarm.REFUSED))
            for word in (
                "ResourceNotFound",
                "ResourceNotAuthorized",
                "InvalidDimension",
                "InvalidQuantity",
                "BadArgument",
            )
        ),
    ],
)
def test_each_status_of_the_meter_has_its_verdict(word, while_taken, after):
    found = [verdict(usage_event(), result(word), now) for now in (STILL, LATE)]

    assert found == [while_taken, after]


def test_usage_of_an_ended_subscription_is_an_alarm_while_an_earlier_hour_is_possible():
    ended, word = replace(usage_event(), has_ended=True), result("ResourceNotActive")

    assert verdict(ended, word, STILL) == Verdict(ALARM, "ResourceNotActive", Alarm.REFUSED)
    assert verdict(ended, word, LATE) == Verdict(ALARM, "ResourceNotActive", Alarm.EXPIRED)


@pytest.mark.parametrize(
    ("attempts", "found", "maybe"),
    [
        (2, Verdict(ALARM, "Expired", Alarm.EXPIRED), True),
        (1, Verdict(ALARM, "Expired", Alarm.EXPIRED), False),  # the one that was refused is the only one
        (2, Verdict(ALARM, "Accepted", Alarm.CONFLICT), False),
        (2, Verdict(PENDING, "Error"), False),
    ],
)
def test_only_an_event_tried_before_and_now_expired_may_have_been_accepted(attempts, found, maybe):
    assert may_have_arrived(usage_event(attempts=attempts), found) == maybe


EXPIRED = Verdict(ALARM, "Expired", Alarm.EXPIRED)


def settle_by_list(listed, *beside, of=None, adopted=0):
    event = of or usage_event(9, attempts=2)
    return verdict_after_listing(event, EXPIRED, listed=Decimal(listed), others=beside, adopted=adopted, now=LATE)


def test_adopted_usage_of_the_day_settles_no_event():
    assert settle_by_list(3).state is ACCEPTED
    assert settle_by_list(3, adopted=3) == EXPIRED
    assert settle_by_list(6, adopted=3).state is ACCEPTED


def test_a_listed_quantity_beyond_the_accepted_settles_the_event():
    assert settle_by_list(3) == Verdict(ACCEPTED, LISTED)
    assert settle_by_list(8, usage_event(1, 5, ACCEPTED)) == Verdict(ACCEPTED, LISTED)
    assert settle_by_list(5, usage_event(1, 5, ACCEPTED)) == EXPIRED
    assert settle_by_list(0) == EXPIRED


@pytest.mark.parametrize("listed", ["4", "2", "3.5", "0.5"])
def test_a_listed_quantity_of_no_sum_of_our_events_is_a_conflict(listed):
    assert settle_by_list(listed) == replace(EXPIRED, alarm=Alarm.CONFLICT)


def test_each_event_tried_without_a_response_may_have_been_accepted():
    assert settle_by_list(5, usage_event(1, 5)) == EXPIRED
    assert settle_by_list(5, usage_event(1, 5, HELD)) == EXPIRED
    assert settle_by_list(8, usage_event(1, 5)) == Verdict(ACCEPTED, LISTED)
    assert settle_by_list(8, usage_event(1, 2), usage_event(2, 3)) == Verdict(ACCEPTED, LISTED)


def test_an_event_never_tried_or_in_alarm_was_not_accepted():
    conflict = replace(EXPIRED, alarm=Alarm.CONFLICT)

    assert settle_by_list(5, usage_event(1, 5, attempts=0)) == conflict
    assert settle_by_list(5, usage_event(1, 5, ALARM)) == conflict


@pytest.mark.parametrize(("ahead", "word"), [(MOMENT, PENDING), (dt.timedelta(), ALARM), (-MOMENT, ALARM)])
def test_nothing_expires_while_another_event_of_the_day_is_being_sent(ahead, word):
    assert settle_by_list(0, usage_event(1, 5, claimed_until=LATE + ahead)).state == word


def test_a_claim_of_the_same_run_is_ours():
    until = LATE + HOUR
    mine = usage_event(9, attempts=2, claimed_until=until)

    assert settle_by_list(3, usage_event(1, 5, claimed_until=until), of=mine) == Verdict(ACCEPTED, LISTED)


@given(
    mine=st.integers(1, 9),
    unsure=st.lists(st.integers(1, 9), max_size=4),
    arrived=st.lists(st.booleans(), min_size=5, max_size=5),
)
def test_accepted_events_add_up_to_the_listed_quantity_in_every_case(mine, unsure, arrived):
    """Settles the events of a day one after the other, like a run."""
    events = [usage_event(number, quantity, attempts=2) for number, quantity in enumerate([mine, *unsure])]
    listed = sum(each.usage.quantity for each, has_arrived in zip(events, arrived, strict=False) if has_arrived)
    for number, each in enumerate(events):
        beside = [*events[:number], *events[number + 1 :]]
        found = verdict_after_listing(each, EXPIRED, listed=Decimal(listed), others=beside, adopted=0, now=LATE)
        assert found.alarm is not Alarm.CONFLICT
        events[number] = replace(each, state=found.state)

    assert sum(each.usage.quantity for each in events if each.state is ACCEPTED) == listed


def test_a_run_counts_events_by_state():
    sent = Sent()
    for state, times in ((ACCEPTED, 2), (HELD, 3), (ALARM, 4), (PENDING, 5)):
        for _ in range(times):
            sent.count(state)

    assert sent == Sent(accepted=2, held=3, alarms=4, waiting=5)


def day(quantity, day=DAY, subscription=SUBSCRIPTION, dimension="active_user", status="accepted"):
    fields = {"usageResourceId": str(subscription), "dimension": dimension, "usageDate": day.isoformat()}
    return UsageDay.model_validate({**fields, "submittedQuantity": quantity, "reconStatus": status})


def accepted(quantity, slot=SLOT, subscription=SUBSCRIPTION, tenant=ONE):
    return Accepted(tenant, subscription, "active_user", slot.date(), quantity)


def test_several_rows_of_a_day_are_added_up():
    assert mismatches([accepted(3), accepted(2, SLOT + HOUR)], [day(4), day(1)], {}) == []


def test_mismatches_are_ordered_by_day_subscription_and_dimension():
    later = DAY + dt.timedelta(days=1)
    first, second = (uuid.UUID(int=number) for number in (40, 50))
    listed = [
        day(1, later, first),
        day(1, DAY, second, "a"),
        *(day(1, DAY, first, dimension) for dimension in "dbcafe"),
    ]
    found = mismatches([], listed, {first: TWO})

    assert [(each.day, each.subscription_id, each.dimension) for each in found] == [
        *((DAY, first, dimension) for dimension in "abcdef"),
        (DAY, second, "a"),
        (later, first, "active_user"),
    ]
    assert found[0] == Mismatch(Difference.FOREIGN, TWO, first, "a", DAY, Decimal(0), Decimal(1))
    assert found[6].tenant is None


def entry(state=ALARM, last_result="Expired", ended_at=None):
    return Entry(usage_event(5, state=state), "contoso", Month(2026, 11), last_result, "paid", ended_at)


@pytest.mark.parametrize("word", ["Duplicate", "Accepted"])
def test_an_event_in_conflict_is_never_reported_again(word):
    with pytest.raises(RescheduleRefused, match="event 5 met another quantity"):
        ensure_not_reported(entry(last_result=word), Decimal(0), 0)


def test_only_an_unlisted_event_in_alarm_is_reported_again():
    ensure_not_reported(entry(), Decimal(4), 4)
    with pytest.raises(RescheduleRefused, match="only an event in alarm"):
        ensure_not_reported(entry(state=HELD), Decimal(0), 0)
    with pytest.raises(RescheduleRefused, match="the meter has 3 since the day of event 5, of which 0 are known"):
        ensure_not_reported(entry(), Decimal(3), 0)


def test_the_newest_free_hour_is_used():
    now = SLOT + HOUR / 2

    assert free_hour(entry(), set(), now) == SLOT
    assert free_hour(entry(), {SLOT, SLOT - HOUR}, now) == SLOT - 2 * HOUR
    assert free_hour(entry(ended_at=SLOT - HOUR / 2), set(), now) == SLOT - HOUR


def test_an_hour_of_24_hours_ago_is_too_old():
    taken = {SLOT - number * HOUR for number in range(23)}

    assert free_hour(entry(), taken, SLOT) == SLOT - 23 * HOUR
    with pytest.raises(RescheduleRefused, match="in no hour any more"):
        free_hour(entry(), {*taken, SLOT - 23 * HOUR}, SLOT)


def test_reported_usage_is_neither_reported_again_nor_taken_back():
    assert [unreported(active, sent) for active, sent in ((5, 0), (5, 3), (5, 5), (3, 5))] == [5, 2, 0, 0]
