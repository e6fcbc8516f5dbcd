import threading

import pytest
import sqlalchemy as sa

from privacy import service
from shared.db.retry import of_a_job
from shared.db.schema import idempotency_keys, tenants
from shared.db.wall import EVERY_TENANT
from shared.jobs import JobFailed, each_tenant, transact
from tests.support.cutting import cutting, on_postgresql


def tenant_ids(engine):
    with engine.connect() as connection:
        return list(connection.scalars(sa.select(tenants.c.id).order_by(tenants.c.id)))


def keys(engine):
    with engine.connect() as connection:
        return set(connection.scalars(sa.select(idempotency_keys.c.idempotency_key)))


def test_one_tenants_failure_is_kept_from_the_others_and_told_at_the_end(app, world, engine):
    for _ in range(3):
        world.tenant()
    ids = tenant_ids(engine)[-3:]
    done = []

    def work(tx, tenant_id):
        tx.execute(sa.update(tenants).where(tenants.c.id == tenant_id).values(version=tenants.c.version + 1))
        if tenant_id == ids[1]:
            raise ValueError("broken")
        done.append(tenant_id)
        return 1

    with pytest.raises(JobFailed, match="1 of 3 tenants failed"):
        each_tenant(app, "test", ids, work)
    with engine.connect() as connection:
        versions = [connection.scalar(sa.select(tenants.c.version).where(tenants.c.id == each)) for each in ids]

    assert done == [ids[0], ids[2]]
    assert versions == [2, 1, 2]


@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_tenants_have_their_turn_side_by_side_where_writers_can_each_once_and_alone(app, lanes):
    at_once = 1 if app.has_one_writer else lanes
    together, done = threading.Barrier(at_once), []

    def work(tx, tenant_id):  # noqa: ARG001 - a turn without a statement
        if tenant_id < at_once:
            together.wait(20)  # passes only when all lanes are under way
        if tenant_id == 7:
            raise ValueError("broken")
        done.append(tenant_id)
        return 2

    with pytest.raises(JobFailed, match="1 of 40 tenants failed"):
        each_tenant(app, "test", range(40), work, lanes=lanes)
    outcome = each_tenant(app, "test", range(8, 18), work, lanes=lanes)

    assert sorted(done[:39]) == [each for each in range(40) if each != 7]
    assert (outcome.tenants, outcome.changed, outcome.failed) == (10, 20, 0)


@pytest.mark.parametrize("lanes", [1, 2])
def test_a_run_that_is_interrupted_begins_with_no_further_tenant(app, engine, world, lanes):
    world.tenant()
    mine, turns = tenant_ids(engine)[-1], []
    change = sa.update(tenants).where(tenants.c.id == mine).values(version=tenants.c.version + 1)

    def work(tx, tenant_id):
        turns.append(tenant_id)
        if tenant_id == 0:
            tx.execute(change)
            raise KeyboardInterrupt
        return 0

    with pytest.raises(KeyboardInterrupt):
        each_tenant(app, "test", range(100_000), work, lanes=lanes)
    with engine.connect() as connection:
        version = connection.scalar(sa.select(tenants.c.version).where(tenants.c.id == mine))

    assert len(turns) < 50_000
    assert version == 1


def test_stored_answers_are_removed_after_48_hours_and_not_before(app, world, clock, engine):
    ada = world.tenant()
    ada.start(7, key="old")
    clock.tick(hours=1)
    ada.stop(key="young")
    clock.tick(hours=47, milliseconds=1)
    outcome = each_tenant(
        app, "test", tenant_ids(engine), lambda tx, each: service.remove_expired(tx, each, now=clock())
    )
    again = each_tenant(app, "test", tenant_ids(engine), lambda tx, each: service.remove_expired(tx, each, now=clock()))

    assert outcome.changed >= 1
    assert again.changed == 0
    assert "young" in keys(engine)
    assert "old" not in keys(engine)


@on_postgresql
@pytest.mark.parametrize("times", [1, 2])
def test_a_transaction_whose_line_is_cut_is_run_again_as_a_whole(app, world, engine, app_engine, times):
    world.tenant()
    mine = tenant_ids(engine)[-1]
    change = sa.update(tenants).where(tenants.c.id == mine).values(version=tenants.c.version + 1)

    def work(tx):
        tx.execute(change)
        return tx.execute(change.returning(tenants.c.version)).scalar_one()

    with cutting(app_engine, engine, "UPDATE tenants", times=times) as met:
        version = transact(app, mine, work)

    assert (version, len(met)) == (3, times)


@on_postgresql
def test_a_database_that_stays_away_ends_a_run_of_many_transactions_at_one_patience(app, app_engine, engine):
    patience = of_a_job()
    pauses: list[float] = []
    patience.sleep = pauses.append
    with cutting(app_engine, engine, "SELECT", times=99) as met:
        for _ in range(3):
            with pytest.raises(sa.exc.DBAPIError):
                transact(app, EVERY_TENANT, lambda tx: tx.execute(sa.select(1)), patience=patience)

    assert len(pauses) == len(patience.pauses) - 1
    assert len(met) >= len(patience.pauses) + 3
