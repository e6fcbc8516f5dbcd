"""After events in any order, repeated, lost or late, at any host, both sides agree and each operation counts once.

A plain run tests a fixed sample of the orders, `scripts/test --all` a larger random one, and TEST_EVERY_ORDER=1 all of
them, which takes days.
"""

import itertools
import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.faults import product
from tests.faults.acknowledged_time import violations
from tests.support import purchases
from tests.support.budget import seed, tries
from tests.support.marketplace import wait_until
from tests.support.purchases import Purchase


EVERY_ORDER = bool(os.environ.get("TEST_EVERY_ORDER"))
SEED = seed(5)
WORKERS = 4
ACTIONS = ("ChangePlan", "ChangeQuantity", "Suspend", "Reinstate", "Renew", "Unsubscribe")
COMMANDS: dict[str, tuple[str, dict[str, Any]]] = {
    "ChangePlan": ("change", {"plan": "seats-plus"}),
    "ChangeQuantity": ("change", {"quantity": 9}),
    "Cut": ("change", {"quantity": 2}),
    "Suspend": ("suspend", {}),
    "Reinstate": ("reinstate", {}),
    "Renew": ("renew", {}),
    "Unsubscribe": ("unsubscribe", {}),
}
FAULTS: tuple[dict[str, Any], ...] = (
    {"status": 404},
    {"status": 409},
    {"status": 500},
    {"status": 503},
    {"delay": 0.3},
)


@dataclass(frozen=True)
class Case:
    """The actions of the customer in order, and the order and number of deliveries of their events."""

    history: tuple[str, ...]
    order: tuple[int, ...]
    copies: tuple[int, ...]

    @property
    def deliveries(self) -> list[int]:
        return [event for event, copies in zip(self.order, self.copies, strict=True) for _ in range(copies)]


def can_happen(history: tuple[str, ...]) -> bool:
    """Whether Microsoft allows it: a suspended purchase can only be reinstated or canceled; a cancellation is final."""
    status = "Subscribed"
    for action in history:
        if status == "Unsubscribed" or ((status == "Suspended") != (action == "Reinstate") and action != "Unsubscribe"):
            return False
        status = {"Suspend": "Suspended", "Reinstate": "Subscribed", "Unsubscribe": "Unsubscribed"}.get(action, status)
    return True


def histories() -> list[tuple[str, ...]]:
    """All valid orders of the six actions, also without cancellation, reinstatement, or both."""
    without = (set[str](), {"Unsubscribe"}, {"Reinstate"}, {"Reinstate", "Unsubscribe"})
    sets = [[each for each in ACTIONS if each not in left_out] for left_out in without]
    return [history for actions in sets for history in itertools.permutations(actions) if can_happen(history)]


def every_case() -> Iterator[Case]:
    dice = random.Random(SEED)  # noqa: S311 - spreads, hides nothing
    for history in histories():
        for order in itertools.permutations(range(len(history))):
            yield Case(history, order, tuple(dice.choices((1, 2, 3), k=len(order))))


def sample(size: int, which: Callable[[tuple[str, ...]], bool] = lambda _: True) -> list[Case]:
    """The same cases for the same seed; `which` selects histories."""
    if EVERY_ORDER:
        return [case for case in every_case() if which(case.history)]
    dice, known = random.Random(SEED), list(filter(which, histories()))  # noqa: S311 - likewise
    return [
        Case(
            history,
            tuple(dice.sample(range(len(history)), len(history))),
            tuple(dice.choices((1, 2, 3), k=len(history))),
        )
        for history in dice.choices(known, k=size)
    ]


@pytest.fixture(scope="module")
def hosts(marketplace_environment, proxy, tmp_path_factory) -> Iterator[list[str]]:
    logs = tmp_path_factory.mktemp("hosts")
    with (
        product.host(logs / "first", marketplace_environment) as first,
        product.host(logs / "second", marketplace_environment) as second,
    ):
        proxy.hosts = [first, second]
        yield proxy.hosts


@pytest.fixture
def buy(hosts, local_app, emulator, entra):
    """Adds a tenant with a purchase of five seats."""

    def add_purchase() -> Purchase:
        owner = product.admin(entra, hosts[0])
        return purchases.add_active_purchase(local_app, emulator, owner.tid)

    yield add_purchase
    emulator.emulator.faults.clear()
    emulator.execute("shapes", held=False, copies=1, revert="late")
    emulator.execute("pace", ack_seconds=0.4, retry_seconds=0.02)


