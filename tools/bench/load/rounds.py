"""Runs the load generator against a host, and computes the figures of a table."""

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from tools.bench.load.generator import Measurement
from tools.bench.load.processes import PROJECT, Host


DRAIN: Final = 10.0
WARM_UP: Final = 0.5


class LoadFailed(Exception):
    """The load generator failed, or responses were wrong or missing; the message has the reason."""


def run_load(
    host: Host,
    connections: Sequence[dict[str, Any]],
    *,
    seconds: float,
    warm_up: float = WARM_UP,
    drain: float = DRAIN,
) -> Measurement:
    """Runs one round; each connection sends as fast as responses arrive.

    Raises:
        LoadFailed: the generator failed, or a response was wrong or missing `drain` seconds after the end.
    """
    connections_with_host = [{"host": f"127.0.0.1:{host.port}", **each} for each in connections]
    times = {"seconds": seconds, "warm_up": warm_up, "drain": drain}
    plan = {"port": host.port, "server_pid": host.pid, "connections": connections_with_host, **times}
    command = [sys.executable, "-m", "tools.bench.load.generator"]
    process = subprocess.run(  # noqa: S603 - our own command
        command, cwd=PROJECT, input=f"{json.dumps(plan)}\n", capture_output=True, text=True, check=False
    )
    if process.returncode:
        raise LoadFailed(process.stderr.strip().splitlines()[-1])
    measured = Measurement(**json.loads(process.stdout))
    if measured.errors:
        raise LoadFailed(f"responses wrong or missing: {'; '.join(measured.errors)}")
    return measured


@dataclass(frozen=True, slots=True)
class Figures:
    """One case over all rounds: latency in ms, requests per second, and cost per request on the server."""

    p50: float
    p99: float
    maximum: float
    rps: float
    server_cpu_ms: float
    server_rss_mb: float

    def cells(self) -> list[str]:
        """The values in the order of `CELLS`."""
        times = [f"{self.p50:.2f}", f"{self.p99:.2f}", f"{self.maximum:.0f}"]
        return [*times, f"{self.rps:.0f}", f"{self.server_cpu_ms:.2f}", f"{self.server_rss_mb:.0f}"]


CELLS: Final = ("p50 ms", "p99", "max", "req/s", "CPU ms/req", "RSS MB")


def build_figures(rounds: Sequence[Measurement]) -> Figures:
    """The figures of all rounds together, and of latencies of all names."""
    values = sorted(value for each in rounds for latencies in each.latencies.values() for value in latencies)
    requests = len(values)
    return Figures(
        p50=percentile(values, 50) / 1000,
        p99=percentile(values, 99) / 1000,
        maximum=values[-1] / 1000,
        rps=requests / sum(each.seconds for each in rounds),
        server_cpu_ms=sum(each.server_cpu for each in rounds) / requests * 1000,
        server_rss_mb=max(each.server_rss_mb for each in rounds),
    )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Nearest rank in a sorted sequence."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


@dataclass(frozen=True, slots=True)
class Ratio:
    """Our time divided by the reference: median, minimum and maximum over the rounds."""

    median: float
    minimum: float
    maximum: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.minimum:.2f} to {self.maximum:.2f})"


def build_ratio(ours: Sequence[Measurement], reference: Sequence[Measurement]) -> Ratio:
    """The ratio of the sums of medians per round, since a start and a stop belong together."""
    each = [_medians(one) / _medians(other) for one, other in zip(ours, reference, strict=True)]
    return Ratio(statistics.median(each), min(each), max(each))


def _medians(measured: Measurement) -> float:
    return sum(map(statistics.median, measured.latencies.values()))
