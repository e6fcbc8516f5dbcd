"""The command that lists adopted usage and assigns it to a month."""

import functools

import pytest

from shared.db.schema import adopted_usage, audit_log, usage_events
from tests.support.billed_tenants import add_billed_tenant, remove_bills
from tests.support.paying_tenants import at


@pytest.fixture
def tenant(engine, marketplace):
    """A tenant with usage of two days, one of them without a month."""
    tenant = add_billed_tenant(engine, marketplace.buy(active=True))
    row = {"tenant_id": tenant.tenant_id, "marketplace_id": tenant.marketplace_id, "dimension": "active_user"}
    row |= {"plan_id": "paid", "adopted_at": at("2026-11-04T10:00")}
    days = [("2026-10-31", 3, 202610), ("2026-11-03", 2, None)]
    with engine.begin() as tx:
        for day, quantity, month in days:
            values = {**row, "day": at(day).date(), "quantity": quantity, "month_key": month}
            tx.execute(adopted_usage.insert(), values)
    yield tenant
    with engine.begin() as tx:
        tx.execute(adopted_usage.delete())
    remove_bills(engine)


@pytest.fixture
def list_adopted_usage(ops, tenant):
    return functools.partial(ops, "billing", "adopted-usage", tenant.slug)


def months(done):
    return [(row["day"], row["users"], row["month"]) for row in done.json]


def test_adopted_usage_is_listed_with_its_month(list_adopted_usage):
    table = list_adopted_usage()

    assert months(list_adopted_usage("--json")) == [("2026-10-31", 3, "2026-10"), ("2026-11-03", 2, None)]
    assert table.out.splitlines()[-1].split()[:3] == ["2026-11-03", "2", "-"]


def test_usage_without_a_month_is_assigned_to_one_and_audited(list_adopted_usage, tenant, engine):
    shown, done = (
        list_adopted_usage("--assign", "2026-11-03=2026-10", "--dry-run", "--json"),
        list_adopted_usage("--assign", "2026-11-03=2026-10", "--yes", "--json"),
    )
    again = list_adopted_usage("--assign", "2026-11-03=2026-09", "--yes")
    with engine.connect() as connection:
        [row] = connection.execute(audit_log.select().where(audit_log.c.action == "usage.adopted")).all()

    assert months(shown)[1] == ("2026-11-03", 2, None)
    assert months(done)[1] == ("2026-11-03", 2, "2026-10")
    assert (again.code, "has no adopted usage of 2026-11-03 without a month" in again.message) == (1, True)
    assert (row.tenant_id, row.actor_kind) == (tenant.tenant_id, "operator")
    assert row.after_change == {"day": "2026-11-03", "month": "2026-10", "plan": "paid", "quantity": 2}


@pytest.mark.parametrize(
    ("text", "code"),
    [("2026-11-03", 2), ("2026-13-03=2026-10", 2), ("2026-11-03=2026-13", 2), ("2026-11-03=2025-12", 1)],
)
def test_an_invalid_or_unpaid_assignment_changes_nothing(list_adopted_usage, text, code):
    done = list_adopted_usage("--assign", text, "--yes")

    assert done.code == code, done.err
    assert months(list_adopted_usage("--json"))[1] == ("2026-11-03", 2, None)


def test_a_bill_with_adopted_usage_shows_it(ops, tenant, engine):
    tenant.add_usage(3, month=202610)
    with engine.begin() as tx:
        tx.execute(usage_events.delete().where(usage_events.c.tenant_id == tenant.tenant_id))
    [bill] = ops("billing", "records", "--tenant", tenant.slug, "--json").json

    assert (bill["usage"], bill["adoptedUsers"]) == ("adopted", 3)
