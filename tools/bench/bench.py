"""What every part of a bench is given: where it runs, on which engines, how often and how long."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.bench.data import database as ground
from tools.bench.data.database import Ground
from tools.bench.data.directory import Directory
from tools.bench.data.engines import Engine, Sqlite


@dataclass(frozen=True, slots=True)
class Bench:
    """`seconds` is the length of a round; `progress` is told a step and how much of it is done, from 0 to 1."""

    directory: Directory
    folder: Path
    engines: Sequence[Engine]
    rounds: int
    seconds: float
    progress: Callable[[str, float], None]

    @property
    def sqlite(self) -> Engine:
        return next(each for each in self.engines if isinstance(each, Sqlite))

    def filled(self, engine: Engine, entries: int) -> Ground:
        return ground.filled(engine, entries, lambda done: self.progress(f"filling {engine.name}, {entries:,}", done))
