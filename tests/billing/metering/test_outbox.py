"""The usage event of a bill: its quantity and its hour."""

import datetime as dt
import uuid
from dataclasses import replace
from decimal import Decimal

import pytest
import sqlalchemy as sa

from billing.closing import record_store
from billing.closing.model import NotVoidable, State
from shared.db.schema import usage_events
from tests.support.paying_tenants import PayingTenant, at


JAN, FEB, MAR = (at(f"2026-{month:02}-01") for month in (1, 2, 3))
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def payer(app, engine):  # noqa: ARG001 - the app's end checks every invariant
    return PayingTenant.create(engine)


def everybody_signs_in(payer, when):
    for user in payer.people:
        payer.sign_in(user, when)


def test_a_bill_reports_its_users_for_the_last_hour_of_its_month(payer):
    subscription = payer.subscribe(JAN)
    everybody_signs_in(payer, JAN)
    payer.close(FEB + HOUR)
    [event] = payer.usage()

    assert (event.quantity, event.slot, event.state) == (3, FEB - HOUR, "pending")
    assert (event.marketplace_id, event.dimension, event.plan_id) == (
        subscription.marketplace_id,
        "active_user",
        "paid",
    )


@pytest.mark.parametrize(
    ("marketplace", "quantity", "dimension"), [(False, None, "active_user"), (True, 5, "active_user"), (True, None, "")]
)
def test_agreements_plans_with_seats_and_plans_without_a_dimension_report_nothing(
    payer, marketplace, quantity, dimension
):
    payer.subscribe(JAN, marketplace=marketplace, quantity=quantity)
    everybody_signs_in(payer, JAN)
    [record] = payer.close(FEB, dimension=dimension)

    assert (record.active_users, payer.usage()) == (3, [])


def test_a_month_closed_too_late_for_its_last_hour_reports_for_the_present_one(payer):
    payer.subscribe(JAN)
    everybody_signs_in(payer, JAN)
    payer.close(FEB + 3 * 24 * HOUR + HOUR / 2)

    assert [event.slot for event in payer.usage()] == [FEB + 3 * 24 * HOUR]


def test_months_closed_together_report_for_different_hours(payer):
    payer.subscribe(JAN)
    everybody_signs_in(payer, JAN)
    everybody_signs_in(payer, FEB)
    everybody_signs_in(payer, MAR)
    payer.close(at("2026-04-05T10:20"))

    assert [event.slot for event in payer.usage()] == [at(f"2026-04-05T{hour:02}:00") for hour in (10, 9, 8)]


def test_a_final_bill_reports_for_the_hour_of_the_end(payer):
    subscription = payer.subscribe(JAN)
    everybody_signs_in(payer, JAN)
    payer.end_subscription(subscription, at("2026-01-15T09:40"), now=at("2026-01-17T12:00"))

    assert [event.slot for event in payer.usage()] == [at("2026-01-15T09:00")]


def test_a_month_may_begin_within_an_hour_of_the_meter(payer):
    payer.change(time_zone="Asia/Kolkata")
    payer.subscribe(JAN)
    everybody_signs_in(payer, JAN)
    payer.close(at("2026-01-31T18:30"))

    assert [event.slot for event in payer.usage()] == [at("2026-01-31T18:00")]


def test_a_bill_replaced_before_its_report_is_reported_once(payer):
    payer.subscribe(JAN)
    everybody_signs_in(payer, JAN)
    [record] = payer.close(FEB)
    replacement = payer.void(record, FEB + HOUR, is_replaced=True)
    [event] = payer.usage()

    assert (event.record_id, event.quantity, event.slot) == (replacement.id, 3, FEB - HOUR)


@pytest.mark.parametrize(
    ("state", "quantities"), [("accepted", [3, 1]), ("pending", [3, 1]), ("held", [3, 1]), ("alarm", [3, 4])]
)
def test_a_replacement_reports_only_quantities_that_cannot_be_reported_otherwise(payer, engine, state, quantities):
    payer.subscribe(JAN)
    everybody_signs_in(payer, JAN)
    [record] = payer.close(FEB)
    settled = {"state": state, "attempts": 1, "usage_event_id": uuid.UUID(int=1)}
    with engine.begin() as tx:
        tx.execute(usage_events.update().where(usage_events.c.record_id == record.id).values(**settled))
    payer.add_time(payer.add_person(FEB), JAN, JAN + HOUR, now=FEB + HOUR)
    replacement = payer.void(record, FEB + 2 * HOUR, is_replaced=True)

    assert replacement.active_users == 4
    assert [event.quantity for event in payer.usage()] == quantities
    assert len({event.slot for event in payer.usage()}) == 2


def test_a_replacement_with_fewer_users_reports_nothing_more(payer, engine):
    payer.subscribe(JAN)
    entries = [payer.add_time(user, JAN, JAN + HOUR) for user in payer.people]
    [record] = payer.close(FEB)
    with engine.begin() as tx:
        tx.execute(usage_events.update().where(usage_events.c.record_id == record.id).values(state="accepted"))
    payer.remove(entries[0], FEB)
    replacement = payer.void(record, FEB + HOUR, is_replaced=True)

    assert (replacement.active_users, len(payer.usage())) == (2, 1)


def test_a_void_bill_and_its_replacement_are_both_kept_and_audited(payer):
    payer.subscribe(JAN)
    everybody_signs_in(payer, JAN)
    [record] = payer.close(FEB)
    replacement = payer.void(record, FEB + HOUR, is_replaced=True)
    void, closed = payer.records()

    assert (void.state, void.void_reason, void.voided_at) == ("void", "wrong", FEB + HOUR)
    assert (closed.state, closed.replaces_id, closed.id) == ("closed", void.id, replacement.id)
    assert [line.is_void for line in payer.lines(record)] == [True] * 3
    assert payer.billed_people() == [(0, 202601), (1, 202601), (2, 202601)]
    assert [row.after_change["recordId"] for row in payer.audit("bill.voided")] == [str(record.public_id)]
    assert [row.after_change["total"] for row in payer.audit("bill.closed")] == ["13.50", "13.50"]
    assert payer.close(FEB + 2 * HOUR) == []


def test_a_record_is_read_as_it_was_closed(payer, engine):
    payer.subscribe(JAN)
    everybody_signs_in(payer, JAN)
    [record] = payer.close(FEB + HOUR)
    replacement = payer.void(record, FEB + 2 * HOUR, is_replaced=True)
    with engine.connect() as connection:
        read = [record_store.find(connection, each.tenant_id, each.public_id) for each in (record, replacement)]
    reason = read[0] and read[0].void_reason

    assert reason
    assert read == [replace(record, state=State.VOID, voided_at=FEB + 2 * HOUR, void_reason=reason), replacement]


def test_a_void_bill_without_replacement_bills_nobody_now_or_later(payer):
    payer.subscribe(JAN)
    payer.add_time(payer.people[0], JAN, JAN + HOUR)
    [january] = payer.close(FEB)
    payer.void(january, FEB)
    [february] = payer.close(MAR)

    assert february.active_users == 0
    assert payer.usage() == []


def test_a_record_is_voided_once_and_replaced_once(payer, engine):
    payer.subscribe(JAN)
    [record] = payer.close(FEB)
    payer.void(record, FEB, is_replaced=True)

    with pytest.raises(NotVoidable):
        payer.void(record, FEB)
    with engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).where(usage_events.c.record_id == record.id)) == 0
    assert sum((row.total for row in payer.records() if row.state == "closed"), Decimal(0)) == 0
