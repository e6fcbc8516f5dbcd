"""Transactions with retries, and jobs that process each tenant on its own."""

import datetime as dt
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final, Protocol, TypeVar

import sqlalchemy as sa

from shared.app import App
from shared.db.engine import is_transient
from shared.db.retry import RetryPolicy, for_jobs
from shared.log import exception_fields, get_logger
from shared.tenancy.store import lock_tenant, read_tenant
from shared.work import SERVICE, Actor, NewId, Work


T = TypeVar("T")
_MAX_OUTAGES: Final = 5  # consecutive tenants whose retries all failed because the database is unavailable


class TenantWork(Protocol):
    """The work of a job for one tenant, in one transaction; returns the number of changes."""

    def __call__(self, tx: sa.Connection, /, tenant_id: int) -> int: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """The counts of a run; `changed` is the sum of the results of the work."""

    tenants: int = 0
    changed: int = 0
    failed: int = 0

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(self.tenants + other.tenants, self.changed + other.changed, self.failed + other.failed)


class JobFailed(Exception):
    """Some tenants failed and the others are done. The run counts as failed, which raises an alarm."""


def transact(
    app: App,
    tenant: int,
    work: Callable[[sa.Connection], T],
    *,
    reads_only: bool = False,
    retry: RetryPolicy | None = None,
) -> T:
    """One transaction for a tenant, or ALL_TENANTS, repeated after a transient database error.

    The work must be idempotent: when the response to a COMMIT is lost, it may have been committed. Several calls may
    share a retry policy.
    """

    def once() -> T:
        with app.transaction(reads_only=reads_only, tenant=tenant) as tx:
            return work(tx)

    return (retry or for_jobs()).run(once)


def in_batches(
    app: App, tenant: int, batch: Callable[[sa.Connection], int], *, retry: RetryPolicy | None = None
) -> int:
    """Calls `batch`, each time in a transaction of its own, until it changes nothing; returns the sum of the changes.

    This keeps each statement within its time limit and each lock short, whatever the amount of work. When a batch
    fails, the earlier ones remain committed.
    """
    done, retry = 0, retry or for_jobs()
    while changed := transact(app, tenant, batch, retry=retry):
        done += changed
    return done


def for_each_tenant(
    app: App,
    name: str,
    tenant_ids: Iterable[int],
    work: TenantWork,
    *,
    workers: int = 1,
    batches: bool = False,
) -> Outcome:
    """Calls `work` for every tenant in a transaction of its own, with retries after transient database errors.

    With `batches` it is called until it changes nothing, as in `in_batches`.

    With more than one worker, tenants are processed in parallel and `work` runs in several threads; a database with a
    single writer always gets one worker. All tenants of a worker share one retry policy. When it is used up and
    several consecutive tenants find the database unavailable, the remaining tenants count as failed without an attempt.

    Raises:
        JobFailed: at the end, when any tenant failed.
    """
    pending: SimpleQueue[int] = SimpleQueue()
    for tenant_id in tenant_ids:
        pending.put(tenant_id)
    worker = partial(_run_worker, app, name, pending, work, in_batches if batches else transact)
    outcomes = [worker()] if workers == 1 or app.has_one_writer else _run_in_parallel(worker, workers, pending)
    total = sum(outcomes, Outcome())
    get_logger().info("job_done", function=name, count=total.changed, failed=total.failed)
    if total.failed:
        raise JobFailed(f"{name}: {total.failed} of {total.tenants} tenants failed")
    return total


def job_work(
    app: App,
    tx: sa.Connection,
    tenant_id: int,
    now: dt.datetime | None = None,
    *,
    actor: Actor = SERVICE,
    locks_tenant: bool = False,
) -> Work:
    """The Work of a job's transaction about a tenant. Without `now`, its time is read after the tenant."""
    read_now = app.now if now is None else lambda: now
    return load_work(tx, tenant_id, actor, now=read_now, new_id=app.new_id, locks_tenant=locks_tenant)


def load_work(
    tx: sa.Connection,
    tenant_id: int,
    actor: Actor,
    *,
    now: Callable[[], dt.datetime],
    new_id: NewId,
    locks_tenant: bool,
) -> Work:
    """The Work of a transaction. The tenant is read first; a locked one stays as it is until the transaction ends."""
    load = lock_tenant if locks_tenant else read_tenant
    return Work(tx, load(tx, tenant_id), actor, now(), new_id)


def _run_worker(app: App, name: str, pending: SimpleQueue[int], work: TenantWork, run: Callable[..., int]) -> Outcome:
    """Takes one tenant after the other until none is pending."""
    outcome, outages = Outcome(), 0
    retry = for_jobs()
    while outages < _MAX_OUTAGES and (tenant_id := _next(pending)) is not None:
        try:
            changed = run(app, tenant_id, partial(work, tenant_id=tenant_id), retry=retry)
        except Exception as error:  # noqa: BLE001 - one tenant's failure must not affect the others
            outcome += Outcome(tenants=1, failed=1)
            outages = outages + 1 if is_transient(error) else 0
            get_logger().error("job_failed_for_tenant", function=name, ids=[tenant_id], **exception_fields(error))
        else:
            outcome += Outcome(tenants=1, changed=changed)
            outages = 0
    skipped = _drain(pending) if outages == _MAX_OUTAGES else 0
    return outcome + Outcome(tenants=skipped, failed=skipped)


def _next(pending: SimpleQueue[int]) -> int | None:
    try:
        return pending.get_nowait()
    except Empty:
        return None


def _drain(pending: SimpleQueue[int]) -> int:
    """Empties the queue, which stops the workers; returns the number of tenants that were pending."""
    count = 0
    while _next(pending) is not None:
        count += 1
    return count


def _run_in_parallel(worker: Callable[[], T], workers: int, pending: SimpleQueue[int]) -> list[T]:
    """Runs the worker in several threads; an interrupt waits only for the transactions in progress."""
    with ThreadPoolExecutor(workers) as pool:
        running = [pool.submit(copy_context().run, worker) for _ in range(workers)]
        try:
            wait(running, return_when=FIRST_EXCEPTION)
        finally:
            _drain(pending)  # empty unless a worker raised or the run was interrupted
    return [each.result() for each in running]
