"""Months are closed exactly once, by concurrent processes and by processes that are killed between any statements."""

import datetime as dt
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count

import pytest
import sqlalchemy as sa

from function_app import INVARIANTS
from shared.health.invariants import find_violations
from tests.faults import product
from tests.faults.children import Child, start_child
from tests.faults.closing_processes import NEVER
from tests.support import budget
from tests.support.paying_tenants import DIMENSION, PayingTenant, at


JAN, FEB = at("2026-01-01"), at("2026-02-01")
NOW = FEB + dt.timedelta(hours=1)
AFTER_COMMIT = -1  # the first COMMIT is the mark's
NOTHING = (0, 0, 0, 0, 0)
CLOSED = (1, 2, 1, 1, 1)  # record, lines, usage, audit, closed month


@dataclass(frozen=True)
class ClosingJobs:
    """Processes that run the hourly job."""

    child: Child

    def run(self, *points: int) -> list[int]:
        """Runs a process for each crash point, all at once; returns the exit codes."""
        self.child.send(NOW.isoformat(), *points)
        return [int(code) for code in self.child.receive().split()]


@pytest.fixture(scope="module")
def closing_jobs(app_database_url, entra, tmp_path_factory) -> Iterator[ClosingJobs]:
    settings = product.environment(app_database_url, entra, MARKETPLACE_METERING_DIMENSION=DIMENSION)
    with start_child(tmp_path_factory.mktemp("closers") / "log", settings, "tests.faults.closing_processes") as started:
        yield ClosingJobs(started)


def add_payer(engine: sa.Engine) -> PayingTenant:
    payer = PayingTenant.create(engine, people=2)
    payer.subscribe(JAN)
    for user in payer.people:
        payer.sign_in(user, JAN)
    return payer


def row_counts(payer: PayingTenant) -> tuple[int, ...]:
    rows = (payer.records(), payer.lines(), payer.usage(), payer.audit("bill.closed"), payer.closed_months())
    return tuple(len(each) for each in rows)


def violations(engine: sa.Engine) -> list[object]:
    with engine.connect() as connection:
        return list(find_violations(connection, INVARIANTS))


def test_four_processes_that_close_the_same_30_tenants_at_once_close_each_once(engine, closing_jobs):
    payers = [add_payer(engine) for _ in range(30)]
    ended = closing_jobs.run(*[NEVER] * 4)

    assert ended == [0] * 4
    assert [row_counts(each) for each in payers] == [CLOSED] * 30
    assert violations(engine) == []


def test_killed_before_any_statement_of_a_close_nothing_is_half_done_and_the_next_run_closes_once(engine, closing_jobs):
    found: list[tuple[int, ...]] = []
    for point in count(1):
        payer = add_payer(engine)
        [code] = closing_jobs.run(point)
        found.append(row_counts(payer))
        if code == 0:
            break
        resumed = closing_jobs.run(NEVER)

        assert (code, resumed, row_counts(payer)) == (-signal.SIGKILL, [0], CLOSED), point

    assert found.count(NOTHING) > (13 if budget.ALL else 7)
    assert found == [NOTHING] * found.count(NOTHING) + [CLOSED] * found.count(CLOSED)  # then it only reads
    assert violations(engine) == []


def test_killed_after_the_commit_of_a_close_the_next_run_has_nothing_to_do(engine, closing_jobs):
    payer = add_payer(engine)
    killed = closing_jobs.run(AFTER_COMMIT)
    left = row_counts(payer)
    resumed = closing_jobs.run(NEVER)

    assert (killed, left) == ([-signal.SIGKILL], CLOSED)
    assert (resumed, row_counts(payer)) == ([0], CLOSED)


def test_a_killed_run_and_a_concurrent_one_close_each_tenant_once(engine, closing_jobs):
    payers = [add_payer(engine) for _ in range(20)]
    ended = closing_jobs.run(60, NEVER)

    assert ended[1] == 0
    assert [row_counts(each) for each in payers] == [CLOSED] * 20
    assert violations(engine) == []


def test_cancellations_and_the_job_at_once_bill_each_month_once(engine, closing_jobs):
    payers = [add_payer(engine) for _ in range(20)]
    subscriptions = [payer.live_subscription() for payer in payers]
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(closing_jobs.run, NEVER, NEVER)
        for payer, subscription in zip(payers, subscriptions, strict=True):
            payer.end_subscription(subscription, NOW)
        ended = job.result(timeout=100)

    assert ended == [0, 0]
    for payer in payers:
        assert [(row.month_key, row.kind) for row in payer.records()] == [(202601, "month"), (202602, "final")]
    assert violations(engine) == []
