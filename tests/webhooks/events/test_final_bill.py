import uuid

import pytest
import sqlalchemy as sa

from billing.closing import service
from billing.closing.service import Closing
from shared.db.row_level_security import ALL_TENANTS
from shared.db.schema import billing_lines, billing_records, subscription_rates, tenants, usage_events
from shared.jobs import job_work
from shared.settings import Settings
from tests.support import purchases
from tests.support.marketplace import wait_until


@pytest.fixture
def shop(settings, marketplace) -> Settings:
    """The settings with the Marketplace and its meter on."""
    on = purchases.with_marketplace(settings, marketplace)
    return on.model_copy(update={"marketplace_metering_dimension": "active_user"})


@pytest.fixture
def metered_purchase(app, marketplace, owner, clock):
    """A plan by active users, a day old and unused."""
    clock.tick(hours=1)
    purchase = purchases.add_active_purchase(app, marketplace, owner.tid, plan="paid", quantity=None)
    clock.tick(days=1)
    return purchase


def unsubscribe(purchase):
    purchase.app.now.tick(minutes=1)
    operation = purchase.execute("unsubscribe")
    wait_until(lambda: purchase.attempts(operation))
    purchase.marketplace.wait_until_idle()
    return purchase.attempts(operation)


def rows(purchase, table):
    with purchase.app.transaction(reads_only=True, tenant=ALL_TENANTS) as tx:
        return tx.execute(sa.select(table).where(table.c.tenant_id == purchase.tenant.id)).all()


def test_the_end_closes_the_running_month_and_reports_its_usage_at_once(
    metered_purchase, owner, world, marketplace, clock
):
    ben = world.member(owner)
    ben.start()
    clock.tick(hours=1)
    ben.stop()
    answers = unsubscribe(metered_purchase)
    [record] = rows(metered_purchase, billing_records)
    [usage] = marketplace.stats()["usage"]

    assert answers == [200]
    assert (record.kind, record.active_users, record.period_to) == ("final", 1, metered_purchase.row.ended_at)
    assert [line.reason for line in rows(metered_purchase, billing_lines)] == ["time"]
    assert (usage["resource_id"], usage["dimension"], usage["quantity"]) == (metered_purchase.id, "active_user", 1)
    assert [event.state for event in rows(metered_purchase, usage_events)] == ["accepted"]


def test_the_end_is_committed_when_the_meter_is_unavailable(metered_purchase, owner, world, marketplace):
    world.member(owner)
    marketplace.execute("faults", usage_batch={"status": 503, "times": 20})
    answers = unsubscribe(metered_purchase)

    assert answers == [200]
    assert metered_purchase.row.status == "unsubscribed"
    assert [event.state for event in rows(metered_purchase, usage_events)] == ["pending"]


def test_the_end_is_billed_without_a_price_where_none_is_known(metered_purchase, owner, world):
    world.member(owner)
    with metered_purchase.app.transaction(tenant=ALL_TENANTS) as tx:
        tx.execute(subscription_rates.delete().where(subscription_rates.c.tenant_id == metered_purchase.tenant.id))
    answers = unsubscribe(metered_purchase)

    assert answers == [200]
    assert metered_purchase.row.status == "unsubscribed"
    [record] = rows(metered_purchase, billing_records)
    assert (record.kind, record.active_users, record.rate_per_user, record.total) == ("final", 1, None, None)
    assert [event.state for event in rows(metered_purchase, usage_events)] == ["accepted"]


def test_a_repeated_end_bills_once(metered_purchase, owner, world, marketplace):
    world.member(owner)
    marketplace.execute("shapes", copies=3)
    unsubscribe(metered_purchase)

    assert len(rows(metered_purchase, billing_records)) == 1
    assert len(marketplace.stats()["usage"]) == 1


def test_a_subscription_ended_on_the_internal_plan_is_not_billed_later(app, marketplace, owner, world, clock):
    change_plan(app, owner, "internal")
    purchase = purchases.add_active_purchase(app, marketplace, owner.tid, plan="paid", quantity=None)
    world.member(owner)
    clock.tick(days=40)
    answers = unsubscribe(purchase)
    change_plan(app, owner, "trial")
    clock.tick(days=40)
    with app.transaction(tenant=purchase.tenant.id) as tx:
        service.close_tenant(job_work(app, tx, purchase.tenant.id, app.now()), Closing("active_user"))

    assert answers == [200]
    assert (purchase.row.status, purchase.row.paid_from) == ("unsubscribed", None)
    assert rows(purchase, billing_records) == rows(purchase, usage_events) == []


def change_plan(app, owner, plan):
    with app.engine.begin() as tx:
        mine = tenants.c.entra_tenant_id == uuid.UUID(owner.tid)
        tx.execute(tenants.update().where(mine).values(plan_kind=plan))
