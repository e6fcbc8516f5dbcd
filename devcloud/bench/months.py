"""The month's report over HTTP, beside a bare GROUP BY on the same data: by size of the table, grouping and format."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from devcloud.bench import ground
from devcloud.bench.directory import Directory
from devcloud.bench.load import Measured
from devcloud.bench.measure import load
from devcloud.bench.pairs import hosts
from devcloud.bench.processes import Host


WARM_UP: Final = 0.3
SMALLER: Final = (100, 10)  # the same reports on a table this many times smaller
CSV_OF: Final = "Project,Person,E-mail"


@dataclass(frozen=True, slots=True)
class Case:
    """One report on one table at one number of connections; floor and ours took turns."""

    entries: int
    month_rows: int
    report: str
    connections: int
    floor: list[Measured]
    ours: list[Measured]


@dataclass(frozen=True, slots=True)
class _Asked:
    name: str
    query: str
    expected: str
    connections: Sequence[int]
    month: str = ground.REPORT_MONTH


def run(
    directory: Directory,
    folder: Path,
    *,
    entries: int,
    rounds: int,
    seconds: float,
    progress: Callable[[str, float], None],
) -> list[Case]:
    """Every case, the small tables first.

    Raises:
        LoadFailed: an answer was wrong, or does not add up to what is in the table.
    """
    cases: list[Case] = []
    for size in [*(entries // part for part in SMALLER), entries]:
        database = ground.filled(folder, size, lambda done, size=size: progress(f"{size:,} entries", done))  # type: ignore[misc]
        with hosts(directory, database) as (floor, ours):
            asked = _asked(database, in_full=size == entries)
            for number, each in enumerate(asked):
                case = _Runs(directory, floor, ours, database, size, rounds, seconds)
                cases.extend(case.of(each, connections) for connections in each.connections)
                progress(f"reports, {size:,}", (number + 1) / len(asked))
    return cases


def _asked(database: Path, *, in_full: bool) -> list[_Asked]:
    total = f'"totalMs":{ground.month_total(database, ground.REPORT_MONTH)[1]}'
    thin = f'"totalMs":{ground.month_total(database, ground.THIN_MONTH)[1]}'
    asked = [
        _Asked("by project", "", total, (1, 4) if in_full else (1,)),
        _Asked("by project, a thin month", "", thin, (1,), ground.THIN_MONTH),
    ]
    if in_full:
        asked.append(_Asked("by project and user", "&groupBy=project,user", total, (1, 4)))
        asked.append(_Asked("by project and user, CSV", "&groupBy=project,user&format=csv", CSV_OF, (1, 4)))
    return asked


@dataclass(frozen=True, slots=True)
class _Runs:
    """Two hosts on one database, and how often and how long each is to be asked."""

    directory: Directory
    floor: Host
    ours: Host
    database: Path
    entries: int
    rounds: int
    seconds: float

    def of(self, asked: _Asked, connections: int) -> Case:
        rows, total = ground.month_total(self.database, asked.month)
        case = Case(self.entries, rows, asked.name, connections, [], [])
        path = f"/api/reports/month?month={asked.month}"
        floor_talk = self._talk(path, f'"totalMs": {total}')
        our_talk = self._talk(path + asked.query, asked.expected)
        for _ in range(self.rounds):
            for host, talk, kept in ((self.floor, floor_talk, case.floor), (self.ours, our_talk, case.ours)):
                kept.append(load(host, [talk] * connections, seconds=self.seconds, warm_up=WARM_UP))
        return case

    def _talk(self, path: str, expected: str) -> dict[str, Any]:
        return {"kind": "read", "path": path, "token": self.directory.token(0), "expected": expected}
