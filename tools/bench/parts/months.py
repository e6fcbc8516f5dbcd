"""The month's report of one large tenant over HTTP, on each engine, by grouping and format."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from tools.bench.bench import Bench
from tools.bench.data import database
from tools.bench.data.database import Database
from tools.bench.data.rows import REPORT_MONTH
from tools.bench.load.processes import PROJECT, Host, host
from tools.bench.load.rounds import CELLS, figures, load
from tools.bench.page import Found, aim
from tools.bench.parts.start_stop import settings
from tools.tables import Table


AIM_MS: Final = 50.0
AIM_ENTRIES: Final = 1_000_000
_MOST_SECONDS: Final = 2.0  # of a round: a report is slow and steady, so a short one says as much
_CONNECTIONS: Final = (1, 4)


@dataclass(frozen=True, slots=True)
class Report:
    """A report to ask for; `expected` stands in each answer, unless that is the month's total."""

    name: str
    query: str = ""
    expected: str | None = None


BY_PROJECT: Final = Report("by project")
REPORTS: Final = (
    BY_PROJECT,
    Report("by project and user", "&groupBy=project,user"),
    Report("by work item", "&groupBy=workItem"),
    Report("by project and user, CSV", "&groupBy=project,user&format=csv", '"Project","Person","E-mail"'),
)


def run(bench: Bench) -> Found:
    rows: list[list[str]] = []
    verdicts: list[str] = []
    for engine in bench.engines:
        on = database.filled(bench, engine, bench.entries)
        with host(PROJECT, settings(bench.directory, on)) as ours:
            for row, p50 in _measured(bench, ours, on):
                rows.append([row[0], engine.name, *row[1:]])
                if row[:2] == [BY_PROJECT.name, "1"]:
                    verdicts.append(
                        aim(f"On {engine.name} the median by project on one connection is", p50, AIM_MS, " ms")
                    )
    verdicts += (
        []
        if bench.entries >= AIM_ENTRIES
        else [f"The tenant had {bench.entries:,} entries, which says nothing of the aim."]
    )
    return Found([Table("The month's report", ("report", "engine", "conns", *CELLS), rows)], verdicts)


def _measured(bench: Bench, ours: Host, on: Database) -> Iterator[tuple[list[str], float]]:
    """The row of each report and number of connections, and its median."""
    for number, report in enumerate(REPORTS):
        for connections in _CONNECTIONS:
            seconds, asked = min(bench.seconds, _MOST_SECONDS), [talk(bench, on, report)] * connections
            found = figures([load(ours, asked, seconds=seconds) for _ in range(bench.rounds)])
            yield [report.name, str(connections), *found.cells()], found.p50
        bench.progress(f"reports on {on.engine.name}", (number + 1) / len(REPORTS))


def talk(bench: Bench, on: Database, report: Report = BY_PROJECT) -> dict[str, Any]:
    """The report over and over, held against the month's total as it is in the table."""
    path = f"/api/reports/month?month={REPORT_MONTH}{report.query}"
    expected = report.expected or f'"totalMs":{on.total(REPORT_MONTH)[1]}'
    return {"kind": "read", "path": path, "token": bench.directory.token(0), "expected": expected}
