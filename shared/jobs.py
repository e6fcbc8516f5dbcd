"""Runs what no person waits for: a transaction that outlives a fault, and a job over tenants, one after the other."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa

from shared.app import App
from shared.db.retry import Patience, of_a_job
from shared.log import get_logger, where


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """`changed` adds up what the work says it changed."""

    tenants: int
    changed: int
    failed: int


class JobFailed(Exception):
    """Some tenants failed; the others are done. The run counts as failed, so that somebody looks."""


def transact(
    app: App,
    tenant: int,
    work: Callable[[sa.Connection], T],
    *,
    reads_only: bool = False,
    patience: Patience | None = None,
) -> T:
    """One transaction about a tenant, or EVERY_TENANT, and again after a fault of the database that passes.

    The work must be idempotent: whether a COMMIT was done whose answer is lost, nobody knows. A patience may be shared.
    """

    def once() -> T:
        with app.transaction(reads_only=reads_only, tenant=tenant) as tx:
            return work(tx)

    return (patience or of_a_job()).run(once)


def each_tenant(app: App, name: str, tenant_ids: Iterable[int], work: Callable[[sa.Connection, int], int]) -> Outcome:
    """Calls `work` for every tenant in a transaction of its own, again after a fault of the database that passes.

    All tenants of a run share one patience, so that a database that is away ends the run within about a minute.

    Raises:
        JobFailed: after all tenants have had their turn, when any failed.
    """
    tenants = changed = failed = 0
    patience = of_a_job()

    for tenant_id in tenant_ids:
        tenants += 1
        try:
            changed += transact(app, tenant_id, lambda tx, whose=tenant_id: work(tx, whose), patience=patience)  # type: ignore[misc]
        except Exception as error:  # noqa: BLE001 - one tenant's failure must not reach the others
            failed += 1
            get_logger().error("job_failed_for_tenant", function=name, **where(error))
    get_logger().info("job_done", function=name, count=changed, failed=failed)
    if failed:
        raise JobFailed(f"{name}: {failed} of {tenants} tenants failed")
    return Outcome(tenants, changed, failed)
