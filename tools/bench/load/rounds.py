"""Runs the load generator against a host, and turns rounds of it into the figures of a table."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from subprocess import PIPE
from typing import Any, Final

from tools.bench.load.generator import Measured
from tools.bench.load.processes import PROJECT, Host


DRAIN: Final = 10.0


class LoadFailed(Exception):
    """The load generator could not do its work, or got wrong answers or none; its own words tell why."""


def load(
    host: Host,
    connections: Sequence[dict[str, Any]],
    *,
    seconds: float,
    warm_up: float,
    rate: float | None = None,
    drain: float = DRAIN,
) -> Measured:
    """One run of the load: each connection as fast as it is answered, or `rate` requests a second in all.

    Raises:
        LoadFailed: the generator fell over, an answer was wrong, or there was none `drain` seconds after the end.
    """
    [measured] = load_slices(host, connections, slices=1, seconds=seconds, warm_up=warm_up, rate=rate, drain=drain)
    return measured


def load_slices(
    host: Host,
    connections: Sequence[dict[str, Any]],
    *,
    slices: int,
    seconds: float,
    warm_up: float,
    rate: float | None,
    drain: float = DRAIN,
    is_over: Callable[[], bool] = lambda: False,
) -> Iterator[Measured]:
    """A run in slices of `seconds` each, every one handed out at its end, all of them on the same connections.

    Where it `is_over` before the last of them, it still ends in order: nothing is left open on the server.

    Raises:
        LoadFailed: as `load`.
    """
    talks = [{"host": f"127.0.0.1:{host.port}", **each} for each in connections]
    timed = {"slices": slices, "seconds": seconds, "warm_up": warm_up, "rate": rate, "drain": drain}
    plan = {"port": host.port, "server_pid": host.pid, "connections": talks, **timed}
    command = [sys.executable, "-m", "tools.bench.load.generator"]
    with subprocess.Popen(command, cwd=PROJECT, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True) as running:  # noqa: S603 - our own command
        assert running.stdin is not None and running.stdout is not None and running.stderr is not None  # noqa: PT018, S101
        try:
            running.stdin.write(f"{json.dumps(plan)}\n")
            running.stdin.flush()
            for line in running.stdout:
                measured = Measured(**json.loads(line))
                if measured.errors:
                    raise LoadFailed(f"{measured.errors} answers wrong or missing: {'; '.join(measured.told)}")
                yield measured
                if is_over():
                    running.stdin.close()
            if running.wait():
                raise LoadFailed(running.stderr.read().strip().splitlines()[-1])
        finally:
            running.kill()


@dataclass(frozen=True, slots=True)
class Figures:
    """One case over all its rounds: milliseconds, requests per second, and what each request cost the server."""

    p50: float
    p90: float
    p95: float
    p99: float
    most: float
    rps: float
    requests: int
    server_cpu_ms: float
    server_rss_mb: float
    load_share: float  # of one core
    foreign_share: float  # of all cores, used by neither the server nor the load
    answer_bytes: int


def figures(rounds: Sequence[Measured], *names: str) -> Figures:
    """The rounds taken together; the latencies of several names count as one."""
    values = sorted(value for each in rounds for name in names for value in each.latencies.get(name, ()))
    seconds = sum(each.seconds for each in rounds)
    requests = sum(each.answers for each in rounds)
    server, loading = sum(each.server_cpu for each in rounds), sum(each.load_cpu for each in rounds)
    foreign = sum(each.machine_cpu for each in rounds) - server - loading
    return Figures(
        p50=percentile(values, 50),
        p90=percentile(values, 90),
        p95=percentile(values, 95),
        p99=percentile(values, 99),
        most=values[-1] / 1000,
        rps=requests / seconds,
        requests=requests,
        server_cpu_ms=server / requests * 1000,
        server_rss_mb=max(each.server_rss_mb for each in rounds),
        load_share=loading / seconds,
        foreign_share=max(0.0, foreign) / seconds / (os.cpu_count() or 1),
        answer_bytes=rounds[-1].answer_bytes,
    )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Milliseconds, from microseconds that are sorted; nearest rank."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] / 1000


@dataclass(frozen=True, slots=True)
class Ratio:
    """Ours over the floor: the median over the rounds, and the least and the most of any round."""

    median: float
    least: float
    most: float


def ratio(ours: Sequence[float], floor: Sequence[float]) -> Ratio:
    each = [ours_one / floor_one for ours_one, floor_one in zip(ours, floor, strict=True)]
    return Ratio(statistics.median(each), min(each), max(each))


def median_of(measured: Measured, *names: str) -> float:
    """The sum of the medians of these names, in milliseconds: a start and a stop are one thing to a person."""
    return sum(statistics.median(measured.latencies[name]) for name in names) / 1000
