"""Runs what no person waits for: a transaction that outlives a fault, and a job over tenants, each by itself."""

import datetime as dt
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final, TypeVar

import sqlalchemy as sa

from shared.app import App
from shared.db.engine import passes
from shared.db.retry import Patience, of_a_job
from shared.log import get_logger, where
from shared.tenancy.store import read_tenant
from shared.work import SERVICE, Work


T = TypeVar("T")
_AWAY: Final = 5  # tenants in a row that meet a database which is away, beyond all patience


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


def in_batches(app: App, tenant: int, some: Callable[[sa.Connection], int], *, patience: Patience | None = None) -> int:
    """Calls `some` until it finds nothing more to do, each time in a transaction of its own; what it did, added up.

    So no statement outlasts its limit and no lock is held for long, however much there is; what a batch has done stays
    done when the next one fails.
    """
    done, patience = 0, patience or of_a_job()
    while found := transact(app, tenant, some, patience=patience):
        done += found
    return done


def each_tenant(
    app: App,
    name: str,
    tenant_ids: Iterable[int],
    work: Callable[[sa.Connection, int], int],
    *,
    lanes: int = 1,
    batches: bool = False,
) -> Outcome:
    """Calls `work` for every tenant in a transaction of its own, again after a fault of the database that passes.

    With `batches` it is called until it finds nothing more to do, as `in_batches` does.

    With more than one lane so many tenants have their turn at the same time, and `work` runs in several threads; where
    there is one writer one lane is all that helps. All tenants of a lane share one patience. When it is used up and
    several tenants in a row meet a database that is away, the others of the run count as failed without their turn.

    Raises:
        JobFailed: in the end, when any failed.
    """
    waiting: SimpleQueue[int] = SimpleQueue()
    for tenant_id in tenant_ids:
        waiting.put(tenant_id)
    lane = partial(_lane, app, name, waiting, work, in_batches if batches else transact)
    outcomes = [lane()] if lanes == 1 or app.has_one_writer else _side_by_side(lane, lanes, waiting)
    tenants, changed, failed = (sum(each) for each in zip(*outcomes, strict=True))
    get_logger().info("job_done", function=name, count=changed, failed=failed)
    if failed:
        raise JobFailed(f"{name}: {failed} of {tenants} tenants failed")
    return Outcome(tenants, changed, failed)


def job_work(app: App, tx: sa.Connection, tenant_id: int, now: dt.datetime) -> Work:
    """The Work of a job's transaction about a tenant, which is read for it."""
    return Work(tx, read_tenant(tx, tenant_id), SERVICE, now, app.new_id)


def _lane(
    app: App, name: str, waiting: SimpleQueue[int], work: Callable[[sa.Connection, int], int], run: Callable[..., int]
) -> tuple[int, int, int]:
    """One tenant after the other until nobody waits; how many there were, what was changed, and how many failed."""
    tenants = changed = failed = away = 0
    patience = of_a_job()
    while away < _AWAY and (tenant_id := _next(waiting)) is not None:
        tenants += 1
        try:
            changed += run(app, tenant_id, lambda tx, whose=tenant_id: work(tx, whose), patience=patience)
        except Exception as error:  # noqa: BLE001 - one tenant's failure must not reach the others
            failed += 1
            away = away + 1 if passes(error) else 0
            get_logger().error("job_failed_for_tenant", function=name, ids=[tenant_id], **where(error))
        else:
            away = 0
    left = _drain(waiting) if away == _AWAY else 0
    return tenants + left, changed, failed + left


def _next(waiting: SimpleQueue[int]) -> int | None:
    try:
        return waiting.get_nowait()
    except Empty:
        return None


def _drain(waiting: SimpleQueue[int]) -> int:
    """Nobody has a turn any more; how many waited."""
    left = 0
    while _next(waiting) is not None:
        left += 1
    return left


def _side_by_side(lane: Callable[[], T], lanes: int, waiting: SimpleQueue[int]) -> list[T]:
    """Runs so many lanes; whoever interrupts waits for the transactions that are under way, and for no more."""
    with ThreadPoolExecutor(lanes) as pool:
        running = [pool.submit(copy_context().run, lane) for _ in range(lanes)]
        try:
            wait(running, return_when=FIRST_EXCEPTION)
        finally:
            _drain(waiting)  # when all went well there is nobody
    return [each.result() for each in running]
