"""The table of what is kept how long, and the job that follows it."""

import datetime as dt
import uuid

import pytest
import sqlalchemy as sa

from privacy import service
from privacy.rules_catalogue import CATALOGUE
from privacy.rules_retention import RETENTION, Kept, period
from privacy.store import BATCH
from shared.db.schema import billing_lines, billing_records, idempotency_keys, tenants, users
from shared.invariants import violations
from tests.support.a_bill import AT, close_a_month


_REMOVED = ("removed@erased.invalid", "removed")


@pytest.fixture
def ada(world):
    return world.tenant()


@pytest.fixture
def billed(ada, engine):
    """A tenant whose October 2026 was billed on the first of November: its row, and its person's."""
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
        counted = service.expired(tx, tenant_id, now=now)
        return counted, service.remove_expired(tx, tenant_id, now=now)


def test_every_table_has_a_class_and_only_one():
    listed = [name for each in RETENTION for name in each.tables]

    assert sorted(listed) == sorted(CATALOGUE)


def test_every_class_that_goes_by_itself_has_a_period():
    assert {each.kept for each in RETENTION if each.kept is not None} == set(Kept)
    assert all((each.kept is None) == (each.after is None) for each in RETENTION)


def test_many_answers_go_in_batches(billed, engine, ada, clock, counted):
    row = {
        "tenant_id": billed,
        "operation": "start_timer",
        "fingerprint": "f",
        "status": 200,
        "headers": {},
        "body": "",
    }
    with engine.begin() as tx:
        user_id = tx.scalar(sa.select(users.c.id).where(users.c.tenant_id == billed))
        old = [
            {**row, "user_id": user_id, "idempotency_key": f"old-{number}", "created_at": clock()}
            for number in range(2 * BATCH)
        ]
        tx.execute(idempotency_keys.insert(), old)
    clock.tick(hours=1)
    ada.start(7, key="young")
    with counted() as sent:
        _, removed = remove(engine, billed, clock() + period(Kept.ANSWERS) - dt.timedelta(minutes=1))
    with engine.connect() as tx:
        left = tx.scalars(sa.select(idempotency_keys.c.idempotency_key).where(idempotency_keys.c.tenant_id == billed))

        assert left.all() == ["young"]
    assert removed == 2 * BATCH
    assert len([text for text in sent if text.startswith("DELETE FROM idempotency_keys")]) == 3


def test_the_names_on_a_bill_go_after_seven_years_and_its_sums_stay(billed, engine, ada):
    closed = AT + dt.timedelta(days=31)
    before = remove(engine, billed, closed + period(Kept.BILLS))
    kept = lines(engine, billed)
    after = remove(engine, billed, closed + period(Kept.BILLS) + dt.timedelta(milliseconds=1))
    again = remove(engine, billed, closed + period(Kept.BILLS) + dt.timedelta(days=1))
    with engine.connect() as tx:
        total = tx.scalar(sa.select(billing_records.c.total).where(billing_records.c.tenant_id == billed))
        broken = list(violations(tx))

    assert period(Kept.BILLS) > dt.timedelta(days=7 * 365)
    assert (before[0][Kept.BILLS], [line.email for line in kept]) == (0, [ada.email])
    assert after[0][Kept.BILLS] == 1
    assert [(line.email, line.display_name) for line in lines(engine, billed)] == [
        ("removed@erased.invalid", "removed")
    ]
    assert again == (dict.fromkeys(Kept, 0), 0)
    assert str(total) == "4.5000"
    assert broken == []


def test_under_a_legal_hold_nothing_expires_but_stored_answers(billed, engine, ada, clock):
    ada.start(7, key="kept")
    with engine.begin() as tx:
        hold = {"legal_hold_reason": "authorityOrder", "legal_hold_at": clock()}
        tx.execute(tenants.update().where(tenants.c.id == billed).values(**hold))
    counted, removed = remove(engine, billed, clock() + dt.timedelta(days=365 * 20))

    assert (counted, removed) == ({Kept.ANSWERS: 1}, 1)
    assert [line.email for line in lines(engine, billed)] == [ada.email]


def test_a_request_is_proof_for_three_years(ada, world, engine, clock):
    ben = world.member(ada)
    asked = ben.post("privacy/erasure", {"confirm": ben.email})
    ben.delete(f"privacy/erasure/{asked.body['id']}")
    with engine.connect() as tx:
        tenant_id = tx.scalar(sa.select(tenants.c.id).where(tenants.c.entra_tenant_id == uuid.UUID(ada.tid)))
    young = remove(engine, tenant_id, clock() + dt.timedelta(days=1094))
    old = remove(engine, tenant_id, clock() + dt.timedelta(days=1097))

    assert (young[0][Kept.REQUESTS], old[0][Kept.REQUESTS]) == (0, 1)
