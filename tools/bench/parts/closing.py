"""Bills of many paying tenants, beside a floor: the running month seen over HTTP, then closed by the hourly job."""

import asyncio
import datetime as dt
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Final, ParamSpec, TypeVar

import sqlalchemy as sa

from billing.closing.jobs import close_all_owed
from devcloud.run import migrate
from shared import clock
from shared.app import build
from shared.db.engine import make_engine
from shared.db.schema import billing_lines, metadata
from shared.settings import Settings
from tools.bench.bench import Bench
from tools.bench.data import paid_rows as rows_paid
from tools.bench.data.database import Ground
from tools.bench.data.directory import API, EXTENSION
from tools.bench.data.engines import Engine
from tools.bench.data.paid_rows import ENTRIES, USERS
from tools.bench.floors import closing as closing_floor
from tools.bench.floors.closing import Written
from tools.bench.load.generator import Measured
from tools.bench.load.processes import cpu_seconds, peak_mb, reset_peak, rss_mb
from tools.bench.load.rounds import LoadFailed, load
from tools.bench.parts.start_stop import hosts


WARM_UP: Final = 0.3
MOST_SECONDS: Final = 1.0  # of a round of previews, of which each is quick and steady
P = ParamSpec("P")
T = TypeVar("T")


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

    @property
    def above_rest_mb(self) -> float:
        return self.peak_mb - self.rest_mb


@dataclass(frozen=True, slots=True)
class Case:
    """So many tenants on an engine: the preview of one of them, and the close of all; floor and ours took turns."""

    engine: str
    tenants: int
    floor_preview: list[Measured]
    preview: list[Measured]
    floor: list[Written]
    closed: list[Closed]

    @property
    def seconds(self) -> float:
        return statistics.median(each.seconds for each in self.closed)

    @property
    def largest(self) -> Closed:
        """The round whose process grew most."""
        return max(self.closed, key=lambda each: each.above_rest_mb)


def run(bench: Bench, *, entries: int) -> list[Case]:
    """A tenth of the tenants that have so many entries together, in rounds, and all of them once, on each engine.

    Raises:
        LoadFailed: a preview was wrong, or not every month was closed, once and with everybody.
    """
    most = entries // ENTRIES
    sizes = ((most // 10, bench.rounds), (most, 1))
    return [_case(bench, engine, tenants, rounds) for engine in bench.engines for tenants, rounds in sizes]


def _case(bench: Bench, engine: Engine, tenants: int, rounds: int) -> Case:
    step, month = f"bills of {tenants:,} tenants on {engine.name}", clock.now().replace(day=1)
    month = month.replace(hour=0, minute=0, second=0, microsecond=0)
    with _filled(bench, engine, tenants, month) as on:
        bench.progress(step, 0.1)
        case = Case(engine.name, tenants, *_previewed(bench, on), [], [])
        bench.progress(step, 0.3)
        for left in reversed(range(rounds)):
            with _copied(on) if left else nullcontext(on) as fresh:
                case.floor.append(_in_a_process_of_its_own(closing_floor.write, fresh.url, rows_paid.month_key(month)))
                case.closed.append(_in_a_process_of_its_own(close, fresh.url, month + dt.timedelta(days=32)))
            _check("the floor", case.floor[-1], tenants)
            _check("the job", case.closed[-1], tenants)
            bench.progress(step, 1 - 0.7 * left / rounds)
    return case


def _check(who: str, found: Written | Closed, tenants: int) -> None:
    if (found.bills, found.lines) != (tenants, tenants * USERS):
        told = f"{who} wrote {found.bills} bills with {found.lines} lines"
        raise LoadFailed(f"{told} for {tenants} tenants of {USERS} people")


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


@contextmanager
def _copied(on: Ground) -> Iterator[Ground]:
    """The same rows for one round."""
    name = f"{on.database}_round"
    on.engine.copy(on.database, name)
    try:
        yield replace(on, database=name)
    finally:
        on.engine.drop(name)


def _previewed(bench: Bench, on: Ground) -> tuple[list[Measured], list[Measured]]:
    """Rounds of the floor and of ours."""
    asked: dict[str, Any] = {"kind": "read", "path": "/api/billing/preview", "token": bench.directory.token(0)}
    floor_talk = {**asked, "expected": f'"activeUsers": {USERS}}}'}
    our_talk = {**asked, "expected": f'"activeUsers":{USERS},', "varies": True}
    seconds = min(bench.seconds, MOST_SECONDS)
    found: tuple[list[Measured], list[Measured]] = ([], [])
    with hosts(bench, on) as both:
        for _ in range(bench.rounds):
            for host, talk, kept in zip(both, (floor_talk, our_talk), found, strict=True):
                kept.append(load(host, [talk], seconds=seconds, warm_up=WARM_UP))
    return found


def _in_a_process_of_its_own(work: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """So that what the bench itself holds hides no growth."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(work, *given, **named).result()


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
