"""Bills of many paying tenants: previews of the running month over HTTP, and the hourly closing job."""

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
from tools.bench.load.processes import PROJECT, cpu_seconds, peak_mb, reset_peak, rss_mb, start_host
from tools.bench.load.rounds import CELLS, Figures, LoadFailed, build_figures, run_load
from tools.bench.page import PartResult, build_verdict
from tools.bench.parts.start_stop import settings
from tools.tables import Table


AIM_TENANTS: Final = 10_000
AIM_SECONDS, AIM_MB, AIM_PREVIEW_MS = 60.0, 50.0, 20.0
_MAX_SECONDS: Final = 1.0  # per round of previews, which are fast and steady


@dataclass(frozen=True, slots=True)
class ClosingRun:
    """One run of the job in a separate process, and the time of a second run with nothing to close."""

    bills: int
    lines: int
    seconds: float
    cpu_seconds: float
    rest_mb: float
    peak_mb: float
    idle_seconds: float


def run(bench: Bench) -> PartResult:
    """Raises LoadFailed for a wrong preview, or unless every month was closed once with all people."""
    tenants, month = bench.entries // ENTRIES, _start_of_month(clock.now())
    closing_rows, preview_rows, verdicts = [], [], []
    for engine in bench.engines:
        target = _create_filled(bench, engine, tenants, month)
        preview = _measure_previews(bench, target)
        bench.progress(f"bills of {tenants:,} tenants on {engine.name}", 0.5)
        closing_run = _close_in_new_process(target.url, month + dt.timedelta(days=32))
        require_complete(closing_run, tenants)
        preview_rows.append([engine.name, *preview.cells()])
        closing_rows.append(_row(engine.name, tenants, closing_run))
        verdicts += [
            build_verdict(
                f"On {engine.name} the month of {tenants:,} tenants is closed in",
                closing_run.seconds,
                AIM_SECONDS,
                " s",
            ),
            build_verdict("The job's process grows by", closing_run.peak_mb - closing_run.rest_mb, AIM_MB, " MB"),
            build_verdict("Of 100 previews 99 are answered within", preview.p99, AIM_PREVIEW_MS, " ms"),
        ]
    verdicts += [] if tenants >= AIM_TENANTS else [f"{tenants:,} tenants are fewer than in the aims."]
    head = ("engine", "tenants", "people", "s", "per s", "CPU s", "idle s", "MB at rest", "at peak")
    return PartResult(
        [
            Table("A month closed by the hourly job", head, closing_rows),
            Table("Previews", ("preview on", *CELLS), preview_rows),
        ],
        verdicts,
    )


def require_complete(closing_run: ClosingRun, tenants: int) -> None:
    if (closing_run.bills, closing_run.lines) != (tenants, tenants * USERS):
        counts = f"the job wrote {closing_run.bills} bills with {closing_run.lines} lines"
        raise LoadFailed(f"{counts} for {tenants} tenants of {USERS} people")


def _row(engine: str, tenants: int, closing_run: ClosingRun) -> list[str]:
    counts = [engine, f"{tenants:,}", f"{closing_run.lines:,}"]
    times = [f"{closing_run.seconds:.1f}", f"{tenants / closing_run.seconds:.0f}", f"{closing_run.cpu_seconds:.1f}"]
    return [
        *counts,
        *times,
        f"{closing_run.idle_seconds:.2f}",
        f"{closing_run.rest_mb:.0f}",
        f"{closing_run.peak_mb:.0f}",
    ]


def _start_of_month(now: dt.datetime) -> dt.datetime:
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _create_filled(bench: Bench, engine: Engine, tenants: int, month: dt.datetime) -> Database:
    """Creates a new database, since a month closes only once."""
    target = Database(engine, "closing")
    engine.create(target.database)
    asyncio.run(migrate({**os.environ, "DATABASE_URL": target.url}))
    db_engine = make_engine(target.url)
    with db_engine.begin() as tx:
        for table, rows in paid_rows.tenants(tenants, month):
            tx.execute(metadata.tables[table].insert(), rows)
    db_engine.dispose()
    step = f"filling {engine.name} with {tenants:,} tenants"
    fill(target.url, paid_rows.COLUMNS, paid_rows.batches(tenants, month), lambda done: bench.progress(step, done))
    return target


def _measure_previews(bench: Bench, target: Database) -> Figures:
    expected = {"expected": f'"activeUsers":{USERS},', "varies": True}
    connection: dict[str, Any] = {
        "kind": "read",
        "path": "/api/billing/preview",
        "token": bench.directory.token(0),
        **expected,
    }
    with start_host(PROJECT, settings(bench.directory, target)) as product:
        return build_figures(
            [run_load(product, [connection], seconds=min(bench.seconds, _MAX_SECONDS)) for _ in range(bench.rounds)]
        )


def _close_in_new_process(url: str, now: dt.datetime) -> ClosingRun:
    """Runs in a new process, so that the memory of the benchmark does not hide growth."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(run_closing, url, now).result()


def run_closing(url: str, now: dt.datetime) -> ClosingRun:
    """Runs the job in this process, at the given time."""
    environment = {"DATABASE_URL": url, "ENTRA_API_CLIENT_ID": API, "ENTRA_CLIENT_IDS": EXTENSION}
    settings_read = Settings.from_env({**environment, "MARKETPLACE_METERING_DIMENSION": "active_user"})
    app, pids = replace(build(settings_read), now=lambda: now), [os.getpid()]
    with app.transaction(reads_only=True):
        reset_peak(pids)  # after a first transaction, as in a warm worker
    rest, cpu, began = rss_mb(pids), cpu_seconds(pids), time.perf_counter()
    bills = close_all_ended(app)
    ended, cpu_spent, peak = time.perf_counter(), cpu_seconds(pids) - cpu, peak_mb(pids)
    bills += close_all_ended(app)
    idle = time.perf_counter() - ended
    with app.engine.connect() as connection:
        lines = connection.execute(sa.select(sa.func.count()).select_from(billing_lines)).scalar_one()
    app.engine.dispose()
    return ClosingRun(bills, lines, ended - began, cpu_spent, rest, peak, idle)
