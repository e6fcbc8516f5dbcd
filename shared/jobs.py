"""Runs a job over tenants: each in its own transaction, one's failure kept from the others, and told at the end."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa

from shared.app import App
from shared.db.retry import of_a_job
from shared.log import get_logger, where


@dataclass(frozen=True, slots=True)
class Outcome:
    """`changed` adds up what the work says it changed."""

    tenants: int
    changed: int
    failed: int


class JobFailed(Exception):
    """Some tenants failed; the others are done. The run counts as failed, so that somebody looks."""


def each_tenant(app: App, name: str, tenant_ids: Iterable[int], work: Callable[[sa.Connection, int], int]) -> Outcome:
    """Calls `work` for every tenant in a transaction of its own, again after a fault of the database that passes.

    All tenants of a run share one patience, so that a database that is away ends the run within about a minute.

    Raises:
        JobFailed: after all tenants have had their turn, when any failed.
    """
    tenants = changed = failed = 0
    patience = of_a_job()

    def once(tenant_id: int) -> int:
        with app.transaction(tenant=tenant_id) as tx:
            return work(tx, tenant_id)

    for tenant_id in tenant_ids:
        tenants += 1
        try:
            changed += patience.run(partial(once, tenant_id))
        except Exception as error:  # noqa: BLE001 - one tenant's failure must not reach the others
            failed += 1
            get_logger().error("job_failed_for_tenant", function=name, **where(error))
    get_logger().info("job_done", function=name, count=changed, failed=failed)
    if failed:
        raise JobFailed(f"{name}: {failed} of {tenants} tenants failed")
    return Outcome(tenants, changed, failed)
