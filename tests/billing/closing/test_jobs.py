"""The hourly job: missed, repeated, with a clock set back, and interrupted."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest

from billing.closing import service
from billing.closing.jobs import close_all_ended
from billing.subscriptions.model import Price
from shared.db.row_level_security import ALL_TENANTS
from shared.db.schema import tenants
from shared.jobs import JobFailed
from shared.log import get_logger
from tests.support.paying_tenants import DIMENSION, FOUR_FIFTY, PayingTenant, at


JAN, FEB, MAR = (at(f"2026-{month:02}-01") for month in (1, 2, 3))
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


@pytest.fixture
def job(app, engine, clock):
    """Runs the job at an instant, with a dimension to meter by.

    Tenants of other tests become internal, since some have no rate.
    """
    with engine.begin() as tx:
        tx.execute(tenants.update().where(tenants.c.plan_kind == "paid").values(plan_kind="internal"))
    settings = app.settings.model_copy(update={"marketplace_metering_dimension": DIMENSION})
    metered = replace(app, settings=settings)

    def run(now):
        clock.at = now
        return close_all_ended(metered)

    return run


@pytest.fixture
def payer(app, engine):  # noqa: ARG001 - the app's end checks every invariant
    payer = PayingTenant.create(engine)
    payer.subscribe(JAN)
    payer.sign_in(payer.people[0], at("2026-01-05"))
    return payer


def months(payer):
    return [(row.month_key, row.active_users, row.total) for row in payer.records()]


def test_the_job_closes_due_months_and_adds_their_usage_to_the_outbox(job, payer):
    job(FEB + HOUR)

    assert months(payer) == [(202601, 1, Decimal("4.50"))]
    assert [event.quantity for event in payer.usage()] == [1]


def test_a_job_missed_for_three_days_closes_the_same_bills(job, payer):
    job(FEB + 3 * DAY)
    job(MAR + 3 * DAY)

    assert months(payer) == [(202601, 1, Decimal("4.50")), (202602, 0, Decimal(0))]
    assert payer.records()[0].period_to == FEB


def test_48_runs_of_the_job_close_once(job, payer):
    job(FEB)
    kept = payer.records(), payer.lines(), payer.usage(), payer.audit("bill.closed")
    again = [job(FEB + number * HOUR / 2) for number in range(1, 48)]

    assert again == [0] * 47
    assert (payer.records(), payer.lines(), payer.usage(), payer.audit("bill.closed")) == kept


def test_a_clock_set_back_a_day_undoes_and_repeats_nothing(job, payer):
    job(FEB + HOUR)
    job(FEB + HOUR - DAY)
    payer.sign_in(payer.people[0], FEB + HOUR)
    job(FEB + 2 * HOUR)

    assert months(payer) == [(202601, 1, Decimal("4.50"))]


def test_tenants_in_the_first_and_last_time_zone_close_at_local_midnight(job, engine):
    first, last = (PayingTenant.create(engine, zone=zone) for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"))
    for each in (first, last):
        each.subscribe(at("2026-01-02"))
    found = []
    for hour in range(48):
        job(at("2026-01-31T00:05") + hour * HOUR)
        found.append((len(first.records()), len(last.records())))

    assert found.index((1, 0)) == 10
    assert found.index((1, 1)) == 24 + 11


def test_a_bill_without_a_price_is_logged_by_each_run_and_replaced_once_priced(job, engine, payer, monkeypatch):
    logged = []
    monkeypatch.setattr(get_logger(), "error", lambda event, **fields: logged.append((event, fields)))
    unknown = PayingTenant.create(engine)
    subscription = unknown.subscribe(JAN, None)
    unknown.sign_in(unknown.people[0], at("2026-01-05"))
    job(FEB)
    job(FEB + HOUR)
    without, others = months(unknown), months(payer)
    unknown.sign_in(unknown.people[1], at("2026-01-06"))  # the users of a bill stay
    unknown.set_price(subscription, Price(Decimal(7), "EUR"), FEB + HOUR)
    job(FEB + 2 * HOUR)
    job(FEB + 3 * HOUR)

    assert (without, others) == ([(202601, 1, None)], [(202601, 1, Decimal("4.50"))])
    assert [event for event, _ in logged] == ["bill_without_price"] * 2
    with engine.connect() as tx:
        assert {fields["tenant"] for _, fields in logged} == {str(unknown.tenant(tx).public_id)}
    [void, bill] = unknown.records()
    assert (void.state, void.rate_per_user, void.currency, void.minor_unit) == ("void", None, None, None)
    assert (bill.state, bill.replaces_id, bill.active_users, bill.total) == ("closed", void.id, 1, Decimal(7))
    assert unknown.billed_people() == [(0, 202601)]
    assert sum(event.quantity for event in unknown.usage()) == 1


def test_a_tenant_in_an_unknown_zone_fails_alone(job, engine, payer):
    nowhere = PayingTenant.create(engine, zone="Nowhere/Else")
    nowhere.subscribe(JAN)
    with pytest.raises(JobFailed, match="1 of"):
        job(FEB)
    nowhere.change(time_zone="UTC")
    job(FEB)

    assert len(nowhere.records()) == len(payer.records()) == 1


def test_the_job_works_only_on_due_tenants(app, engine, job, payer):
    idle = PayingTenant.create(engine)
    over = PayingTenant.create(engine)
    over.end_subscription(over.subscribe(JAN), at("2026-01-20"))
    with app.transaction(reads_only=True, tenant=ALL_TENANTS) as tx:
        owing = service.due_tenants(tx, FEB)
    job(FEB)
    with app.transaction(reads_only=True, tenant=ALL_TENANTS) as tx:
        nobody = service.due_tenants(tx, FEB + DAY)

    assert payer.tenant_id in owing  # a bill
    assert over.tenant_id in owing  # a month to mark as closed
    assert idle.tenant_id not in owing
    assert {payer.tenant_id, over.tenant_id} & set(nobody) == set()
    assert over.closed_months() == [202601]


@pytest.mark.parametrize("people", [1, 200])
def test_the_number_of_statements_of_a_close_does_not_depend_on_the_number_of_people(
    app,  # noqa: ARG001 - the job's
    engine,
    record_statements,
    people,
):
    payer = PayingTenant.create(engine, people=people)
    payer.subscribe(JAN, FOUR_FIFTY)
    for user in payer.people:
        payer.sign_in(user, JAN)
        payer.sign_in(user, FEB)
    with record_statements() as first:
        payer.close(FEB)
    payer.add_time(payer.add_person(JAN), JAN, JAN + HOUR, now=FEB)
    with record_statements() as second:
        [february] = payer.close(MAR)

    assert february.active_users == people + 1
    # tenant, standings, timers, sign-ins, time, late?, rates, event, record, lines, slots, usage, audit, marked
    assert len(first) == 14, first
    assert len(second) == 17, second  # and the late time, with the billed users of its month and their fee


def test_a_preview_sends_eight_statements(app, engine, record_statements):  # noqa: ARG001
    payer = PayingTenant.create(engine, people=1)
    payer.subscribe(JAN)
    payer.sign_in(payer.people[0], JAN)
    with record_statements() as sent:
        payer.preview(FEB - HOUR)

    assert len(sent) == 8, sent  # tenant, standings, timers, sign-ins, time, late?, rates, event
