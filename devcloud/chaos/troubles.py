"""Every kind of trouble a run can make: how it begins, how long it lasts, and how it ends."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from devcloud.chaos.cloud import Cloud
from devcloud.chaos.fleet import Fleet, token
from devcloud.chaos.processes import start_all
from devcloud.faults import Fault


End = Callable[[], None]
CLOCKS: Final = "clocks stepped"
MOST_OFF: Final = 55.0  # seconds that a clock is set off: within the minute of leeway that tokens are given


@dataclass(frozen=True, slots=True)
class Trouble:
    """`begin` does it and returns what ends it; it lasts between so many seconds."""

    kind: str
    begin: Callable[[random.Random], End]
    least: float = 0.0
    most: float = 0.0


def troubles(cloud: Cloud, fleet: Fleet) -> list[Trouble]:
    """What can be done to this cloud."""
    found = [*_of_workers(cloud), *_of_entra(cloud, fleet), *_of_azure_devops(cloud), *_of_marketplace(cloud)]
    found += _of_line(cloud) if cloud.database.server is not None else _of_file(cloud)
    return found


def _of_workers(cloud: Cloud) -> list[Trouble]:
    def killed(dice: random.Random) -> End:
        worker = dice.choice(cloud.workers)
        worker.kill()
        return worker.start

    def all_killed(_dice: random.Random) -> End:
        for each in cloud.workers:
            each.kill()
        return lambda: start_all(cloud.workers)

    def right() -> None:
        for each in cloud.workers:
            each.set_clock(0.0)

    def stepped(dice: random.Random) -> End:
        for each in dice.sample(cloud.workers, dice.randint(1, len(cloud.workers))):
            each.set_clock(round(dice.uniform(-MOST_OFF, MOST_OFF), 3))
        return right

    return [
        Trouble("worker killed (kill -9)", killed, 0.1, 1.0),
        Trouble("all workers killed", all_killed, 0.1, 1.0),
        Trouble(CLOCKS, stepped, 1.0, 4.0),
    ]


def _of_line(cloud: Cloud) -> list[Trouble]:
    """What happens to a database server and the way to it."""
    server, line = cloud.database.server, cloud.database.line
    assert server is not None  # noqa: S101 - the caller has looked
    assert line is not None  # noqa: S101 - it has one then

    def crashed(_dice: random.Random) -> End:
        server.crash()
        return server.start

    def mode(name: str, least: float, most: float) -> Callable[[random.Random], End]:
        def begin(dice: random.Random) -> End:
            line.order(name, round(dice.uniform(least, most), 3))
            return lambda: line.order("open")

        return begin

    return [
        Trouble("database crashed (immediate)", crashed, 0.2, 2.0),
        Trouble("connections cut", mode("cut", 0, 0)),
        Trouble("connections refused", mode("refuse", 0, 0), 0.5, 3.0),
        Trouble("slow line", mode("slow", 0.005, 0.05), 1.0, 3.0),
        Trouble("black hole", mode("hole", 0, 0), 1.0, 14.0),
        Trouble("COMMIT done, answer lost", mode("lose-answer", 5, 40), 1.0, 2.5),
        Trouble("COMMIT lost", mode("lose-commit", 5, 40), 1.0, 2.5),
    ]


def _of_file(cloud: Cloud) -> list[Trouble]:
    """What happens to a database that is a file."""
    kept = cloud.database

    def full(_dice: random.Random) -> End:
        kept.fill_disk()
        return kept.free_disk

    held = [Trouble("write lock held", lambda _dice: kept.hold(), 1.0, 8.0)]
    return held if kept.disk is None else [*held, Trouble("disk full", full, 0.5, 3.0)]


def _of_entra(cloud: Cloud, fleet: Fleet) -> list[Trouble]:
    entra = cloud.entra

    def keys_down(dice: random.Random) -> End:
        fault = dice.choice((Fault(status=503), Fault(hang=True), Fault(body="<html>sorry</html>")))
        entra.faults.order({"keys": fault, "discovery": fault, "keys_v1": fault})
        return entra.faults.clear

    def rotated(_dice: random.Random) -> End:
        entra.keys.roll_over()
        for each in fleet.people:
            history = each.history
            each.client.token = token(cloud, history.tid, history.oid, each.name)
        return lambda: None

    return [Trouble("Entra's keys down", keys_down, 1.0, 5.0), Trouble("Entra's keys rotated", rotated)]


def _of_azure_devops(cloud: Cloud) -> list[Trouble]:
    shapes: tuple[Mapping[str, Any], ...] = (
        {"lost_answer": True},
        {"late_landing": 1.5},
        {"cut": True},
        {"delay": 5},
        {"status": 503},
        {"status": 429, "headers": {"Retry-After": "1"}},
        {"status": 203, "body": "<html>Sign In</html>"},
    )

    def begin(dice: random.Random) -> End:
        faults = cloud.azure_devops.workspace.faults
        for endpoint in dice.sample(("update", "work_item", "updates"), dice.randint(1, 3)):
            usable = [each for each in shapes if endpoint == "update" or "late_landing" not in each]
            faults.order({endpoint: Fault(**dice.choice(usable))})
        return faults.clear

    return [Trouble("Azure DevOps in trouble", begin, 1.0, 4.0)]


def _of_marketplace(cloud: Cloud) -> list[Trouble]:
    """Its API fails, is slow, or does its work and loses the answer; Entra gives no token for it."""

    def begin(dice: random.Random) -> End:
        shop = cloud.marketplace
        asked = dice.sample(("get", "operation", "resolve", "activate", "plans", "acknowledge", "usage_batch"), 3)
        faults = [Fault(status=500), Fault(status=429), Fault(delay=round(dice.uniform(0.5, 4.0), 1))]
        shop.admin.order_faults({name + dice.choice(("", ".answer")): dice.choice(faults) for name in asked})
        if dice.random() < 0.3:  # noqa: PLR2004 - a share like any other
            cloud.entra.faults.order({"token": Fault(status=503)})

        def end() -> None:
            shop.faults.clear()
            cloud.entra.faults.clear()

        return end

    return [Trouble("Marketplace in trouble", begin, 1.0, 4.0)]
