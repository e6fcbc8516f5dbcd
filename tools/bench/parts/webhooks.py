"""The Marketplace's webhook on each engine: changes of seats of many customers, each call timed by the Marketplace."""

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
from tools.bench.load.processes import PROJECT, Host, host
from tools.bench.load.rounds import LoadFailed, percentile
from tools.bench.page import Found, aim
from tools.tables import Table


AIM_MS: Final = 2_000.0  # Microsoft gives up after ten seconds
_AT_ONCE: Final = 8
_PATIENCE_SECONDS: Final = 120


def run(bench: Bench) -> Found:
    """Raises LoadFailed where a call was not answered with 200, in time, or its change is not kept."""
    rows, verdicts = [], []
    for engine in bench.engines:
        on, seats = database.empty(engine, "webhooks"), itertools.count(marketplace.SEATS + 1)
        millis: list[float] = []
        with marketplace.running(bench.directory) as sold:
            told = marketplace.settings(bench.directory, on, sold)
            customers = marketplace.bought(sold, told)
            with host(PROJECT, told) as ours:
                for number in range(bench.rounds):
                    millis += change_seats(sold, customers, ours, on, next(seats))
                    bench.progress(f"webhooks on {engine.name}", (number + 1) / bench.rounds)
        millis.sort()
        p99 = percentile(millis, 99)
        rows.append(
            [engine.name, f"{len(millis):,}", f"{percentile(millis, 50):.1f}", f"{p99:.1f}", f"{millis[-1]:.1f}"]
        )
        verdicts.append(aim(f"On {engine.name} 99 of 100 calls are answered within", p99, AIM_MS, " ms"))
    return Found([Table("The webhook", ("engine", "calls", "p50 ms", "p99", "max"), rows)], verdicts)


def change_seats(sold: Marketplace, customers: Sequence[str], at: Host, on: Database, seats: int) -> list[float]:
    """Every customer changes to so many seats; the milliseconds of each call about it."""
    marketplace.call_at(sold, at.port)
    before = len(sold.delivery.attempts())
    orders = [sold.admin.carry_out("POST change", {"subscription": one, "quantity": seats}) for one in customers]
    sold.delivery.release([order["operation"] for order in orders], _AT_ONCE)
    until = time.monotonic() + _PATIENCE_SECONDS
    while sold.delivery.busy() or any(map(sold.operations.outstanding, customers)):
        if time.monotonic() > until:
            raise LoadFailed("the webhook was not done in time")
        time.sleep(0.01)
    calls = sold.delivery.attempts()[before:]
    if [call["status"] for call in calls] != [200] * len(customers):
        answers = sorted({call["status"] for call in calls})
        raise LoadFailed(f"{len(calls)} calls of the webhook were answered {answers}")
    if (kept := _kept(on, seats)) != len(customers):
        raise LoadFailed(f"the webhook kept {kept} of {len(customers)} changes that it answered with 200")
    return [call["milliseconds"] for call in calls]


def _kept(on: Database, seats: int) -> int:
    kept = sa.select(sa.func.count()).select_from(subscription_events).where(subscription_events.c.quantity == seats)
    engine = sa.create_engine(on.url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return int(connection.execute(kept).scalar_one())
