"""After kill -9 before each writing statement of an event, or after its commit, a repeated event counts once."""

import itertools
from collections.abc import Iterator

import pytest

from tests.faults import product
from tests.faults.acknowledged_time import violations
from tests.faults.crashes import AFTER_COMMIT, CrashingHosts, start_crashing_hosts
from tests.faults.test_events_in_any_order import COMMANDS, assert_equal_states, perform, wait_until_settled
from tests.support import budget, purchases
from tests.support.marketplace import wait_until
from tests.support.purchases import Purchase


BEFORE = {"Reinstate": "Suspend"}
ACTIONS = sorted(COMMANDS.keys() - {"Cut"})


@pytest.fixture(scope="module")
def healthy(marketplace_environment, proxy, tmp_path_factory) -> Iterator[str]:
    with product.host(tmp_path_factory.mktemp("healthy") / "log", marketplace_environment) as base:
        proxy.hosts, proxy.loss_rate, proxy.max_delay = [base], 0.0, 0.0
        yield base


@pytest.fixture(scope="module")
def crashing_hosts(marketplace_environment, tmp_path_factory) -> Iterator[CrashingHosts]:
    with start_crashing_hosts(tmp_path_factory.mktemp("crashing") / "log", marketplace_environment) as hosts:
        yield hosts


@pytest.fixture
def buy(healthy, local_app, emulator, entra):
    emulator.execute("pace", ack_seconds=0.3, retry_seconds=0.3)

    def add_purchase(action: str) -> Purchase:
        purchase = purchases.add_active_purchase(local_app, emulator, product.admin(entra, healthy).tid)
        emulator.execute("shapes", held=False)
        if action in BEFORE:
            perform(purchase, BEFORE[action])
            wait_until_settled(purchase)
        return purchase

    yield add_purchase
    emulator.execute("shapes", held=False)


def deliver_to_crashing_host(
    crashing_hosts: CrashingHosts, purchase: Purchase, action: str, point: int, proxy
) -> list[int]:
    """The responses to the event: of a host that crashes at this point, then of a sound one."""
    purchase.marketplace.execute("shapes", held=True)
    operation = perform(purchase, action)
    with crashing_hosts.host(point) as base:
        proxy.first = base
        purchase.marketplace.execute("release", operations=[operation])
        wait_until(lambda: purchase.attempts(operation), 20)
    wait_until_settled(purchase)
    return purchase.attempts(operation)


@pytest.mark.parametrize("action", ACTIONS)
def test_an_event_interrupted_anywhere_is_repeated_and_counts_once(crashing_hosts, buy, proxy, engine, action):
    for point in (AFTER_COMMIT, *range(1, 21)):
        purchase = buy(action)
        answers = deliver_to_crashing_host(crashing_hosts, purchase, action, point, proxy)

        assert answers[-1] == 200, (action, point)
        assert_equal_states(purchase, (action, point))
        if answers == [200]:  # the event ended before the crash point
            break
        assert answers[0] == 502, (action, point)
    assert point > (9 if budget.ALL else 5)
    assert violations(engine) == []


def test_a_suspension_survives_a_kill_before_each_of_its_statements(crashing_hosts, buy, proxy, engine):
    for point in itertools.count(1):
        purchase = buy("Suspend")
        answers = deliver_to_crashing_host(crashing_hosts, purchase, "Suspend", point, proxy)

        assert answers[-1] == 200, point
        assert_equal_states(purchase, point)
        assert purchase.outcomes == [("Suspend", "applied")], point
        if answers == [200]:
            break
    assert point > (10 if budget.ALL else 6)  # of eight statements and two commits, six count
    assert violations(engine) == []
