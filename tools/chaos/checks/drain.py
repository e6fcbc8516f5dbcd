"""After the trouble: what is still owed is carried out, as people and the schedule would, until nothing is."""

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

from billing.closing.jobs import close_all_owed
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


LATER_SECONDS: Final = 240.0  # claims of those who were killed have run out by then
ROUNDS: Final = 6
_PATIENCE_SECONDS: Final = 60.0
_OWED: Final = (
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
    "close_months": close_all_owed,
    "send_usage": send_all,
    "check_invariants": partial(check_all, invariants=INVARIANTS),
}


@dataclass
class Settled:
    """What the product says of each directory over its API when all has come to rest, by the directory's id."""

    began_at: dt.datetime
    totals: dict[str, int | None] = field(default_factory=dict)
    failed_jobs: list[str] = field(default_factory=list)


def settle(cloud: Cloud, fleet: Fleet, app: App) -> Settled:
    """Everything owed is paid as far as it can be, minutes later by the workers' clocks and the App's."""
    began_at = clock.now()
    for each in cloud.workers:
        each.clocks.set_off(LATER_SECONDS)
    _heard(cloud)
    _analyze(app.engine)
    _write_back(fleet, app.engine)
    failed = _run_jobs(app)
    return Settled(began_at, {each.history.tid: _total(each) for each in _admins(fleet)}, failed)


@contextmanager
def minutes_later(cloud: Cloud) -> Iterator[App]:
    """The product's own App on the database past all trouble, with the clock that `settle` gives to the workers."""
    settings = Settings.from_env({**cloud.environment, "DATABASE_URL": cloud.database.own_url})
    app = build(settings, now=lambda: clock.now() + dt.timedelta(seconds=LATER_SECONDS))
    try:
        yield app
    finally:
        app.close()
        app.engine.dispose()


def _heard(cloud: Cloud) -> None:
    """Waits until every webhook was heard, and what it told is in force: until then Microsoft has the old value."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if not cloud.marketplace.delivery.busy() and not _changes(cloud):
            return
        time.sleep(0.1)


def _changes(cloud: Cloud) -> bool:
    """Whether anything is under way that the Marketplace accepts by itself in a while."""
    with cloud.marketplace.operations.looking() as state:
        return any(each.status == "InProgress" and each.due < math.inf for each in state.operations.values())


def _analyze(engine: sa.Engine) -> None:
    """As PostgreSQL does by itself in time; but with each crash it forgets that it meant to."""
    if engine.dialect.name == "postgresql":
        with engine.begin() as tx:
            tx.exec_driver_sql("ANALYZE")


def _write_back(fleet: Fleet, engine: sa.Engine) -> None:
    """People ask again for the hours that are not in Azure DevOps yet."""
    by_oid = {each.history.oid: each for each in fleet.people}
    for _ in range(ROUNDS):
        with engine.connect().execution_options(reads_only=True) as tx:
            open_ = [(str(row.oid), str(row.entry_id)) for row in tx.execute(_OWED) if str(row.oid) in by_oid]
        if not open_:
            return
        by_person: dict[str, list[str]] = {}
        for oid, entry in open_:
            by_person.setdefault(oid, []).append(entry)
        with ThreadPoolExecutor(len(by_person)) as pool:
            list(pool.map(lambda pair: _ask_again(by_oid[pair[0]], pair[1]), by_person.items()))


def _ask_again(somebody: Person, entries: list[str]) -> None:
    for entry in entries:
        somebody.ask("write-back", "POST", f"entries/{entry}/write-back", {})


def _run_jobs(app: App) -> list[str]:
    """Each job until it has nothing left to do; those that still failed the last time."""
    failed = list(_JOBS)
    for _ in range(ROUNDS):
        failed = [name for name, job in _JOBS.items() if not _succeeds(job, app)]
        if not failed and not _owes_usage(app.engine):
            break
    return failed


def _succeeds(job: Callable[[App], object], app: App) -> bool:
    try:
        job(app)
    except (JobFailed, InvariantsViolated):
        return False
    return True


def _owes_usage(engine: sa.Engine) -> bool:
    with engine.connect().execution_options(reads_only=True) as tx:
        waiting = sa.select(sa.func.count()).where(usage_events.c.state.in_(("pending", "held")))
        return bool(tx.execute(waiting).scalar_one())


def _admins(fleet: Fleet) -> list[Person]:
    """The first of each directory signed it up."""
    return list({each.history.tid: each for each in reversed(fleet.people)}.values())


def _total(admin: Person) -> int | None:
    """The milliseconds of everybody's time by the product's own report."""
    today = clock.now().date()
    first, last = today - dt.timedelta(days=60), today + dt.timedelta(days=2)
    for _ in range(ROUNDS):
        asked = admin.ask("report", "GET", f"reports/summary?from={first}&to={last}&groupBy=project")
        if asked.outcome is Outcome.ACKNOWLEDGED and asked.answer is not None:
            return int(asked.answer["totalMs"])
    return None
