"""Bills of many paying tenants: the running month seen over HTTP, then closed by the hourly job."""

import asyncio
import datetime as dt
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Final

import sqlalchemy as sa

from billing.closing.jobs import close_all_ended
from devcloud.run import migrate
from shared import clock
from shared.app import build
from shared.db.engine import make_engine
from shared.db.schema import billing_lines, metadata
from shared.settings import Settings
from tools.bench.bench import Bench
from tools.bench.data import paid_rows
from tools.bench.data.database import Database
from tools.bench.data.directory import API, EXTENSION
from tools.bench.data.engines import Engine, fill
from tools.bench.data.paid_rows import ENTRIES, USERS
from tools.bench.load.processes import PROJECT, cpu_seconds, host, peak_mb, reset_peak, rss_mb
from tools.bench.load.rounds import CELLS, Figures, LoadFailed, figures, load
from tools.bench.page import Found, aim
from tools.bench.parts.start_stop import settings
from tools.tables import Table


AIM_TENANTS: Final = 10_000
AIM_SECONDS, AIM_MB, AIM_PREVIEW_MS = 60.0, 50.0, 20.0
_MOST_SECONDS: Final = 1.0  # of a round of previews, of which each is quick and steady


@dataclass(frozen=True, slots=True)
class Closed:
    """One run of the job in a process of its own, and what a run after it took, which has nothing to close."""

    bills: int
    lines: int
    seconds: float
    cpu_seconds: float
    rest_mb: float
    peak_mb: float
    idle_seconds: float


def run(bench: Bench) -> Found:
    """Raises LoadFailed where a preview was wrong, or not every month was closed, once and with everybody."""
    tenants, month = bench.entries // ENTRIES, _first_of(clock.now())
    closes, previews, verdicts = [], [], []
    for engine in bench.engines:
        on = _filled(bench, engine, tenants, month)
        preview = _previewed(bench, on)
        bench.progress(f"bills of {tenants:,} tenants on {engine.name}", 0.5)
        closed = _in_a_process_of_its_own(on.url, month + dt.timedelta(days=32))
        require_complete(closed, tenants)
        previews.append([engine.name, *preview.cells()])
        closes.append(_row(engine.name, tenants, closed))
        verdicts += [
            aim(f"On {engine.name} the month of {tenants:,} tenants is closed in", closed.seconds, AIM_SECONDS, " s"),
            aim("The job's process grows by", closed.peak_mb - closed.rest_mb, AIM_MB, " MB"),
            aim("Of 100 previews 99 are answered within", preview.p99, AIM_PREVIEW_MS, " ms"),
        ]
    verdicts += [] if tenants >= AIM_TENANTS else [f"{tenants:,} tenants are fewer than the aims are for."]
    head = ("engine", "tenants", "people", "s", "per s", "CPU s", "idle s", "MB at rest", "at peak")
    return Found(
        [Table("A month closed by the hourly job", head, closes), Table("Previews", ("preview on", *CELLS), previews)],
        verdicts,
    )


def require_complete(closed: Closed, tenants: int) -> None:
    if (closed.bills, closed.lines) != (tenants, tenants * USERS):
        told = f"the job wrote {closed.bills} bills with {closed.lines} lines"
        raise LoadFailed(f"{told} for {tenants} tenants of {USERS} people")


def _row(engine: str, tenants: int, closed: Closed) -> list[str]:
    counts = [engine, f"{tenants:,}", f"{closed.lines:,}"]
    times = [f"{closed.seconds:.1f}", f"{tenants / closed.seconds:.0f}", f"{closed.cpu_seconds:.1f}"]
    return [*counts, *times, f"{closed.idle_seconds:.2f}", f"{closed.rest_mb:.0f}", f"{closed.peak_mb:.0f}"]


def _first_of(now: dt.datetime) -> dt.datetime:
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _filled(bench: Bench, engine: Engine, tenants: int, month: dt.datetime) -> Database:
    """Made anew each time: what was closed cannot be closed again."""
    on = Database(engine, "closing")
    engine.create(on.database)
    asyncio.run(migrate({**os.environ, "DATABASE_URL": on.url}))
    connected = make_engine(on.url)
    with connected.begin() as tx:
        for table, rows in paid_rows.tenants(tenants, month):
            tx.execute(metadata.tables[table].insert(), rows)
    connected.dispose()
    step = f"filling {engine.name} with {tenants:,} tenants"
    fill(on.url, paid_rows.COLUMNS, paid_rows.batches(tenants, month), lambda done: bench.progress(step, done))
    return on


def _previewed(bench: Bench, on: Database) -> Figures:
    expected = {"expected": f'"activeUsers":{USERS},', "varies": True}
    asked: dict[str, Any] = {
        "kind": "read",
        "path": "/api/billing/preview",
        "token": bench.directory.token(0),
        **expected,
    }
    with host(PROJECT, settings(bench.directory, on)) as ours:
        return figures([load(ours, [asked], seconds=min(bench.seconds, _MOST_SECONDS)) for _ in range(bench.rounds)])


def _in_a_process_of_its_own(url: str, now: dt.datetime) -> Closed:
    """So that what the bench itself holds hides no growth."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(close, url, now).result()


def close(url: str, now: dt.datetime) -> Closed:
    """Runs the job as the platform would at that time, in this process."""
    needed = {"DATABASE_URL": url, "ENTRA_API_CLIENT_ID": API, "ENTRA_CLIENT_IDS": EXTENSION}
    told = Settings.from_env({**needed, "MARKETPLACE_METERING_DIMENSION": "active_user"})
    app, own = replace(build(told), now=lambda: now), [os.getpid()]
    with app.transaction(reads_only=True):
        reset_peak(own)  # with what a worker holds that has run before
    rest, cpu, began = rss_mb(own), cpu_seconds(own), time.perf_counter()
    bills = close_all_ended(app)
    ended, spent, peak = time.perf_counter(), cpu_seconds(own) - cpu, peak_mb(own)
    bills += close_all_ended(app)
    idle = time.perf_counter() - ended
    with app.engine.connect() as connection:
        lines = connection.execute(sa.select(sa.func.count()).select_from(billing_lines)).scalar_one()
    app.engine.dispose()
    return Closed(bills, lines, ended - began, spent, rest, peak, idle)
