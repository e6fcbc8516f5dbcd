"""Start and stop at fixed rates, as people come: a latency counts from when its request was due."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tools.bench.bench import Bench
from tools.bench.data import database as ground
from tools.bench.load.generator import Measured
from tools.bench.load.processes import PROJECT, host
from tools.bench.load.rounds import load
from tools.bench.parts.start_stop import WARM_UP, settings, talks


PEOPLE: Final = 32  # each waits for their own answers only
RATES: Final = (25, 50, 100)


@dataclass(frozen=True, slots=True)
class Steady:
    """Rounds of one rate, in requests per second, on one engine."""

    engine: str
    rate: int
    rounds: list[Measured]


def run(bench: Bench, *, rates: Sequence[int] = RATES) -> list[Steady]:
    """Every rate on each engine.

    Raises:
        LoadFailed: an answer was wrong.
    """
    found = []
    people = talks(bench.directory, PEOPLE)
    for engine in bench.engines:
        with host(PROJECT, settings(bench.directory, ground.empty(engine, "rates"))) as ours:
            load(ours, people, seconds=1.0, warm_up=WARM_UP)  # every thread has its connection
            for number, rate in enumerate(rates):
                rounds = [
                    load(ours, people, seconds=bench.seconds, warm_up=WARM_UP, rate=rate) for _ in range(bench.rounds)
                ]
                found.append(Steady(engine.name, rate, rounds))
                bench.progress(f"at fixed rates on {engine.name}", (number + 1) / len(rates))
    return found
