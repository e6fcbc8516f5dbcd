"""All kinds of faults."""

import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from devcloud.emulators.faults import Fault, Faults
from tools.chaos.clients.fleet import Fleet
from tools.chaos.cloud.cloud import Cloud
from tools.chaos.cloud.processes import start_all
from tools.chaos.faults.fault import End, FaultKind
from tools.chaos.faults.signing_keys import KeyFaults


CLOCK_FAULT: Final = "clocks stepped"
MAX_CLOCK_OFFSET: Final = 55.0  # seconds; tokens have a leeway of a minute
_CONNECTIONS: Final = "connections"
_COMMITS: Final = "COMMITs"
_PACKETS: Final = "packets"
_REQUESTS: Final = "requests"
_WORKERS: Final = "workers"


def build_faults(cloud: Cloud, fleet: Fleet) -> list[FaultKind]:
    """The faults that are possible in this cloud."""
    faults = [
        *_worker_faults(cloud),
        *KeyFaults(cloud, fleet).build(),
        *_azure_devops_faults(cloud),
        *_marketplace_faults(cloud),
    ]
    faults += _server_faults(cloud) if cloud.database.server is not None else _file_faults(cloud)
    return faults


def _worker_faults(cloud: Cloud) -> list[FaultKind]:
    def kill_worker(rng: random.Random) -> End:
        worker = rng.choice(cloud.workers)
        affected = int(worker.kill())

        def end() -> int:
            worker.start()
            return affected

        return end

    def kill_all(_rng: random.Random) -> End:
        affected = sum(each.kill() for each in cloud.workers)

        def end() -> int:
            start_all(cloud.workers)
            return affected

        return end

    def count_reads() -> int:
        return sum(each.clocks.reads for each in cloud.workers)

    def shift_clocks(rng: random.Random) -> End:
        before = count_reads()
        for each in rng.sample(cloud.workers, rng.randint(1, len(cloud.workers))):
            each.clocks.set_offset(round(rng.uniform(-MAX_CLOCK_OFFSET, MAX_CLOCK_OFFSET), 3))

        def end() -> int:
            for each in cloud.workers:
                each.clocks.set_offset(0.0)
            return count_reads() - before

        return end

    return [
        FaultKind("worker killed (kill -9)", _WORKERS, kill_worker, 0.1, 1.0),
        FaultKind("all workers killed", _WORKERS, kill_all, 0.1, 1.0),
        FaultKind(CLOCK_FAULT, "clock reads", shift_clocks, 1.0, 4.0),
    ]


def _server_faults(cloud: Cloud) -> list[FaultKind]:
    """Faults of a database server and of the network to it."""
    server, proxy = cloud.database.server, cloud.database.proxy
    assert server is not None  # noqa: S101 - checked by the caller
    assert proxy is not None  # noqa: S101 - a server has one

    def crash(_rng: random.Random) -> End:
        proxy.set_mode("watch")
        server.crash()

        def end() -> int:
            server.start()
            return proxy.set_mode("open")

        return end

    def mode(name: str, low: float, high: float) -> Callable[[random.Random], End]:
        def begin(rng: random.Random) -> End:
            proxy.set_mode(name, round(rng.uniform(low, high), 3))
            return lambda: proxy.set_mode("open")

        return begin

    return [
        FaultKind("database crashed (immediate)", _CONNECTIONS, crash, 0.2, 2.0),
        FaultKind("connections cut", _CONNECTIONS, mode("cut", 0, 0)),
        FaultKind("connections refused", _CONNECTIONS, mode("refuse", 0, 0), 0.5, 3.0),
        FaultKind("latency", _PACKETS, mode("slow", 0.005, 0.05), 1.0, 3.0),
        FaultKind("packet loss", _PACKETS, mode("hole", 0, 0), 1.0, 14.0),
        FaultKind("COMMIT done, response lost", _COMMITS, mode("lose-answer", 5, 40), 1.0, 2.5),
        FaultKind("COMMIT lost", _COMMITS, mode("lose-commit", 5, 40), 1.0, 2.5),
    ]


def _file_faults(cloud: Cloud) -> list[FaultKind]:
    """Faults of a database file."""
    database = cloud.database

    def lock(_rng: random.Random) -> End:
        release = database.lock_for_writing()

        def end() -> int:
            if release is None:
                return 0
            release()
            return 1

        return end

    def fill(_rng: random.Random) -> End:
        before = _count_failures(cloud)
        database.fill_disk()

        def end() -> int:
            database.free_disk()
            return _count_failures(cloud) - before

        return end

    faults = [FaultKind("write lock held", "locks", lock, 1.0, 8.0)]
    return faults if database.disk is None else [*faults, FaultKind("disk full", "failed requests", fill, 0.5, 3.0)]


def _count_failures(cloud: Cloud) -> int:
    """The number of failed requests in the logs of the workers."""
    return sum(each.log.read_bytes().count(b'"request_failed"') for each in cloud.workers)


def _azure_devops_faults(cloud: Cloud) -> list[FaultKind]:
    shapes: tuple[Mapping[str, Any], ...] = (
        {"lost_answer": True},
        {"late_landing": 1.5},
        {"cut": True},
        {"delay": 5},
        {"status": 503},
        {"status": 429, "headers": {"Retry-After": "1"}},
        {"status": 203, "body": "<html>Sign In</html>"},
    )

    def begin(rng: random.Random) -> End:
        faults, faults_by_endpoint = cloud.azure_devops.workspace.faults, {}
        for endpoint in rng.sample(("update", "work_item", "updates"), rng.randint(1, 3)):
            possible_shapes = [each for each in shapes if endpoint == "update" or "late_landing" not in each]
            faults_by_endpoint[endpoint] = Fault(**rng.choice(possible_shapes))
        faults.set(faults_by_endpoint)
        return _until_cleared(faults, faults_by_endpoint)

    return [FaultKind("Azure DevOps failing", _REQUESTS, begin, 1.0, 4.0)]


def _marketplace_faults(cloud: Cloud) -> list[FaultKind]:
    """Failing or slow responses, responses lost after the work, and failing token requests."""

    def begin(rng: random.Random) -> End:
        marketplace, entra = cloud.marketplace, cloud.entra
        endpoint_names = rng.sample(
            ("get", "operation", "resolve", "activate", "plans", "acknowledge", "usage_batch"), 3
        )
        faults = [Fault(status=500), Fault(status=429), Fault(delay=round(rng.uniform(0.5, 4.0), 1))]
        faults_by_endpoint = {name + rng.choice(("", ".answer")): rng.choice(faults) for name in endpoint_names}
        marketplace.admin.set_faults(faults_by_endpoint)
        without_token = {"token": Fault(status=503)} if rng.random() < 0.3 else {}  # noqa: PLR2004 - a share of the runs
        entra.faults.set(without_token)
        ends = [_until_cleared(marketplace.faults, faults_by_endpoint), _until_cleared(entra.faults, without_token)]
        return lambda: sum(end() for end in ends)

    return [FaultKind("Marketplace failing", _REQUESTS, begin, 1.0, 4.0)]


def _until_cleared(faults: Faults, endpoints: Iterable[str]) -> End:
    """Clears the faults of an emulator; returns the number of requests to these endpoints."""
    names = list(endpoints)

    def hits() -> int:
        counts = faults.hits()
        return sum(counts.get(name, 0) for name in names)

    before = hits()

    def end() -> int:
        affected = hits() - before
        faults.clear()
        return affected

    return end
