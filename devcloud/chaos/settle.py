"""After the trouble: what is still owed is carried out, as people and the schedule would, until nothing is."""

import datetime as dt
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Final

import sqlalchemy as sa

from devcloud.chaos.cloud import Cloud
from devcloud.chaos.fleet import Fleet
from devcloud.chaos.history import Outcome
from devcloud.chaos.person import Person
from shared import clock
from shared.db.schema import time_entries, usage_events, users, write_backs


LATER_SECONDS: Final = 240.0  # claims of those who were killed have run out by then
ROUNDS: Final = 6
_JOBS: Final = ("end_trials", "reconcile_subscriptions", "close_months", "send_usage")
_PATIENCE_SECONDS: Final = 60.0


@dataclass
class Settled:
    """What the product says of each directory over its API when all has come to rest, by the directory's id."""

    totals: dict[str, int | None] = field(default_factory=dict)


def settle(cloud: Cloud, fleet: Fleet, engine: sa.Engine) -> Settled:
    """Everything owed is paid as far as it can be, minutes later by the workers' clocks."""
    for each in cloud.workers:
        each.set_clock(LATER_SECONDS)
    _heard(cloud)
    _write_back(fleet, engine)
    for _ in range(ROUNDS):
        for job in _JOBS:
            _run(cloud, job)
        if not _owes_usage(engine):
            break
    return Settled({each.history.tid: _total(each) for each in _admins(fleet)})


def _heard(cloud: Cloud) -> None:
    """Waits until every webhook has been heard."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while cloud.marketplace.delivery.busy() and time.monotonic() < deadline:
        time.sleep(0.1)


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


_OWED: Final = (
    sa.select(users.c.entra_object_id.label("oid"), write_backs.c.entry_id)
    .join(users, sa.and_(users.c.tenant_id == write_backs.c.tenant_id, users.c.id == write_backs.c.user_id))
    .join(
        time_entries,
        sa.and_(
            time_entries.c.tenant_id == write_backs.c.tenant_id, time_entries.c.public_id == write_backs.c.entry_id
        ),
    )
    .where(write_backs.c.state != "done")
    .distinct()
)


def _run(cloud: Cloud, job: str) -> None:
    """One run of a job, by hand; it has ended when the job's next run has."""
    host = cloud.workers[0].base.removeprefix("http://")
    connection = HTTPConnection(host, timeout=_PATIENCE_SECONDS)
    connection.request("POST", f"/admin/functions/{job}", "{}", {"Content-Type": "application/json"})
    connection.getresponse().read()
    connection.close()
    time.sleep(1.0)


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
    asked = admin.ask("report", "GET", f"reports/summary?from={first}&to={last}&groupBy=project")
    return (asked.answer or {}).get("totalMs") if asked.outcome is Outcome.ACKNOWLEDGED else None
