"""The Marketplace's webhook on each engine: many changes of seats, timed by the emulator."""

import itertools
import time
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from devcloud.emulators.marketplace.server import Marketplace
from shared.db.schema import subscription_events
from tools.bench.bench import Bench
from tools.bench.data import database, marketplace
from tools.bench.data.database import Database
from tools.bench.load.processes import PROJECT, Host, start_host
from tools.bench.load.rounds import LoadFailed, percentile
from tools.bench.page import PartResult, build_verdict
from tools.tables import Table


AIM_MS: Final = 2_000.0  # Microsoft gives up after ten seconds
_AT_ONCE: Final = 8
_WAIT_SECONDS: Final = 120


def run(bench: Bench) -> PartResult:
    """Raises LoadFailed for a call without 200 in time, or without a stored change."""
    rows, verdicts = [], []
    for engine in bench.engines:
        target, seats = database.create_empty(engine, "webhooks"), itertools.count(marketplace.SEATS + 1)
        milliseconds: list[float] = []
        with marketplace.start_marketplace(bench.directory) as emulator:
            environment = marketplace.settings(bench.directory, target, emulator)
            subscriptions = marketplace.buy_subscriptions(emulator, environment)
            with start_host(PROJECT, environment) as product:
                for number in range(bench.rounds):
                    milliseconds += change_seats(emulator, subscriptions, product, target, next(seats))
                    bench.progress(f"webhooks on {engine.name}", (number + 1) / bench.rounds)
        milliseconds.sort()
        p99 = percentile(milliseconds, 99)
        rows.append(
            [
                engine.name,
                f"{len(milliseconds):,}",
                f"{percentile(milliseconds, 50):.1f}",
                f"{p99:.1f}",
                f"{milliseconds[-1]:.1f}",
            ]
        )
        verdicts.append(build_verdict(f"On {engine.name} 99 of 100 calls are answered within", p99, AIM_MS, " ms"))
    return PartResult([Table("The webhook", ("engine", "calls", "p50 ms", "p99", "max"), rows)], verdicts)


def change_seats(
    emulator: Marketplace, subscriptions: Sequence[str], host: Host, target: Database, seats: int
) -> list[float]:
    """Changes the seats of every customer; returns the milliseconds of each call."""
    marketplace.set_webhook(emulator, host.port)
    before = len(emulator.delivery.attempts())
    orders = [
        emulator.admin.execute("POST change", {"subscription": subscription, "quantity": seats})
        for subscription in subscriptions
    ]
    emulator.delivery.release([order["operation"] for order in orders], _AT_ONCE)
    deadline = time.monotonic() + _WAIT_SECONDS
    while emulator.delivery.busy() or any(map(emulator.operations.outstanding, subscriptions)):
        if time.monotonic() > deadline:
            raise LoadFailed("the webhook calls did not end in time")
        time.sleep(0.01)
    calls = emulator.delivery.attempts()[before:]
    if [call["status"] for call in calls] != [200] * len(subscriptions):
        statuses = sorted({call["status"] for call in calls})
        raise LoadFailed(f"{len(calls)} webhook calls returned {statuses}")
    if (stored := _count_stored(target, seats)) != len(subscriptions):
        raise LoadFailed(f"the webhook stored {stored} of {len(subscriptions)} changes with status 200")
    return [call["milliseconds"] for call in calls]


def _count_stored(target: Database, seats: int) -> int:
    stored = sa.select(sa.func.count()).select_from(subscription_events).where(subscription_events.c.quantity == seats)
    engine = sa.create_engine(target.url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return int(connection.execute(stored).scalar_one())