def perform(purchase: Purchase, action: str) -> str:
    """Performs an action of the customer; waits, since Microsoft executes one change at a time."""
    name, given = COMMANDS[action]
    asked = {"subscription": purchase.id, **given}
    for _ in range(2000):
        answer = requests.post(f"{purchase.marketplace.emulator.url}/admin/{name}", json=asked, timeout=10)
        if answer.ok:
            return str(answer.json()["operation"])
        time.sleep(0.01)
    raise AssertionError(answer.text)


def pending_actions(purchase: Purchase) -> set[str]:
    """The actions that Microsoft has not finished."""
    mine = (
        each for each in purchase.marketplace.stats()["operations"].values() if each["subscription_id"] == purchase.id
    )
    return {each["action"] for each in mine if each["status"] == "InProgress"}


def wait_until_settled(purchase: Purchase) -> None:
    wait_until(lambda: purchase.marketplace.stats()["busy"] == 0 and not pending_actions(purchase), 60)


def assert_equal_states(purchase: Purchase, note: object) -> None:
    """Checks that both sides are equal, and the ledger has each operation once."""
    copy = purchase.marketplace.send("GET", f"saas/subscriptions/{purchase.id}").json()
    operations = purchase.marketplace.stats()["operations"].values()
    assert purchase.terms == purchase.at_microsoft, note
    assert purchase.row.term_starts_at.date().isoformat() == copy["term"]["startDate"][:10], note
    assert purchase.applied == {each["id"]: 1 for each in operations if each["subscription_id"] == purchase.id}, note
    expected = {"subscribed": "active", "suspended": "suspended", "unsubscribed": "cancelled"}
    assert purchase.tenant.status == expected[purchase.row.status], note
    if purchase.row.status != "unsubscribed":
        assert purchase.tenant.seat_limit == purchase.row.quantity, note


def size_of(database_url: str, postgres: int, sqlite: int) -> int:
    return sqlite if database_url.startswith("sqlite") else postgres


def test_events_may_arrive_in_any_order_and_number_from_four_senders(buy, emulator, proxy, engine, database_url):
    dice = random.Random(SEED)  # noqa: S311 - likewise
    proxy.dice, proxy.max_delay, proxy.loss_rate = random.Random(SEED), 0.01, 0.1  # noqa: S311 - likewise
    emulator.execute("pace", ack_seconds=0)
    for case in sample(tries(size_of(database_url, 24, 6))):
        purchase = buy()
        emulator.execute("shapes", held=True)
        events = [perform(purchase, action) for action in case.history]
        if dice.random() < 0.5:
            emulator.execute("faults", operation={**dice.choice(FAULTS), "times": dice.randint(1, 6)})
        emulator.execute("release", operations=[events[event] for event in case.deliveries], workers=WORKERS)
        wait_until_settled(purchase)
        emulator.emulator.faults.clear()

        assert_equal_states(purchase, (SEED, case))
    assert violations(engine) == []


def test_late_events_during_new_ones_have_the_same_result(buy, emulator, proxy, engine, database_url):
    dice = random.Random(SEED)  # noqa: S311 - likewise
    proxy.dice, proxy.max_delay, proxy.loss_rate = random.Random(SEED), 0.06, 0.15  # noqa: S311 - likewise
    for case in sample(tries(size_of(database_url, 12, 6)), which=lambda history: history[-1] != "Unsubscribe"):
        purchase = buy()
        emulator.execute("shapes", held=False, copies=dice.randint(1, 3))
        emulator.execute("pace", ack_seconds=dice.choice((0.05, 0.4, 1.0)))
        for action in case.history:
            emulator.execute(
                "faults", **{"get.answer": {"delay": dice.choice((0.05, 0.2)), "times": dice.randint(1, 3)}}
            )
            perform(purchase, action)
        wait_until_settled(purchase)
        emulator.emulator.faults.clear()

        assert_equal_states(purchase, (SEED, case))
    assert violations(engine) == []


def test_a_seat_reduction_refused_in_time_or_too_late_gives_equal_states(buy, emulator, proxy, engine, entra):
    dice = random.Random(SEED)  # noqa: S311 - likewise
    proxy.dice, proxy.max_delay, proxy.loss_rate = random.Random(SEED), 0.05, 0.2  # noqa: S311 - likewise
    for number in range(tries(6)):
        purchase = buy()
        for _ in range(3):
            colleague = product.person(entra, proxy.hosts[0], purchase.tid)
            assert colleague.post("sign-in").status == 200
        emulator.execute("shapes", held=False, copies=dice.randint(1, 3))
        emulator.execute("pace", ack_seconds=dice.choice((0.02, 0.1, 0.3)))
        for action in ("Renew", "Cut", "Suspend", "Reinstate"):
            perform(purchase, action)
        wait_until_settled(purchase)

        assert_equal_states(purchase, (SEED, number))
        assert purchase.tenant.seats_used == 4
    assert violations(engine) == []
