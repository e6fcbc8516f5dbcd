"""Bills of many paying tenants: the month that is running seen beforehand over HTTP, then closed by the hourly job."""

import asyncio
import datetime as dt
import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import sqlalchemy as sa

from billing.jobs import close_all_owed
from devcloud.bench import rows_paid
from devcloud.bench.directory import API, EXTENSION
from devcloud.bench.engines import Engine
from devcloud.bench.ground import Ground
from devcloud.bench.load import Measured
from devcloud.bench.measure import LoadFailed, load
from devcloud.bench.pairs import settings
from devcloud.bench.processes import PROJECT, cpu_seconds, host, peak_mb, reset_peak, rss_mb
from devcloud.bench.rows_paid import ENTRIES, USERS
from devcloud.bench.setting import Bench
from devcloud.run import migrate
from shared import clock
from shared.app import build
from shared.db.engine import make_engine
from shared.db.schema import billing_lines, metadata
from shared.settings import Settings


WARM_UP: Final = 0.5


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


@dataclass(frozen=True, slots=True)
class Case:
    """So many tenants on an engine: the preview of one of them, in rounds, and the close of all."""

    engine: str
    tenants: int
    preview: list[Measured]
    closed: Closed

    @property
    def above_rest_mb(self) -> float:
        return self.closed.peak_mb - self.closed.rest_mb


def run(bench: Bench, *, entries: int) -> list[Case]:
    """A tenth of the tenants that have so many entries together, and all of them, on each engine.

    Raises:
        LoadFailed: a preview was wrong, or not every month was closed, once and with everybody.
    """
    most = entries // ENTRIES
    return [_case(bench, engine, tenants) for engine in bench.engines for tenants in (most // 10, most)]


def _case(bench: Bench, engine: Engine, tenants: int) -> Case:
    step, month = f"bills of {tenants:,} tenants on {engine.name}", clock.now().replace(day=1)
    month = month.replace(hour=0, minute=0, second=0, microsecond=0)
    with _filled(bench, engine, tenants, month) as on:
        bench.progress(step, 0.1)
        preview = _previewed(bench, on)
        bench.progress(step, 0.3)
        closed = _in_a_process_of_its_own(on.url, month + dt.timedelta(days=32))
        bench.progress(step, 1.0)
    if (closed.bills, closed.lines) != (tenants, tenants * USERS):
        raise LoadFailed(f"{closed.bills} bills with {closed.lines} lines for {tenants} tenants of {USERS} people")
    return Case(engine.name, tenants, preview, closed)


@contextmanager
def _filled(bench: Bench, engine: Engine, tenants: int, month: dt.datetime) -> Iterator[Ground]:
    """Made anew each time, and not kept: what was closed cannot be closed again."""
    name = f"closing_{tenants}"
    engine.create(name)
    asyncio.run(migrate({**os.environ, "DATABASE_URL": engine.url(name)}))
    connected = make_engine(engine.url(name))
    with connected.begin() as tx:
        for table, rows in rows_paid.tenants(tenants, month):
            tx.execute(metadata.tables[table].insert(), rows)
    connected.dispose()
    filling = f"filling {engine.name}, {tenants:,} tenants"
    batches = rows_paid.batches(tenants, month)
    engine.fill(name, rows_paid.COLUMNS, batches, lambda done: bench.progress(filling, done))
    bench.progress(filling, 1.0)
    try:
        yield Ground(engine, name, tenants * ENTRIES)
    finally:
        engine.drop(name)


def _previewed(bench: Bench, on: Ground) -> list[Measured]:
    asked = {"kind": "read", "path": "/api/billing/preview", "token": bench.directory.token(0)}
    talk = {**asked, "expected": f'"activeUsers":{USERS}', "varies": True}
    with host(PROJECT, settings(bench.directory, on)) as ours:
        return [load(ours, [talk], seconds=bench.seconds, warm_up=WARM_UP) for _ in range(bench.rounds)]


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
    bills = close_all_owed(app)
    ended, spent, peak = time.perf_counter(), cpu_seconds(own) - cpu, peak_mb(own)
    bills += close_all_owed(app)
    idle = time.perf_counter() - ended
    with app.engine.connect() as connection:
        lines = connection.execute(sa.select(sa.func.count()).select_from(billing_lines)).scalar_one()
    app.engine.dispose()
    return Closed(bills, lines, ended - began, spent, rest, peak, idle)
