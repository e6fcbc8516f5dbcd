"""A sign-in, which each opening of the extension begins with, and a host's first answer, each beside the floor."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tools.bench.bench import Bench
from tools.bench.data import database as ground
from tools.bench.load.generator import Measured
from tools.bench.load.processes import PROJECT, Host, host, rss_mb, tree
from tools.bench.load.rounds import load
from tools.bench.parts.start_stop import FLOOR, WARM_UP, floor_settings, hosts, settings, talks


CONNECTIONS: Final = (1, 8)
_NOTHING_LONGER: Final = 0.2


@dataclass(frozen=True, slots=True)
class SignIns:
    """Rounds of one number of connections; the floor's answer is a start or a stop: a verified token and one write."""

    connections: int
    floor: list[Measured]
    ours: list[Measured]


@dataclass(slots=True)
class Starts:
    """Seconds from a new process to a host that listens, milliseconds of its first answer, and MB after it."""

    ready: list[float] = field(default_factory=list)
    first_ms: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)


def sign_ins(bench: Bench) -> list[SignIns]:
    """Each person signs in over and over.

    Raises:
        LoadFailed: an answer was wrong.
    """
    found = [SignIns(connections, [], []) for connections in CONNECTIONS]
    with hosts(bench, ground.empty(bench.sqlite, "sign_ins")) as (floor, ours):
        for number in range(bench.rounds):
            for each in found:
                people = talks(bench.directory, each.connections)
                signing_in = [{"kind": "sign-in", "token": one["token"], "expected": '"contoso"'} for one in people]
                each.floor.append(load(floor, people, seconds=bench.seconds, warm_up=WARM_UP))
                each.ours.append(load(ours, signing_in, seconds=bench.seconds, warm_up=WARM_UP))
            bench.progress("sign-ins", (number + 1) / bench.rounds)
    return found


def starts(bench: Bench) -> tuple[Starts, Starts]:
    """The floor's and ours: a new host each time, and the first thing it is asked for is a start."""
    on = ground.empty(bench.sqlite, "starts")
    floor, ours = Starts(), Starts()
    for number in range(bench.rounds):
        _start(bench, floor, FLOOR, floor_settings(bench, on))
        _start(bench, ours, PROJECT, settings(bench.directory, on))
        bench.progress("new hosts", (number + 1) / bench.rounds)
    return floor, ours


def _start(bench: Bench, starts: Starts, app: Path, told: Mapping[str, str]) -> None:
    began = time.perf_counter()
    with host(app, told) as fresh:
        starts.ready.append(time.perf_counter() - began)
        starts.first_ms.append(_first(fresh, talks(bench.directory, 1)))
        starts.memory_mb.append(rss_mb(tree(fresh.pid)))


def _first(fresh: Host, people: list[dict[str, Any]]) -> float:
    """Milliseconds of the first of all its answers."""
    measured = load(fresh, people, seconds=_NOTHING_LONGER, warm_up=0.0)
    return measured.latencies["start"][0] / 1000
