import datetime as dt
import uuid

import pytest

from billing.closing import service
from billing.closing.service import Closing
from shared.db.schema import tenants
from shared.jobs import job_work
from tests.support.tenant_bills import PAID_FROM, start_paid_plan
from tests.support.world import new_id


@pytest.fixture
def ada(world):
    return world.tenant(time_zone="Europe/Berlin")


@pytest.fixture
def bills(ada, engine):
    bills = start_paid_plan(engine, ada)
    bills.add_price("4.50", PAID_FROM)
    return bills


def close(app, bills):
    """Closes the tenant's ended months."""
    with app.transaction() as tx:
        return service.close_tenant(job_work(app, tx, bills.tenant_id, app.now()), Closing(""))


def test_the_open_month_shows_active_users_and_total_so_far(ada, bills, world, clock):
    ben = world.member(ada)
    clock.tick(hours=1)
    ben.start(7)
    clock.tick(hours=1)
    ben.stop()
    shown = ada.get("billing/preview").body

    assert {name: value for name, value in shown.items() if name != "lines"} == {
        "asOf": "2026-11-23T11:00:00.000Z",
        "month": "2026-11",
        "periodFrom": "2026-10-31T23:00:00.000Z",
        "periodTo": "2026-11-30T23:00:00.000Z",
        "timeZone": "Europe/Berlin",
        "invoicedBy": "vendor",
        "subscriptionPlan": "paid",
        "activeUsers": 2,
        "ratePerUser": "4.50",
        "rateUnit": "P1M",
        "currency": "EUR",
        "total": "9.00",
    }
    assert sorted((line["displayName"], line["reason"]) for line in shown["lines"]) == [
        (ada.name, "signIn"),
        (ben.name, "time"),
    ]
    assert {line["userId"] for line in shown["lines"]} == {person.get("me").body["id"] for person in (ada, ben)}
    assert bills.people


def test_a_preview_has_the_marketplace_subscription_and_its_seats(ada, engine):
    start_paid_plan(engine, ada, marketplace_id=uuid.UUID(bought := new_id()), quantity=7).add_price("4.50", PAID_FROM)
    shown = ada.get("billing/preview").body

    assert (shown["subscriptionId"], shown["quantity"], shown["invoicedBy"]) == (bought, 7, "microsoft")


def test_the_last_preview_of_a_month_equals_its_record(ada, bills, world, app, clock):
    ben = world.member(ada)
    ben.enter()
    clock.set("2026-11-30T23:59:59.999+01:00")
    preview = ada.get("billing/preview").body
    clock.tick(milliseconds=1)
    close(app, bills)
    [record] = ada.get("billing/records/2026-11").body["records"]

    assert preview["activeUsers"] == 2
    assert {name: record[name] for name in preview.keys() & record.keys()} == {
        name: value for name, value in preview.items() if name != "asOf"
    }
    assert ada.get("billing/preview").body["month"] == "2026-12"
    assert ada.get("billing/records/2026-11/statement").status == 200


def test_a_tenant_without_a_paid_subscription_has_no_preview(world, bills, ada, clock):
    trial = world.tenant().get("billing/preview")
    bills.end(clock())
    ended = ada.get("billing/preview")

    assert {(each.status, each.code) for each in (trial, ended)} == {(404, "not_found")}
    assert "has no paid subscription" in trial.body["detail"]


def test_an_unknown_price_leaves_the_open_month_without_rate_and_total(world, engine):
    ada = world.tenant()
    start_paid_plan(engine, ada)
    shown = ada.get("billing/preview").body

    assert shown["activeUsers"] == 1
    assert shown.keys().isdisjoint({"ratePerUser", "rateUnit", "currency", "total"})


def test_a_suspended_tenant_sees_its_preview(ada, bills, engine):
    with engine.begin() as tx:
        theirs = tenants.c.entra_tenant_id == uuid.UUID(ada.tid)
        tx.execute(tenants.update().where(theirs).values(status="suspended"))

    assert ada.get("billing/preview").body["total"] == "4.50"
    assert bills.people


def test_activity_before_the_paid_plan_does_not_count(world, engine, clock):
    ada = world.tenant()
    bills = start_paid_plan(engine, ada, paid_from=clock() + dt.timedelta(hours=2))
    bills.add_price("4.50", clock() + dt.timedelta(hours=2))
    clock.tick(hours=3)
    before = ada.get("billing/preview").body
    ada.post("sign-in")
    after = ada.get("billing/preview").body

    assert (before["periodFrom"], before["activeUsers"]) == ("2026-11-23T11:00:00.000Z", 0)
    assert (after["activeUsers"], after["total"]) == (1, "4.50")


def test_a_new_time_zone_counts_for_bills_from_the_next_period(ada, bills, app, clock):
    settings = ada.get("tenant")
    changed = ada.patch("tenant", {"timeZone": "Pacific/Honolulu"}, version=settings.body["version"])
    before = ada.get("billing/preview").body
    clock.set("2026-12-02T12:00:00+00:00")
    close(app, bills)
    [record] = ada.get("billing/records/2026-11").body["records"]
    after = ada.get("billing/preview").body

    assert (changed.status, ada.get("tenant").body["timeZone"]) == (200, "Pacific/Honolulu")
    assert (before["timeZone"], before["periodTo"]) == ("Europe/Berlin", "2026-11-30T23:00:00.000Z")
    assert (record["timeZone"], record["periodTo"]) == ("Europe/Berlin", "2026-11-30T23:00:00.000Z")
    assert (after["timeZone"], after["periodFrom"], after["periodTo"]) == (
        "Pacific/Honolulu",
        "2026-11-30T23:00:00.000Z",
        "2027-01-01T10:00:00.000Z",
    )
