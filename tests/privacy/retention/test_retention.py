"""The retention table and its job."""

import datetime as dt
import json
import uuid

import pytest
import sqlalchemy as sa

from function_app import INVARIANTS
from privacy.catalog.columns import CATALOG
from privacy.jobs import remove_expired
from privacy.retention import service
from privacy.retention.rules import RETENTION, RetentionClass, lifetime_of
from privacy.retention.store import BATCH
from shared.app import use
from shared.db.schema import (
    billing_lines,
    billing_records,
    idempotency_keys,
    landing_visits,
    tenants,
    users,
    work_item_readers,
    work_items,
)
from shared.health.invariants import find_violations
from shared.jobs import JobFailed
from tests.support.bills import AT, close_a_month
from tests.support.record_protection import failing_deletes, failing_updates
from tests.support.world import new_id
from tests.timers.work_items.test_work_items import refresh


_REMOVED = ("removed@erased.invalid", "removed")


@pytest.fixture
def ada(world):
    return world.tenant()


@pytest.fixture
def tenant_with_bill(ada, engine):
    """The row number of a tenant with a bill for October 2026."""
    with engine.begin() as tx:
        tenant_id = tx.scalar(sa.select(tenants.c.id).where(tenants.c.entra_tenant_id == uuid.UUID(ada.tid)))
        person = tx.execute(sa.select(users).where(users.c.tenant_id == tenant_id)).one()
        close_a_month(tx, tenant_id, person.id, email=person.email, name=person.display_name)
    return tenant_id


def lines(engine, tenant_id):
    with engine.connect() as tx:
        return tx.execute(sa.select(billing_lines).where(billing_lines.c.tenant_id == tenant_id)).all()


def remove(engine, tenant_id, now):
    with engine.begin() as tx:
        record_statements = {kept: service.count_expired(tx, tenant_id, kept, now=now) for kept in RetentionClass}
    removed, classes = 0, list(RetentionClass)
    while classes:
        with engine.begin() as tx:
            some = service.remove_batch(tx, tenant_id, classes[0], now=now)
        removed += some
        if not some:
            classes.pop(0)
    return record_statements, removed


def test_every_table_is_in_the_retention_table_once():
    listed = [name for each in RETENTION for name in each.tables]

    assert sorted(listed) == sorted(CATALOG)


def test_every_class_that_the_job_removes_has_a_lifetime():
    assert {each.data_class for each in RETENTION if each.data_class is not None} == set(RetentionClass)
    assert all((each.data_class is None) == (each.lifetime is None) for each in RETENTION)


def add_responses(engine, tenant_id, keys, at):
    row = {
        "tenant_id": tenant_id,
        "operation": "start_timer",
        "fingerprint": "f",
        "status": 200,
        "headers": {},
        "body": "",
        "created_at": at,
    }
    with engine.begin() as tx:
        user_id = tx.scalar(sa.select(users.c.id).where(users.c.tenant_id == tenant_id))
        tx.execute(idempotency_keys.insert(), [{**row, "user_id": user_id, "idempotency_key": key} for key in keys])


def response_keys(engine, tenant_id):
    with engine.connect() as tx:
        of_tenant = idempotency_keys.c.tenant_id == tenant_id
        return set(tx.scalars(sa.select(idempotency_keys.c.idempotency_key).where(of_tenant)))


def test_many_stored_responses_are_removed_in_batches(tenant_with_bill, engine, ada, clock, record_statements):
    add_responses(engine, tenant_with_bill, [f"old-{number}" for number in range(2 * BATCH)], clock())
    clock.tick(hours=1)
    ada.start(7, key="young")
    with record_statements() as sent:
        _, removed = remove(
            engine, tenant_with_bill, clock() + lifetime_of(RetentionClass.ANSWERS) - dt.timedelta(minutes=1)
        )

    assert response_keys(engine, tenant_with_bill) == {"young"}
    assert removed == 2 * BATCH
    assert len([text for text in sent if text.startswith("DELETE FROM idempotency_keys")]) == 3


