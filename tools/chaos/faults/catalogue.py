"""Every kind of trouble a run can make: how it begins, how long it lasts, and how it ends."""

import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from devcloud.emulators.faults import Fault, Faults
from tools.chaos.clients.fleet import Fleet
from tools.chaos.cloud.cloud import Cloud
from tools.chaos.cloud.processes import start_all
from tools.chaos.faults.fault import End, Trouble
from tools.chaos.faults.signing_keys import Keys


CLOCKS: Final = "clocks stepped"
MOST_OFF: Final = 55.0  # seconds that a clock is set off: within the minute of leeway that tokens are given
_CONNECTIONS: Final = "connections"
_COMMITS: Final = "COMMITs"
_PACKETS: Final = "packets"
_REQUESTS: Final = "requests"
_WORKERS: Final = "workers"


def troubles(cloud: Cloud, fleet: Fleet) -> list[Trouble]:
    """What can be done to this cloud."""
    found = [*_of_workers(cloud), *Keys(cloud, fleet).troubles(), *_of_azure_devops(cloud), *_of_marketplace(cloud)]
    found += _of_line(cloud) if cloud.database.server is not None else _of_file(cloud)
    return found


def _of_workers(cloud: Cloud) -> list[Trouble]:
    def killed(dice: random.Random) -> End:
        worker = dice.choice(cloud.workers)
        met = int(worker.kill())

        def end() -> int:
            worker.start()
            return met

        return end

    def all_killed(_dice: random.Random) -> End:
        met = sum(each.kill() for each in cloud.workers)

        def end() -> int:
            start_all(cloud.workers)
            return met

        return end

    def looks() -> int:
        return sum(each.clocks.looks for each in cloud.workers)

    def stepped(dice: random.Random) -> End:
        before = looks()
        for each in dice.sample(cloud.workers, dice.randint(1, len(cloud.workers))):
            each.clocks.set_off(round(dice.uniform(-MOST_OFF, MOST_OFF), 3))

        def end() -> int:
            for each in cloud.workers:
                each.clocks.set_off(0.0)
            return looks() - before

        return end

    return [
        Trouble("worker killed (kill -9)", _WORKERS, killed, 0.1, 1.0),
        Trouble("all workers killed", _WORKERS, all_killed, 0.1, 1.0),
        Trouble(CLOCKS, "looks at a clock", stepped, 1.0, 4.0),
    ]


def _of_line(cloud: Cloud) -> list[Trouble]:
    """What happens to a database server and the way to it."""
    server, line = cloud.database.server, cloud.database.line
    assert server is not None  # noqa: S101 - the caller has looked
    assert line is not None  # noqa: S101 - it has one then

    def crashed(_dice: random.Random) -> End:
        line.order("watch")
        server.crash()

        def end() -> int:
            server.start()
            return line.order("open")

        return end

    def mode(name: str, least: float, most: float) -> Callable[[random.Random], End]:
        def begin(dice: random.Random) -> End:
            line.order(name, round(dice.uniform(least, most), 3))
            return lambda: line.order("open")

        return begin

    return [
        Trouble("database crashed (immediate)", _CONNECTIONS, crashed, 0.2, 2.0),
        Trouble("connections cut", _CONNECTIONS, mode("cut", 0, 0)),
        Trouble("connections refused", _CONNECTIONS, mode("refuse", 0, 0), 0.5, 3.0),
        Trouble("slow line", _PACKETS, mode("slow", 0.005, 0.05), 1.0, 3.0),
        Trouble("black hole", _PACKETS, mode("hole", 0, 0), 1.0, 14.0),
        Trouble("COMMIT done, answer lost", _COMMITS, mode("lose-answer", 5, 40), 1.0, 2.5),
        Trouble("COMMIT lost", _COMMITS, mode("lose-commit", 5, 40), 1.0, 2.5),
    ]


def _of_file(cloud: Cloud) -> list[Trouble]:
    """What happens to a database that is a file."""
    kept = cloud.database

    def held(_dice: random.Random) -> End:
        give_back = kept.hold()

        def end() -> int:
            if give_back is None:
                return 0
            give_back()
            return 1

        return end

    def full(_dice: random.Random) -> End:
        before = _failed(cloud)
        kept.fill_disk()

        def end() -> int:
            kept.free_disk()
            return _failed(cloud) - before

        return end

    found = [Trouble("write lock held", "locks", held, 1.0, 8.0)]
    return found if kept.disk is None else [*found, Trouble("disk full", "failed requests", full, 0.5, 3.0)]


def _failed(cloud: Cloud) -> int:
    """How many requests the workers have failed to answer, by their logs."""
    return sum(each.log.read_bytes().count(b'"request_failed"') for each in cloud.workers)


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
        faults, ordered = cloud.azure_devops.workspace.faults, {}
        for endpoint in dice.sample(("update", "work_item", "updates"), dice.randint(1, 3)):
            usable = [each for each in shapes if endpoint == "update" or "late_landing" not in each]
            ordered[endpoint] = Fault(**dice.choice(usable))
        faults.order(ordered)
        return _until_cleared(faults, ordered)

    return [Trouble("Azure DevOps in trouble", _REQUESTS, begin, 1.0, 4.0)]


def _of_marketplace(cloud: Cloud) -> list[Trouble]:
    """Its API fails, is slow, or does its work and loses the answer; Entra gives no token for it."""

    def begin(dice: random.Random) -> End:
        shop, entra = cloud.marketplace, cloud.entra
        asked = dice.sample(("get", "operation", "resolve", "activate", "plans", "acknowledge", "usage_batch"), 3)
        faults = [Fault(status=500), Fault(status=429), Fault(delay=round(dice.uniform(0.5, 4.0), 1))]
        ordered = {name + dice.choice(("", ".answer")): dice.choice(faults) for name in asked}
        shop.admin.order_faults(ordered)
        without_token = {"token": Fault(status=503)} if dice.random() < 0.3 else {}  # noqa: PLR2004 - a share like any
        entra.faults.order(without_token)
        ends = [_until_cleared(shop.faults, ordered), _until_cleared(entra.faults, without_token)]
        return lambda: sum(end() for end in ends)

    return [Trouble("Marketplace in trouble", _REQUESTS, begin, 1.0, 4.0)]


def _until_cleared(faults: Faults, endpoints: Iterable[str]) -> End:
    """Clears the faults of a stand-in; until then requests to these endpoints meet one."""
    names = list(endpoints)

    def hits() -> int:
        found = faults.hits()
        return sum(found.get(name, 0) for name in names)

    before = hits()

    def end() -> int:
        met = hits() - before
        faults.clear()
        return met

    return end
