"""The erasure of an organization, except for the data of its bills."""

import uuid

import pytest
import sqlalchemy as sa

from privacy.catalog.columns import CATALOG
from privacy.catalog.kinds import RowAction
from privacy.erasure import flow as erasure_flow
from shared.db.schema import metadata, subscriptions, tenants, users
from tests.support.bills import close_a_month, subscribe
from tests.support.scan import find_columns


DELETED = sorted(
    name for name, entry in CATALOG.items() if entry.tenant_erased is RowAction.DELETE and name != "landing_visits"
)


@pytest.fixture
def ada(world, clock):
    """The super admin of an organization with a colleague, time and actions."""
    ada = world.tenant(name="Erasing Ltd")
    ben = world.member(ada)
    ben.start(7, note="something", key="k")
    clock.tick(hours=1)
    ben.stop()
    ben.start(8)
    ada.enter(note="by hand", project="Old name")
    one, other = (each["id"] for each in ada.get("projects").body["items"])
    ada.post(f"projects/{one}/join", {"projectId": other})
    ada.post("actions", {"type": "page.open", "page": "/reports"})
    return ada


def row_of(engine, ada):
    with engine.connect() as tx:
        return tx.execute(sa.select(tenants).where(tenants.c.entra_tenant_id == uuid.UUID(ada.tid))).one()


def somebody(engine, tenant_id):
    with engine.connect() as tx:
        return tx.execute(sa.select(users).where(users.c.tenant_id == tenant_id).order_by(users.c.id)).first()


def remaining_rows(engine, tenant_id):
    with engine.connect() as tx:
        return {
            name: count
            for name in DELETED
            if (count := tx.scalar(sa.select(sa.func.count()).where(metadata.tables[name].c.tenant_id == tenant_id)))
        }


def ask(engine, ada):
    return ada.post("privacy/erasure", {"scope": "tenant", "confirm": row_of(engine, ada).slug})


def erase_due(app, clock, days=3):
    clock.tick(days=days)
    return erasure_flow.execute_due(app).changed


def test_an_erased_organization_has_no_people_and_no_time(app, world, clock, ada, engine):
    tenant = row_of(engine, ada)
    before = remaining_rows(engine, tenant.id)
    asked = ask(engine, ada)
    done, again = erase_due(app, clock), erase_due(app, clock, days=1)
    newcomer = world.person(ada.tid)
    refused = newcomer.post("sign-in")

    assert asked.body["scope"] == "tenant"
    assert {"time_entries", "timer_log", "running_timers", "projects", "action_log"} <= set(before)
    assert (done, again) == (1, 0)
    assert remaining_rows(engine, tenant.id) == {}
    assert find_columns(engine, ada.email, ada.oid) == set()
    assert (refused.status, refused.code) == (402, "subscription_cancelled")


def test_data_for_bills_stays_with_pseudonyms(app, clock, ada, engine):
    tenant = row_of(engine, ada)
    person = somebody(engine, tenant.id)
    with engine.begin() as tx:
        paid = subscribe(tx, tenant.id, status="unsubscribed")
        close_a_month(
            tx, tenant.id, person.id, email=person.email, name=person.display_name, kind="final", subscription_id=paid
        )
    ask(engine, ada)
    done = erase_due(app, clock)
    with engine.connect() as tx:
        records = metadata.tables["billing_records"]
        total = tx.scalar(sa.select(records.c.total).where(records.c.tenant_id == tenant.id))
    kept = row_of(engine, ada)

    assert done == 1
    assert str(total) == "4.5000"
    assert (kept.name, kept.slug, kept.admin_email, kept.status) == (tenant.name, tenant.slug, None, "cancelled")
    assert find_columns(engine, person.email) == set()


def test_the_erasure_waits_for_the_end_of_the_subscription_and_the_last_bill(app, clock, ada, engine):
    tenant = row_of(engine, ada)
    with engine.begin() as tx:
        paid = subscribe(tx, tenant.id)
    asked = ask(engine, ada)
    waiting = []

    def look():
        erased = erase_due(app, clock, days=3)
        with engine.connect() as tx:
            requests = metadata.tables["privacy_requests"]
            reason = tx.scalar(sa.select(requests.c.hold_reason).where(requests.c.tenant_id == tenant.id))
        waiting.append((erased, reason))

    look()
    look()
    with engine.begin() as tx:
        over = {"status": "unsubscribed", "ended_at": clock()}
        tx.execute(subscriptions.update().where(subscriptions.c.id == paid).values(**over))
    look()
    person = somebody(engine, tenant.id)
    with engine.begin() as tx:
        close_a_month(tx, tenant.id, person.id, email=person.email, name="x", kind="final", subscription_id=paid)
    look()

    assert asked.status == 201
    assert waiting == [(0, "liveSubscription"), (0, "liveSubscription"), (0, "unbilledTime"), (1, None)]