def add_visit(tx, *, until):
    visit = {"public_id": uuid.UUID(new_id()), "browser_hash": "x", "created_at": until, "expires_at": until}
    tx.execute(landing_visits.insert(), {**visit, "state_hash": new_id()})


def failures(caplog, function):
    """The log lines of failed tenants in a run."""
    lines = [json.loads(line) for line in caplog.messages if '"function"' in line]
    return [line for line in lines if (line["function"], line["event"]) == (function, "job_failed_for_tenant")]


def test_a_removed_batch_stays_removed_if_the_next_one_fails(tenant_with_bill, engine, app, clock):
    """In a single transaction it would start again each hour and never end."""
    add_responses(engine, tenant_with_bill, [f"old-{number}" for number in range(2 * BATCH)], clock())
    add_responses(engine, tenant_with_bill, ["stuck"], clock() + dt.timedelta(minutes=1))
    clock.tick(days=3)
    with use(app), failing_deletes(engine, idempotency_keys, "idempotency_key = 'stuck'"), pytest.raises(JobFailed):
        remove_expired(None)
    left = response_keys(engine, tenant_with_bill)

    assert "stuck" in left
    assert len(left) <= BATCH + 1


def test_a_failure_to_remove_visits_is_logged_and_does_not_affect_tenants(tenant_with_bill, engine, app, clock, caplog):
    add_responses(engine, tenant_with_bill, ["old"], clock())
    with engine.begin() as tx:
        add_visit(tx, until=clock())
    clock.tick(days=3)
    with (
        use(app),
        failing_deletes(engine, landing_visits, "id > 0"),
        pytest.raises(JobFailed, match="remove_expired_visits"),
    ):
        remove_expired(None)
    [failure] = failures(caplog, "remove_expired_visits")

    assert response_keys(engine, tenant_with_bill) == set()
    assert failure["errorType"]
    assert failure["stack"]


def test_a_failure_of_a_tenant_does_not_affect_visits(tenant_with_bill, engine, app, clock):
    add_responses(engine, tenant_with_bill, ["stuck"], clock())
    with engine.begin() as tx:
        add_visit(tx, until=clock())
    clock.tick(days=3)
    with (
        use(app),
        failing_deletes(engine, idempotency_keys, "idempotency_key = 'stuck'"),
        pytest.raises(JobFailed, match="remove_expired"),
    ):
        remove_expired(None)
    with engine.connect() as tx:
        over = tx.scalar(sa.select(sa.func.count()).where(landing_visits.c.expires_at < clock()))

    assert over == 0


@pytest.fixture
def tenants_with_stuck_rows(tenant_with_bill, engine, world, azure_devops, clock):
    """Two tenants with expired responses; the first also has an expired title that cannot be blanked."""
    ada = world.tenant()
    refresh(ada, [42], azure_devops.token())
    with engine.connect() as tx:
        of_ada = sa.select(tenants.c.id).where(tenants.c.entra_tenant_id == uuid.UUID(ada.tid))
        first = tx.execute(of_ada).scalar_one()
    for tenant_id in (first, tenant_with_bill):
        add_responses(engine, tenant_id, ["old"], clock())
    clock.tick(days=60)
    with failing_updates(engine, work_items, f"tenant_id = {first}"):
        yield first, tenant_with_bill


def responses_left(engine, tenant_ids):
    return [response_keys(engine, tenant_id) for tenant_id in tenant_ids]


def test_a_failed_class_does_not_affect_other_classes_and_tenants(tenants_with_stuck_rows, engine, app, caplog):
    with use(app), pytest.raises(JobFailed, match="remove_expired_titles: 1 of"):
        remove_expired(None)
    [failure] = failures(caplog, "remove_expired_titles")
    with engine.connect() as tx:
        of_first = work_item_readers.c.tenant_id == tenants_with_stuck_rows[0]
        readings = tx.scalar(sa.select(sa.func.count()).where(of_first))

    assert responses_left(engine, tenants_with_stuck_rows) == [set(), set()]
    assert (failure["ids"], readings) == ([tenants_with_stuck_rows[0]], 0)


