"""The meter's list is compared with our accepted usage; nothing is changed."""

import json
from dataclasses import replace

import pytest
import sqlalchemy as sa

from billing.marketplace.errors import MarketplaceUnavailable
from billing.metering import reconcile_flow
from billing.metering.jobs import send_all
from billing.metering.reconcile_rules import Difference
from shared.db.schema import usage_events
from tests.support.world import START


@pytest.fixture
def reported(metering, clock):
    """A tenant with usage accepted three days ago."""
    tenant = metering.tenant()
    tenant.add_usage(3)
    send_all(metering.app)
    clock.tick(days=3)
    return tenant


def differences(metering):
    return [(each.difference, each.tenant, each.ours, each.theirs) for each in reconcile_flow.reconcile(metering.app)]


def lines(caplog):
    return [record.message for record in caplog.records if '"usage_mismatch"' in record.message]


def report_usage(metering, subscription, *, quantity=2, at=START):
    event = {"resourceId": str(subscription), "quantity": quantity, "dimension": "active_user", "planId": "paid"}
    answer = metering.marketplace.send("POST", "usageEvent", {**event, "effectiveStartTime": at.isoformat()})
    assert answer.status_code == 200


def test_equal_quantities_are_no_mismatch(metering, reported, caplog):
    assert differences(metering) == []
    assert lines(caplog) == []
    assert reported.event()["state"] == "accepted"


def test_accepted_usage_that_is_not_listed_is_missing(metering, reported, caplog):
    tenant = metering.tenant()
    tenant.add_usage(5, state="accepted")

    assert differences(metering) == [(Difference.MISSING, tenant.tenant, 5, 0)]
    [line] = lines(caplog)
    assert str(tenant.tenant) in line
    assert '"missing"' in line
    assert reported.event()["state"] == tenant.event()["state"] == "accepted"


def test_another_quantity_is_a_difference(metering, reported, caplog):
    reported.change(usage_events, quantity=4)

    assert differences(metering) == [(Difference.DIFFERENT, reported.tenant, 4, 3)]
    assert reported.event()["quantity"] == 4
    assert len(lines(caplog)) == 1


def test_listed_usage_never_reported_by_us_is_foreign_and_names_its_tenant(metering, clock, caplog):
    tenant, stranger = metering.tenant(), metering.marketplace.buy(active=True)
    report_usage(metering, tenant.marketplace_id)
    report_usage(metering, stranger)
    clock.tick(days=3)

    assert sorted(differences(metering), key=str) == sorted(
        [(Difference.FOREIGN, tenant.tenant, 0, 2), (Difference.FOREIGN, None, 0, 2)], key=str
    )
    assert sorted(json.loads(line).get("tenant", "") for line in lines(caplog)) == ["", str(tenant.tenant)]


@pytest.mark.parametrize(("status", "found"), [("Accepted", 0), ("Submitted", 0), ("Rejected", 1), ("Mismatch", 1)])
def test_usage_that_microsoft_does_not_charge_is_a_mismatch(metering, reported, status, found):
    metering.marketplace.execute("shapes", recon_status=status)

    assert differences(metering) == [(Difference.NOT_CHARGED, reported.tenant, 3, 3)] * found


def test_a_day_is_compared_once_nothing_more_can_be_sent_for_it(metering, clock):
    tenant = metering.tenant()
    tenant.add_usage(5, state="accepted")
    clock.set("2026-11-24T23:59:59Z")
    early = differences(metering)
    clock.set("2026-11-25T00:00:00Z")

    assert early == []
    assert [each[0] for each in differences(metering)] == [Difference.MISSING]


@pytest.mark.parametrize("row", ["7", "{}", '{"usageResourceId": "/subscriptions/x", "dimension": "d"}'])
def test_an_unreadable_row_is_logged_and_hides_no_other(metering, reported, caplog, row):
    [good] = metering.marketplace.send("GET", "usageEvents", query={"usageStartDate": "2026-11-01"}).json()
    good["submittedQuantity"] = 9
    body = f"[{row}, {json.dumps(good)}]"
    metering.inject_fault("usage_list", status=200, body=body)

    assert differences(metering) == [(Difference.DIFFERENT, reported.tenant, 3, 9)]
    [unreadable] = [line for line in map(json.loads, lines(caplog)) if line["reason"] == "unreadable"]
    assert unreadable["count"] == 1


def test_an_unavailable_list_fails_the_run(metering, reported):
    metering.inject_fault("usage_list", status=503)

    with pytest.raises(MarketplaceUnavailable):
        reconcile_flow.reconcile(metering.app)
    assert reported.event()["state"] == "accepted"


def test_nothing_is_compared_without_metering(metering, app, engine):
    metering.tenant().add_usage(5, state="accepted")
    asked = metering.hits("usage_list")

    assert reconcile_flow.reconcile(app) == []
    assert metering.hits("usage_list") == asked
    with engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(usage_events)) == 1


def test_listed_usage_of_another_product_is_left_out(metering, reported, caplog):
    settings = metering.app.settings.model_copy(update={"marketplace_offers": frozenset({"timetracker"})})
    other = metering.marketplace.buy(active=True, plan="team")
    event = {"resourceId": other, "quantity": 2, "dimension": "active_user", "planId": "team"}
    with_offers = replace(metering, app=replace(metering.app, settings=settings))
    metering.marketplace.send("POST", "usageEvent", {**event, "effectiveStartTime": metering.app.now().isoformat()})
    metering.app.now.tick(days=3)

    assert [difference for difference, *_ in differences(metering)] == [Difference.FOREIGN]
    caplog.clear()
    assert differences(with_offers) == []
    assert lines(caplog) == []
    assert reported.event()["state"] == "accepted"
