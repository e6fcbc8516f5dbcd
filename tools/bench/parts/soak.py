"""A long run at a steady rate on kept connections: whether memory and open files stay, and every answer is right."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tools.bench.bench import Bench
from tools.bench.data import database as ground
from tools.bench.data.engines import Engine
from tools.bench.load.generator import Measured
from tools.bench.load.processes import PROJECT, host, tree
from tools.bench.load.rounds import load_slices
from tools.bench.parts.start_stop import settings, talks


RATE: Final = 25
PEOPLE: Final = 8
SLICES: Final = 30
WARM_SLICES: Final = 3  # by then every thread has its connection, and every statement is compiled
_WARM_UP: Final = 0.2


@dataclass(slots=True)
class Soak:
    """A slice after the other: what was measured, and the server's resident MB and open files at its end."""

    engine: str
    minutes: float
    slices: list[Measured] = field(default_factory=list)
    open_files: list[int] = field(default_factory=list)

    @property
    def memory_mb(self) -> list[float]:
        """At the end of each slice once the server is warm."""
        return [each.server_rss_mb for each in self.slices[WARM_SLICES:]]

    @property
    def growth(self) -> float:
        """Of memory, from the warm third of the run to the last third, as a share."""
        memory = self.memory_mb
        third = max(1, len(memory) // 3)
        first, last = (sum(part) / third for part in (memory[:third], memory[-third:]))
        return last / first - 1


def run(bench: Bench, *, minutes: float) -> Soak:
    """Starts and stops, sign-ins and reports on the last engine, which is the server where there is one.

    Raises:
        LoadFailed: an answer was wrong, or none came.
    """
    engine: Engine = bench.engines[-1]
    soak = Soak(engine.name, minutes)
    with host(PROJECT, settings(bench.directory, ground.empty(engine, "soak"))) as ours:
        length, people = minutes * 60 / SLICES, _people(bench)
        slices = load_slices(ours, people, slices=SLICES, seconds=length, warm_up=_WARM_UP, rate=RATE)
        for number, measured in enumerate(slices, start=1):
            soak.slices.append(measured)
            soak.open_files.append(_open_files(ours.pid))
            bench.progress(f"{minutes:g} minutes at a steady rate", number / SLICES)
    return soak


def _people(bench: Bench) -> list[dict[str, Any]]:
    token = bench.directory.token(0)
    reading = {"kind": "read", "path": "/api/reports/month?month=2020-01", "token": token, "expected": '"totalMs":0'}
    signing_in = {"kind": "sign-in", "token": token, "expected": '"tenant"'}
    return [*talks(bench.directory, PEOPLE), reading, signing_in]


def _open_files(pid: int) -> int:
    return sum(len(list(Path(f"/proc/{each}/fd").iterdir())) for each in tree(pid))