def test_the_names_on_a_large_bill_are_removed_in_batches(tenant_with_bill, engine):
    """Rolled back at the end, because no real bill is like this."""
    now = AT + dt.timedelta(days=32) + lifetime_of(RetentionClass.BILLS)
    done: list[int] = []
    with engine.connect() as tx:
        person = tx.execute(sa.select(users).where(users.c.tenant_id == tenant_with_bill)).one()
        line = tx.execute(sa.select(billing_lines).where(billing_lines.c.tenant_id == tenant_with_bill)).one()
        own = {**person._mapping, "entra_object_id": None, "email_key": None, "role": "user"}
        del own["id"], own["log_key"]
        tx.execute(users.insert(), [{**own, "public_id": uuid.UUID(new_id())} for _ in range(BATCH)])
        more = sa.select(users.c.id).where(users.c.tenant_id == tenant_with_bill, users.c.id != person.id)
        tx.execute(billing_lines.insert(), [{**line._mapping, "user_id": each} for each in tx.scalars(more).all()])
        while not done or done[-1]:
            done.append(service.remove_batch(tx, tenant_with_bill, RetentionClass.BILLS, now=now))
        left = set(tx.scalars(sa.select(billing_lines.c.email).where(billing_lines.c.tenant_id == tenant_with_bill)))
        tx.rollback()

    assert done == [BATCH, 1, 0]
    assert left == {"removed@erased.invalid"}


def test_after_seven_years_the_names_on_a_bill_are_removed_and_its_sums_stay(tenant_with_bill, engine, ada):
    closed = AT + dt.timedelta(days=31)
    before = remove(engine, tenant_with_bill, closed + lifetime_of(RetentionClass.BILLS))
    kept = lines(engine, tenant_with_bill)
    after = remove(engine, tenant_with_bill, closed + lifetime_of(RetentionClass.BILLS) + dt.timedelta(milliseconds=1))
    again = remove(engine, tenant_with_bill, closed + lifetime_of(RetentionClass.BILLS) + dt.timedelta(days=1))
    with engine.connect() as tx:
        total = tx.scalar(sa.select(billing_records.c.total).where(billing_records.c.tenant_id == tenant_with_bill))
        broken = list(find_violations(tx, INVARIANTS))

    assert lifetime_of(RetentionClass.BILLS) > dt.timedelta(days=7 * 365)
    assert (before[0][RetentionClass.BILLS], [line.email for line in kept]) == (0, [ada.email])
    assert after[0][RetentionClass.BILLS] == 1
    assert [(line.email, line.display_name) for line in lines(engine, tenant_with_bill)] == [
        ("removed@erased.invalid", "removed")
    ]
    assert again == (dict.fromkeys(RetentionClass, 0), 0)
    assert str(total) == "4.5000"
    assert broken == []


def test_under_a_legal_hold_only_stored_responses_expire(tenant_with_bill, engine, ada, clock):
    ada.start(7, key="kept")
    with engine.begin() as tx:
        hold = {"legal_hold_reason": "authorityOrder", "legal_hold_at": clock()}
        tx.execute(tenants.update().where(tenants.c.id == tenant_with_bill).values(**hold))
    record_statements, removed = remove(engine, tenant_with_bill, clock() + dt.timedelta(days=365 * 20))

    assert (record_statements, removed) == (dict.fromkeys(RetentionClass, 0) | {RetentionClass.ANSWERS: 1}, 1)
    assert [line.email for line in lines(engine, tenant_with_bill)] == [ada.email]


def test_a_closed_request_is_kept_for_three_years(ada, world, engine, clock):
    ben = world.member(ada)
    asked = ben.post("privacy/erasure", {"confirm": ben.email})
    ben.delete(f"privacy/erasure/{asked.body['id']}")
    with engine.connect() as tx:
        tenant_id = tx.scalar(sa.select(tenants.c.id).where(tenants.c.entra_tenant_id == uuid.UUID(ada.tid)))
    young = remove(engine, tenant_id, clock() + dt.timedelta(days=1094))
    old = remove(engine, tenant_id, clock() + dt.timedelta(days=1097))

    assert (young[0][RetentionClass.REQUESTS], old[0][RetentionClass.REQUESTS]) == (0, 1)
