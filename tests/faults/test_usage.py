"""Senders that die between any two statements, and several at once: each event is charged once."""

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
from tests.faults.children import DyingJob, dying_job
from tests.support import marketplace as support
from tests.support.billed_tenants import DIMENSION, BilledTenant, add_billed_tenant, remove_bills


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


@pytest.fixture
def sending(environment, tmp_path):
    """So many processes that send when they are told to."""

    @contextmanager
    def starting(how_many: int = 1) -> Iterator[list[DyingJob]]:
        with contextlib.ExitStack() as stack:
            logs = [tmp_path / f"sender-{number}.log" for number in range(how_many)]
            yield [stack.enter_context(dying_job("usage", log, environment)) for log in logs]

    return starting


@pytest.fixture
def metered(app, environment):
    return replace(app, settings=Settings.from_env(environment))


@pytest.fixture
def bought(engine, marketplace):
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


def test_a_sender_that_dies_anywhere_has_charged_once_when_the_next_run_is_over(
    metered, sending, bought, marketplace, clock
):
    died_after_sending = 0
    with sending() as [sender]:
        for point in count(1):
            tenant = bought()
            tenant.add_usage(3, slot=hour())
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
    metered.close()
    assert point > 6
    assert died_after_sending >= 2


def test_several_processes_that_send_at_once_charge_each_event_once(sending, bought, marketplace):
    tenants = [bought() for _ in range(80)]
    for number, tenant in enumerate(tenants, start=1):
        tenant.add_usage(number, slot=hour())
    marketplace.execute("faults", usage_batch={"delay": 0.2})

    with sending(3) as senders:
        for sender in senders:
            sender.begin()
        assert [sender.ended() for sender in senders] == [0, 0, 0]

    usage = marketplace.stats()["usage"]
    assert sorted(each["quantity"] for each in usage) == list(range(1, 81))
    assert {(tenant.event()["state"], tenant.event()["attempts"]) for tenant in tenants} == {("accepted", 1)}
    assert marketplace.stats()["hits"]["usage_batch"] >= 4
