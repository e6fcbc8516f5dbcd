"""The month's report over HTTP, beside bare sums of the same data, on each engine: by grouping, format and size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tools.bench.bench import Bench
from tools.bench.data.database import Ground
from tools.bench.data.rows import REPORT_MONTH, thin_months
from tools.bench.load.generator import Measured
from tools.bench.load.processes import Host
from tools.bench.load.rounds import load
from tools.bench.parts.start_stop import hosts


WARM_UP: Final = 0.3
MOST_SECONDS: Final = 2.0  # of a round: a report is slow and steady, so a short one says as much
BY_PROJECT: Final = "by project"
_CSV_OF: Final = '"Project","Person","E-mail"'


@dataclass(frozen=True, slots=True)
class Case:
    """One report on one table at one number of connections; floor and ours took turns."""

    engine: str
    entries: int
    month_rows: int
    report: str
    connections: int
    floor: list[Measured]
    ours: list[Measured]


@dataclass(frozen=True, slots=True)
class Asked:
    """A report to ask for; `expected` stands in each answer, unless that is the month's total."""

    report: str
    query: str = ""
    month: str = REPORT_MONTH
    expected: str | None = None
    connections: Sequence[int] = (1,)


REPORTS: Final = (
    Asked(BY_PROJECT, connections=(1, 4)),
    Asked("by project and user", "&groupBy=project,user", connections=(1, 4)),
    Asked("by work item", "&groupBy=workItem"),
    Asked("by project and user, CSV", "&groupBy=project,user&format=csv", expected=_CSV_OF, connections=(1, 4)),
)


def run(bench: Bench, *, entries: int) -> list[Case]:
    """Every report of one large tenant.

    Raises:
        LoadFailed: an answer was wrong, or does not add up to what is in the table.
    """
    thin = [Asked("by project, a thin month", month=month) for month in list(thin_months(entries))[:1]]
    cases: list[Case] = []
    for engine in bench.engines:
        on = bench.filled(engine, entries)
        cases.extend(_cases(bench, on, [*REPORTS, *thin], f"reports on {engine.name}"))
    return cases


def growth(bench: Bench, *, sizes: Sequence[int]) -> list[Case]:
    """The report by project, of months of several sizes in tables of several sizes; raises as `run`."""
    cases: list[Case] = []
    for engine in bench.engines:
        for size in sizes:
            asked = [Asked(BY_PROJECT, month=month) for month in (*thin_months(size), REPORT_MONTH)]
            cases.extend(_cases(bench, bench.filled(engine, size), asked, f"{size:,} entries on {engine.name}"))
    return cases


def _cases(bench: Bench, on: Ground, asked: Sequence[Asked], step: str) -> Iterator[Case]:
    with hosts(bench, on) as (floor, ours):
        turns = _Turns(bench.directory.token(0), floor, ours, on, bench.rounds, min(bench.seconds, MOST_SECONDS))
        for number, each in enumerate(asked):
            yield from turns.of(each)
            bench.progress(step, (number + 1) / len(asked))


@dataclass(frozen=True, slots=True)
class _Turns:
    """Two hosts on one database, and how often and how long each is to be asked."""

    token: str
    floor: Host
    ours: Host
    on: Ground
    rounds: int
    seconds: float

    def of(self, asked: Asked) -> Iterator[Case]:
        rows, total = self.on.total(asked.month)
        path = f"/api/reports/month?month={asked.month}"
        floor_talk = self._talk(path, f'"totalMs": {total}')
        our_talk = self._talk(path + asked.query, asked.expected or f'"totalMs":{total}')
        for connections in asked.connections:
            case = Case(self.on.engine.name, self.on.entries, rows, asked.report, connections, [], [])
            for _ in range(self.rounds):
                for host, talk, kept in ((self.floor, floor_talk, case.floor), (self.ours, our_talk, case.ours)):
                    kept.append(load(host, [talk] * connections, seconds=self.seconds, warm_up=WARM_UP))
            yield case

    def _talk(self, path: str, expected: str) -> dict[str, Any]:
        return {"kind": "read", "path": path, "token": self.token, "expected": expected}
