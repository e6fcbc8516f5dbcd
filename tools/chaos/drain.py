"""Completes pending work after the faults, by requests of users and by scheduled jobs."""

import datetime as dt
import math
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import sqlalchemy as sa

from billing.closing.jobs import close_all_ended
from billing.metering.jobs import send_all
from billing.trials.jobs import end_all_trials
from function_app import INVARIANTS
from shared import clock
from shared.app import App, build
from shared.db.schema import timer_log, usage_events, users, write_back_changes, write_back_items
from shared.health.jobs import InvariantsViolated, check_all
from shared.jobs import JobFailed
from shared.settings import Settings
from timers.forgotten.jobs import stop_all_forgotten
from tools.chaos.clients.fleet import Fleet
from tools.chaos.clients.history import Outcome
from tools.chaos.clients.person import Person
from tools.chaos.cloud.cloud import Cloud
from webhooks.events.jobs import reconcile_all


CLOCK_ADVANCE_SECONDS: Final = 240.0  # the claims of killed processes have expired
MAX_ROUNDS: Final = 6
_WAIT_SECONDS: Final = 60.0
_PENDING_WRITE_BACKS: Final = (
    sa.select(users.c.entra_object_id.label("oid"), write_back_changes.c.entry_id)
    .join(
        timer_log,
        sa.and_(
            timer_log.c.tenant_id == write_back_changes.c.tenant_id,
            timer_log.c.timer_id == write_back_changes.c.entry_id,
            timer_log.c.event.in_(("stopped", "entered")),
        ),
    )
    .join(users, sa.and_(users.c.tenant_id == timer_log.c.tenant_id, users.c.id == timer_log.c.user_id))
    .outerjoin(
        write_back_items,
        sa.and_(
            write_back_items.c.tenant_id == write_back_changes.c.tenant_id,
            write_back_items.c.organization_id == write_back_changes.c.organization_id,
            write_back_items.c.work_item_id == write_back_changes.c.work_item_id,
        ),
    )
    .where(
        sa.or_(
            write_back_changes.c.batch.is_(None),
            write_back_changes.c.batch > sa.func.coalesce(write_back_items.c.settled_batch, 0),
        )
    )
    .distinct()
)
_JOBS: Final[Mapping[str, Callable[[App], object]]] = {
    "end_trials": end_all_trials,
    "stop_forgotten_timers": stop_all_forgotten,
    "reconcile_subscriptions": reconcile_all,
    "close_months": close_all_ended,
    "send_usage": send_all,
    "check_invariants": partial(check_all, invariants=INVARIANTS),
}


@dataclass
class FinalState:
    """The total of each directory by the product's report, and the jobs that still fail."""

    began_at: dt.datetime
    totals: dict[str, int | None] = field(default_factory=dict)
    failed_jobs: list[str] = field(default_factory=list)


def drain(cloud: Cloud, fleet: Fleet, app: App) -> FinalState:
    """Completes pending work; the clocks of the workers are minutes ahead."""
    began_at = clock.now()
    for each in cloud.workers:
        each.clocks.set_offset(CLOCK_ADVANCE_SECONDS)
    _wait_for_webhooks(cloud)
    _analyze(app.engine)
    _repeat_write_backs(fleet, app.engine)
    failed_jobs = _run_jobs(app)
    return FinalState(began_at, {each.history.tid: _load_reported_total(each) for each in _admins(fleet)}, failed_jobs)


@contextmanager
def build_later_app(cloud: Cloud) -> Iterator[App]:
    """The product's App with a direct database connection and the clock of the workers."""
    settings = Settings.from_env({**cloud.environment, "DATABASE_URL": cloud.database.direct_url})
    app = build(settings, now=lambda: clock.now() + dt.timedelta(seconds=CLOCK_ADVANCE_SECONDS))
    try:
        yield app
    finally:
        app.close()
        app.engine.dispose()


def _wait_for_webhooks(cloud: Cloud) -> None:
    """Waits until all webhooks are delivered and all changes are accepted."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < deadline:
        if not cloud.marketplace.delivery.busy() and not _has_open_changes(cloud):
            return
        time.sleep(0.1)


def _has_open_changes(cloud: Cloud) -> bool:
    """Whether the Marketplace has changes that it accepts after a time."""
    with cloud.marketplace.operations.reading() as state:
        return any(each.status == "InProgress" and each.due < math.inf for each in state.operations.values())


def _analyze(engine: sa.Engine) -> None:
    """Updates the statistics; a crash of PostgreSQL loses the state of its own analyze."""
    if engine.dialect.name == "postgresql":
        with engine.begin() as tx:
            tx.exec_driver_sql("ANALYZE")


def _repeat_write_backs(fleet: Fleet, engine: sa.Engine) -> None:
    """Users request the pending write-backs."""
    by_oid = {each.history.oid: each for each in fleet.people}
    for _ in range(MAX_ROUNDS):
        with engine.connect().execution_options(reads_only=True) as tx:
            pending = [
                (str(row.oid), str(row.entry_id)) for row in tx.execute(_PENDING_WRITE_BACKS) if str(row.oid) in by_oid
            ]
        if not pending:
            return
        by_person: dict[str, list[str]] = {}
        for oid, entry in pending:
            by_person.setdefault(oid, []).append(entry)
        with ThreadPoolExecutor(len(by_person)) as pool:
            list(pool.map(lambda pair: _request_write_backs(by_oid[pair[0]], pair[1]), by_person.items()))


def _request_write_backs(person: Person, entries: list[str]) -> None:
    for entry in entries:
        person.request("write-back", "POST", f"entries/{entry}/write-back", {})


def _run_jobs(app: App) -> list[str]:
    """Runs the jobs until nothing is pending; the names of those that failed in the last round."""
    failed_jobs = list(_JOBS)
    for _ in range(MAX_ROUNDS):
        failed_jobs = [name for name, job in _JOBS.items() if not _run_job(job, app)]
        if not failed_jobs and not _has_pending_usage(app.engine):
            break
    return failed_jobs


def _run_job(job: Callable[[App], object], app: App) -> bool:
    try:
        job(app)
    except (JobFailed, InvariantsViolated):
        return False
    return True


def _has_pending_usage(engine: sa.Engine) -> bool:
    with engine.connect().execution_options(reads_only=True) as tx:
        query = sa.select(sa.func.count()).where(usage_events.c.state.in_(("pending", "held")))
        return bool(tx.execute(query).scalar_one())


def _admins(fleet: Fleet) -> list[Person]:
    """The super admin of each directory."""
    return list({each.history.tid: each for each in reversed(fleet.people)}.values())


def _load_reported_total(admin: Person) -> int | None:
    """The milliseconds of all people in the product's report."""
    today = clock.now().date()
    first, last = today - dt.timedelta(days=60), today + dt.timedelta(days=2)
    for _ in range(MAX_ROUNDS):
        operation = admin.request("report", "GET", f"reports/summary?from={first}&to={last}&groupBy=project")
        if operation.outcome is Outcome.ACKNOWLEDGED and operation.answer is not None:
            return int(operation.answer["totalMs"])
    return None
