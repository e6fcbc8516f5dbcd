"""Senders that die between any two statements, and several at once: each event is charged once."""

import contextlib
import datetime as dt
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count

import pytest

from billing.jobs_usage import send_all
from shared import clock as real
from shared.db.schema import usage_events
from shared.settings import Settings
from tests.devcloud import processes
from tests.faults import product
from tests.support import marketplace as support
from tests.support.billed import DIMENSION, Billed, billed, forget


@dataclass(frozen=True)
class Sender:
    """A process that sends when it is told to."""

    process: subprocess.Popen[str]

    def begin(self, crash_at: int = 0) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{crash_at}\n")
        self.process.stdin.flush()

    def ended(self) -> int:
        """The exit code; negative is the signal it died by."""
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())


@pytest.fixture
def environment(app_database_url, entra, marketplace, clock) -> dict[str, str]:
    """The meter stands still at the hour that the processes live in."""
    clock.at = real.now()
    names = {
        "MARKETPLACE_API_URL": marketplace.api_url,
        "MARKETPLACE_TENANT_ID": support.TENANT_ID,
        "MARKETPLACE_CLIENT_ID": support.CLIENT_ID,
        "MARKETPLACE_CLIENT_SECRET": support.CLIENT_SECRET,
        "MARKETPLACE_METERING_DIMENSION": DIMENSION,
    }
    return product.environment(app_database_url, entra, **names)


@contextmanager
def sending(environment: dict[str, str], how_many: int = 1) -> Iterator[list[Sender]]:
    with contextlib.ExitStack() as stack:
        senders = []
        for _ in range(how_many):
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.dying_job", "usage"],
                cwd=processes.ROOT,
                env=processes.environment(**environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            senders.append(Sender(process))
        for sender in senders:
            assert sender.process.stdout is not None
            assert sender.process.stdout.readline() == "ready\n"
        yield senders


@pytest.fixture
def bought(engine, marketplace):
    with engine.begin() as tx:
        tx.execute(usage_events.delete())

    def buy() -> Billed:
        return billed(engine, marketplace.buy(active=True))

    yield buy
    forget(engine)


def on_meter(marketplace, tenant):
    usage = marketplace.stats()["usage"]
    return [each["quantity"] for each in usage if each["resource_id"] == str(tenant.marketplace_id)]


def hour():
    return real.now().replace(minute=0, second=0, microsecond=0)


def test_a_sender_that_dies_anywhere_has_charged_once_when_the_next_run_is_over(
    app, environment, bought, marketplace, clock
):
    metered = replace(app, settings=Settings.from_env(environment))
    died_after_sending = 0
    with sending(environment) as [sender]:
        for point in count(1):
            tenant = bought()
            tenant.owe(3, slot=hour())
            sender.begin(point)
            ended = sender.ended()
            if ended == 0:
                break
            assert ended == -signal.SIGKILL
            died_after_sending += on_meter(marketplace, tenant) == [3.0] and tenant.event()["state"] == "pending"
            clock.at = real.now() + dt.timedelta(minutes=3)  # the claim has run out
            send_all(metered)

            assert on_meter(marketplace, tenant) == [3.0]
            assert (tenant.event()["state"], tenant.event()["claimed_until"]) == ("accepted", None)
    assert metered.marketplace is not None
    metered.marketplace.close()
    assert point > 6
    assert died_after_sending >= 2


def test_several_processes_that_send_at_once_charge_each_event_once(environment, bought, marketplace):
    tenants = [bought() for _ in range(80)]
    for number, tenant in enumerate(tenants, start=1):
        tenant.owe(number, slot=hour())
    marketplace.order("faults", usage_batch={"delay": 0.2})

    with sending(environment, 3) as senders:
        for sender in senders:
            sender.begin()
        assert [sender.ended() for sender in senders] == [0, 0, 0]

    usage = marketplace.stats()["usage"]
    assert sorted(each["quantity"] for each in usage) == list(range(1, 81))
    assert {(tenant.event()["state"], tenant.event()["attempts"]) for tenant in tenants} == {("accepted", 1)}
    assert marketplace.stats()["hits"]["usage_batch"] >= 4
