"""A purchase at the end of a trial, through different processes, leaves an active tenant."""

import uuid
from functools import partial

import pytest
import sqlalchemy as sa

from shared import clock
from shared.db.schema import audit_log, tenants
from tests.faults import product
from tests.faults.acknowledged_time import violations
from tests.support.commands import Ops, wait_for_result


JOB = "/admin/functions/end_trials"
ROUNDS = 3


@pytest.fixture
def trial_slugs(two_hosts, entra, engine):
    """The slugs of tenants whose trial has ended, before the job."""
    people = [product.admin(entra, two_hosts[0]) for _ in range(ROUNDS)]
    tids = [uuid.UUID(person.tid) for person in people]
    with engine.begin() as tx:
        theirs = tenants.c.entra_tenant_id.in_(tids)
        tx.execute(tenants.update().where(theirs).values(trial_ends_at=clock.now()))
        return list(tx.scalars(sa.select(tenants.c.slug).where(theirs)))


def run_job(base):
    return product.connect(base).send("POST", base + JOB, {}).status


def buy(database_url, slug):
    terms = ("paid", "--rate", "4.50", "--currency", "EUR")
    return wait_for_result(Ops(database_url).start("tenants", "set-plan", slug, *terms, "--yes")).code


def test_a_purchase_while_two_processes_end_the_trial_leaves_a_paying_tenant(
    two_hosts, crowd, engine, database_url, trial_slugs
):
    jobs = [partial(run_job, two_hosts[n % 2]) for n in range(8)]
    answers = crowd.at_once([*(partial(buy, database_url, slug) for slug in trial_slugs), *jobs])
    with engine.connect() as connection:
        of_them = tenants.c.slug.in_(trial_slugs)
        states = connection.execute(sa.select(tenants.c.plan_kind, tenants.c.status).where(of_them)).all()
        ends = connection.execute(
            sa.select(audit_log.c.tenant_id, sa.func.count())
            .join(tenants, tenants.c.id == audit_log.c.tenant_id)
            .where(of_them, audit_log.c.action == "trial.expired")
            .group_by(audit_log.c.tenant_id)
        ).all()

    assert answers == [*([0] * ROUNDS), *([202] * len(jobs))]
    assert states == [("paid", "active")] * ROUNDS
    assert all(count == 1 for _, count in ends)
    assert violations(engine) == []
