"""Senders that crash between any two statements, or run concurrently, charge each event once."""

import contextlib
import datetime as dt
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count

import pytest

from billing.metering.jobs import send_all
from shared import clock as real
from shared.db.schema import usage_events
from shared.settings import Settings
from tests.faults import product
from tests.faults.children import CrashingJob, start_crashing_job
from tests.support import marketplace as support
from tests.support.billed_tenants import DIMENSION, BilledTenant, add_billed_tenant, remove_bills


@pytest.fixture
def environment(app_database_url, entra, marketplace, clock) -> dict[str, str]:
    """The meter's clock stays at the real hour of the processes."""
    clock.at = real.now()
    names = {
        "MARKETPLACE_API_URL": marketplace.api_url,
        "MARKETPLACE_TENANT_ID": support.TENANT_ID,
        "MARKETPLACE_CLIENT_ID": support.CLIENT_ID,
        "MARKETPLACE_CLIENT_SECRET": support.CLIENT_SECRET,
        "MARKETPLACE_METERING_DIMENSION": DIMENSION,
    }
    return product.environment(app_database_url, entra, **names)


@pytest.fixture
def start_senders(environment, tmp_path):
    """Starts processes that send on request."""

    @contextmanager
    def start(how_many: int = 1) -> Iterator[list[CrashingJob]]:
        with contextlib.ExitStack() as stack:
            logs = [tmp_path / f"sender-{number}.log" for number in range(how_many)]
            yield [stack.enter_context(start_crashing_job("usage", log, environment)) for log in logs]

    return start


@pytest.fixture
def metered_app(app, environment):
    return replace(app, settings=Settings.from_env(environment))


@pytest.fixture
def add_tenant(engine, marketplace):
    with engine.begin() as tx:
        tx.execute(usage_events.delete())

    def buy() -> BilledTenant:
        return add_billed_tenant(engine, marketplace.buy(active=True))

    yield buy
    remove_bills(engine)


def on_meter(marketplace, tenant):
    usage = marketplace.stats()["usage"]
    return [each["quantity"] for each in usage if each["resource_id"] == str(tenant.marketplace_id)]


def hour():
    return real.now().replace(minute=0, second=0, microsecond=0)


def test_after_a_crash_anywhere_and_the_next_run_usage_is_charged_once(
    metered_app, start_senders, add_tenant, marketplace, clock
):
    died_after_sending = 0
    with start_senders() as [sender]:
        for point in count(1):
            tenant = add_tenant()
            tenant.add_usage(3, slot=hour())
            sender.begin(point)
            ended = sender.exit_code()
            if ended == 0:
                break
            assert ended == -signal.SIGKILL
            died_after_sending += on_meter(marketplace, tenant) == [3.0] and tenant.event()["state"] == "pending"
            clock.at = real.now() + dt.timedelta(minutes=3)  # the claim has expired
            send_all(metered_app)

            assert on_meter(marketplace, tenant) == [3.0]
            assert (tenant.event()["state"], tenant.event()["claimed_until"]) == ("accepted", None)
    metered_app.close()
    assert point > 6
    assert died_after_sending >= 2


def test_several_processes_that_send_at_once_charge_each_event_once(start_senders, add_tenant, marketplace):
    tenants = [add_tenant() for _ in range(80)]
    for number, tenant in enumerate(tenants, start=1):
        tenant.add_usage(number, slot=hour())
    marketplace.execute("faults", usage_batch={"delay": 0.2})

    with start_senders(3) as senders:
        for sender in senders:
            sender.begin()
        assert [sender.exit_code() for sender in senders] == [0, 0, 0]

    usage = marketplace.stats()["usage"]
    assert sorted(each["quantity"] for each in usage) == list(range(1, 81))
    assert {(tenant.event()["state"], tenant.event()["attempts"]) for tenant in tenants} == {("accepted", 1)}
    assert marketplace.stats()["hits"]["usage_batch"] >= 4
