"""The Marketplace's webhook under load, ours and the floor's in turns: each call is timed by the Marketplace."""

import contextlib
import itertools
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import sqlalchemy as sa

from devcloud.emulators.marketplace.server import Marketplace
from shared.db.schema import subscription_events
from tools.bench.bench import Bench
from tools.bench.data import database as ground
from tools.bench.data import marketplace as market
from tools.bench.data.database import Ground
from tools.bench.data.engines import Engine
from tools.bench.data.marketplace import SEATS
from tools.bench.load.processes import PROJECT, Host, host
from tools.bench.load.rounds import LoadFailed, Ratio, load_slices, percentile, ratio
from tools.bench.parts.fixed_rates import PEOPLE
from tools.bench.parts.start_stop import FLOOR, talks


AT_ONCE: Final = 8
RATE: Final = 50  # starts and stops a second meanwhile
_PATIENCE_SECONDS: Final = 120
_SLICE_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class Heard:
    """Milliseconds of each call of each round on one engine: the nth of the floor ran right before the nth of ours."""

    engine: str
    floor: list[list[float]] = field(default_factory=list)
    ours: list[list[float]] = field(default_factory=list)

    @property
    def over(self) -> Ratio:
        return ratio([statistics.median(each) for each in self.ours], [statistics.median(each) for each in self.floor])


@dataclass(frozen=True, slots=True)
class Called:
    """A host that is told, and the database in which it keeps what it was told, each in `subscription_events`."""

    host: Host
    database: str


def percentile_of(rounds: Sequence[list[float]], percent: float) -> float:
    """Milliseconds, of all the rounds together."""
    return percentile(sorted(millis * 1000 for each in rounds for millis in each), percent)


def run(bench: Bench) -> list[Heard]:
    """Changes of seats of many customers in each round, delivered by several threads at once.

    Raises:
        LoadFailed: a call was not answered with 200 or its change is not kept, or a start or stop meanwhile was
            answered wrongly.
    """
    return [_heard(bench, engine) for engine in bench.engines]


def _heard(bench: Bench, engine: Engine) -> Heard:
    heard, on, seats = Heard(engine.name), ground.empty(engine, "webhooks"), itertools.count(SEATS + 1)
    with market.running(bench.directory) as sold, hosts(bench, on, sold) as (floor, ours):
        customers = market.bought(sold, market.our_settings(bench.directory, on, sold))
        for number in range(bench.rounds):
            for called, rounds in ((floor, heard.floor), (ours, heard.ours)):
                with _people_working(bench, called.host):
                    rounds.append(told_of_changes(sold, customers, called, next(seats)))
            bench.progress(f"webhooks on {engine.name}", (number + 1) / bench.rounds)
    return heard


@contextlib.contextmanager
def hosts(bench: Bench, on: Ground, sold: Marketplace) -> Iterator[tuple[Called, Called]]:
    """The floor, which keeps everything in SQLite, and the product."""
    floor, ours = market.floor_settings(bench, on, sold), market.our_settings(bench.directory, on, sold)
    with host(FLOOR, floor) as the_floors, host(PROJECT, ours) as our_own:
        yield Called(the_floors, f"sqlite:///{floor['FLOOR_DATABASE']}"), Called(our_own, on.url)


def told_of_changes(sold: Marketplace, customers: Sequence[str], called: Called, seats: int) -> list[float]:
    """Every customer changes to so many seats; the milliseconds of each call about it.

    Raises:
        LoadFailed: not every one was answered with 200, in time, and kept.
    """
    market.call_at(sold, called.host.port)
    before = len(sold.delivery.attempts())
    orders = [sold.admin.carry_out("POST change", {"subscription": one, "quantity": seats}) for one in customers]
    sold.delivery.release([order["operation"] for order in orders], AT_ONCE)
    until = time.monotonic() + _PATIENCE_SECONDS
    while sold.delivery.busy() or any(map(sold.operations.outstanding, customers)):
        if time.monotonic() > until:
            raise LoadFailed("the webhook was not done in time")
        time.sleep(0.01)
    calls = sold.delivery.attempts()[before:]
    if [call["status"] for call in calls] != [200] * len(customers):
        raise LoadFailed(
            f"{len(calls)} calls of the webhook were answered {sorted({call['status'] for call in calls})}"
        )
    if (kept := _kept(called, seats)) != len(customers):
        raise LoadFailed(f"the webhook kept {kept} of {len(customers)} changes that it answered with 200")
    return [call["milliseconds"] for call in calls]


def _kept(called: Called, seats: int) -> int:
    kept = sa.select(sa.func.count()).select_from(subscription_events).where(subscription_events.c.quantity == seats)
    engine = sa.create_engine(called.database, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return int(connection.execute(kept).scalar_one())


@contextlib.contextmanager
def _people_working(bench: Bench, at: Host) -> Iterator[None]:
    """Somebody's request has been answered when it begins, and all that were have been right when it ends."""
    is_busy, is_over, people = threading.Event(), threading.Event(), talks(bench.directory, PEOPLE)
    most = int(2 * _PATIENCE_SECONDS / _SLICE_SECONDS)

    def work() -> None:
        try:
            for _ in load_slices(
                at, people, slices=most, seconds=_SLICE_SECONDS, warm_up=0.5, rate=RATE, is_over=is_over.is_set
            ):
                is_busy.set()
        finally:
            is_busy.set()  # nobody waits for a load that fell over; `result` tells of it

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        is_busy.wait()
        try:
            yield
        finally:
            is_over.set()
        working.result()
