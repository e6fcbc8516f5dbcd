import json
import os
import signal
import threading
import time
from dataclasses import replace
from functools import partial

import pytest
import sqlalchemy as sa

from devcloud import postgres
from privacy.retention import service
from privacy.retention.rules import RetentionClass
from shared import jobs
from shared.db.engine import make_engine
from shared.db.retry import RetryPolicy, for_jobs
from shared.db.row_level_security import ALL_TENANTS
from shared.db.schema import idempotency_keys, tenants
from shared.jobs import JobFailed, for_each_tenant, transact
from shared.log import get_logger
from tests.support.connection_loss import drop_connections, on_postgresql


def tenant_ids(engine):
    with engine.connect() as connection:
        return list(connection.scalars(sa.select(tenants.c.id).order_by(tenants.c.id)))


def keys(engine):
    with engine.connect() as connection:
        return set(connection.scalars(sa.select(idempotency_keys.c.idempotency_key)))


def test_one_tenants_failure_does_not_affect_the_others_and_fails_the_run(app, world, engine):
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
        for_each_tenant(app, "test", ids, work)
    with engine.connect() as connection:
        versions = [connection.scalar(sa.select(tenants.c.version).where(tenants.c.id == each)) for each in ids]

    assert done == [ids[0], ids[2]]
    assert versions == [2, 1, 2]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_tenants_run_in_parallel_unless_there_is_one_writer_and_each_once(app, workers):
    at_once = 1 if app.has_one_writer else workers
    together, done = threading.Barrier(at_once), []

    def work(tx, tenant_id):  # noqa: ARG001 - a turn without a statement
        if tenant_id < at_once:
            together.wait(20)  # passes only when all workers are under way
        if tenant_id == 7:
            raise ValueError("broken")
        done.append(tenant_id)
        return 2

    with pytest.raises(JobFailed, match="1 of 40 tenants failed"):
        for_each_tenant(app, "test", range(40), work, workers=workers)
    outcome = for_each_tenant(app, "test", range(8, 18), work, workers=workers)

    assert sorted(done[:39]) == [each for each in range(40) if each != 7]
    assert (outcome.tenants, outcome.changed, outcome.failed) == (10, 20, 0)


@pytest.mark.parametrize("whose", [0, 1])
@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_run_starts_no_further_tenant(app, engine, world, workers, whose):
    world.tenant()
    mine, turns, begun = tenant_ids(engine)[-1], [], threading.Barrier(1 if app.has_one_writer else workers)
    change = sa.update(tenants).where(tenants.c.id == mine).values(version=tenants.c.version + 1)

    def work(tx, tenant_id):
        turns.append(tenant_id)
        if tenant_id < begun.parties:
            begun.wait(20)  # each worker has one of the first
        if tenant_id == whose:
            tx.execute(change)
            raise KeyboardInterrupt
        time.sleep(0.001)
        return 0

    with pytest.raises(KeyboardInterrupt):
        for_each_tenant(app, "test", range(5_000), work, workers=workers)
    with engine.connect() as connection:
        version = connection.scalar(sa.select(tenants.c.version).where(tenants.c.id == mine))

    assert len(turns) < 2_500
    assert version == 1


@on_postgresql
def test_ctrl_c_ends_a_run_with_workers(app):
    turns = []

    def work(tx, tenant_id):  # noqa: ARG001 - a turn without a statement
        turns.append(tenant_id)
        if len(turns) == 20:
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.001)
        return 0

    with pytest.raises(KeyboardInterrupt):
        for_each_tenant(app, "test", range(5_000), work, workers=2)

    assert len(turns) < 2_500


@pytest.mark.parametrize("workers", [1, 2])
def test_an_unavailable_database_ends_a_run_after_some_tenants(app, monkeypatch, workers):
    def change_one(tx, tenant_id):  # noqa: ARG001 - never called: there is no connection
        return 1

    nobody = make_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    monkeypatch.setattr(jobs, "for_jobs", lambda: RetryPolicy(pauses=(0,), seconds=1))
    events = []
    monkeypatch.setattr(get_logger(), "error", lambda event, **_: events.append(event))
    with pytest.raises(JobFailed, match="300 of 300 tenants failed"):
        for_each_tenant(replace(app, engine=nobody), "test", range(300), change_one, workers=workers)
    nobody.dispose()

    assert set(events) == {"job_failed_for_tenant"}
    assert 5 <= len(events) <= 5 * workers  # the worker that gave up first leaves nothing to the other


@on_postgresql
def test_a_short_outage_of_the_server_fails_no_tenant(app):
    def select_one(tx, tenant_id):  # noqa: ARG001 - the same for each
        return tx.execute(sa.select(1)).scalar_one()

    with postgres.local_server() as server:
        server.crash()
        coming_back = threading.Timer(2, server.start)
        coming_back.start()
        engine = make_engine(server.url)
        outcome = for_each_tenant(replace(app, engine=engine), "test", range(3), select_one)
        engine.dispose()
        coming_back.join()  # it serves before its start is over, and a start that is cut short has failed

    assert (outcome.tenants, outcome.changed, outcome.failed) == (3, 3, 0)


def test_a_tenant_that_failed_is_named_by_its_row(app, caplog):
    def work(tx, tenant_id):  # noqa: ARG001 - a turn without a statement
        if tenant_id == 8:
            raise ValueError("broken")
        return 0

    with pytest.raises(JobFailed):
        for_each_tenant(app, "test", (7, 8, 9), work)
    [line] = [json.loads(each) for each in caplog.messages if "job_failed_for_tenant" in each]

    assert (line["ids"], line["errorType"]) == ([8], "ValueError")


def test_stored_responses_are_removed_after_48_hours_and_not_before(app, world, clock, engine):
    ada = world.tenant()
    ada.start(7, key="old")
    clock.tick(hours=1)
    ada.stop(key="young")
    clock.tick(hours=47, milliseconds=1)
    outcome, again = (
        for_each_tenant(
            *(app, "test", tenant_ids(engine)),
            partial(service.remove_batch, data_class=RetentionClass.ANSWERS, now=clock()),
            batches=True,
        )
        for _ in range(2)
    )

    assert outcome.changed >= 1
    assert again.changed == 0
    assert "young" in keys(engine)
    assert "old" not in keys(engine)


@on_postgresql
@pytest.mark.parametrize("times", [1, 2])
def test_a_transaction_with_a_lost_connection_is_repeated_as_a_whole(app, world, engine, app_engine, times):
    world.tenant()
    mine = tenant_ids(engine)[-1]
    change = sa.update(tenants).where(tenants.c.id == mine).values(version=tenants.c.version + 1)

    def work(tx):
        tx.execute(change)
        return tx.execute(change.returning(tenants.c.version)).scalar_one()

    with drop_connections(app_engine, engine, "UPDATE tenants", times=times) as statements:
        version = transact(app, mine, work)

    assert (version, len(statements)) == (3, times)


@on_postgresql
def test_transactions_of_a_run_share_one_retry_policy_while_the_database_is_away(app, app_engine, engine):
    retry = for_jobs()
    pauses: list[float] = []
    retry.sleep = pauses.append
    with drop_connections(app_engine, engine, "SELECT", times=99) as statements:
        for _ in range(3):
            with pytest.raises(sa.exc.DBAPIError):
                transact(app, ALL_TENANTS, lambda tx: tx.execute(sa.select(1)), retry=retry)

    assert len(pauses) == len(retry.pauses) - 1
    assert len(statements) >= len(retry.pauses) + 3
