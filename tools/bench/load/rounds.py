"""Runs the load generator against a host, and turns its rounds into the figures of a table."""

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from tools.bench.load.generator import Measured
from tools.bench.load.processes import PROJECT, Host


DRAIN: Final = 10.0
WARM_UP: Final = 0.5


class LoadFailed(Exception):
    """The load generator could not do its work, or got wrong answers or none; its own words tell why."""


def load(
    host: Host,
    connections: Sequence[dict[str, Any]],
    *,
    seconds: float,
    warm_up: float = WARM_UP,
    drain: float = DRAIN,
) -> Measured:
    """One round: each connection as fast as it is answered.

    Raises:
        LoadFailed: the generator fell over, an answer was wrong, or there was none `drain` seconds after the end.
    """
    talks = [{"host": f"127.0.0.1:{host.port}", **each} for each in connections]
    timed = {"seconds": seconds, "warm_up": warm_up, "drain": drain}
    plan = {"port": host.port, "server_pid": host.pid, "connections": talks, **timed}
    command = [sys.executable, "-m", "tools.bench.load.generator"]
    done = subprocess.run(  # noqa: S603 - our own command
        command, cwd=PROJECT, input=f"{json.dumps(plan)}\n", capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise LoadFailed(done.stderr.strip().splitlines()[-1])
    measured = Measured(**json.loads(done.stdout))
    if measured.errors:
        raise LoadFailed(f"answers wrong or missing: {'; '.join(measured.errors)}")
    return measured


@dataclass(frozen=True, slots=True)
class Figures:
    """One case over all its rounds: milliseconds, requests per second, and what each request cost the server."""

    p50: float
    p99: float
    most: float
    rps: float
    server_cpu_ms: float
    server_rss_mb: float

    def cells(self) -> list[str]:
        """As `CELLS` names them."""
        times = [f"{self.p50:.2f}", f"{self.p99:.2f}", f"{self.most:.0f}"]
        return [*times, f"{self.rps:.0f}", f"{self.server_cpu_ms:.2f}", f"{self.server_rss_mb:.0f}"]


CELLS: Final = ("p50 ms", "p99", "max", "req/s", "CPU ms/req", "RSS MB")


def figures(rounds: Sequence[Measured]) -> Figures:
    """The rounds taken together; the latencies of all names count as one."""
    values = sorted(value for each in rounds for named in each.latencies.values() for value in named)
    requests = len(values)
    return Figures(
        p50=percentile(values, 50) / 1000,
        p99=percentile(values, 99) / 1000,
        most=values[-1] / 1000,
        rps=requests / sum(each.seconds for each in rounds),
        server_cpu_ms=sum(each.server_cpu for each in rounds) / requests * 1000,
        server_rss_mb=max(each.server_rss_mb for each in rounds),
    )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Of what is sorted; nearest rank."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


@dataclass(frozen=True, slots=True)
class Ratio:
    """Ours over another's: the median over the rounds, and the least and the most of any round."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f} to {self.most:.2f})"


def ratio(ours: Sequence[Measured], others: Sequence[Measured]) -> Ratio:
    """Of the sums of each round's medians: a start and a stop are one thing to a person."""
    each = [_medians(one) / _medians(other) for one, other in zip(ours, others, strict=True)]
    return Ratio(statistics.median(each), min(each), max(each))


def _medians(measured: Measured) -> float:
    return sum(map(statistics.median, measured.latencies.values()))
