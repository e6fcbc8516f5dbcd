"""The settings of a benchmark: folder, engines, rounds, length and amount of data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.bench.data.directory import Directory
from tools.bench.data.engines import Engine


@dataclass(frozen=True, slots=True)
class Bench:
    """`seconds` is the length of a round; `progress` gets a step and its progress from 0 to 1."""

    directory: Directory
    folder: Path
    engines: Sequence[Engine]
    rounds: int
    seconds: float
    entries: int
    progress: Callable[[str, float], None]

    @property
    def sqlite(self) -> Engine:
        return next(each for each in self.engines if each.name == "SQLite")
