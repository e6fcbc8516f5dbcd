"""The monthly report of a large tenant over HTTP, on each engine, by grouping and format."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from tools.bench.bench import Bench
from tools.bench.data import database
from tools.bench.data.database import Database
from tools.bench.data.rows import REPORT_MONTH
from tools.bench.load.processes import PROJECT, Host, start_host
from tools.bench.load.rounds import CELLS, build_figures, run_load
from tools.bench.page import PartResult, build_verdict
from tools.bench.parts.start_stop import settings
from tools.tables import Table


AIM_MS: Final = 50.0
AIM_ENTRIES: Final = 1_000_000
_MAX_SECONDS: Final = 2.0  # per round; reports are steady
_CONNECTIONS: Final = (1, 4)


@dataclass(frozen=True, slots=True)
class Report:
    """A report; `expected` is in each response (default: the total of the month)."""

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


def run(bench: Bench) -> PartResult:
    rows: list[list[str]] = []
    verdicts: list[str] = []
    for engine in bench.engines:
        target = database.create_filled(bench, engine, bench.entries)
        with start_host(PROJECT, settings(bench.directory, target)) as product:
            for row, p50 in _measure(bench, product, target):
                rows.append([row[0], engine.name, *row[1:]])
                if row[:2] == [BY_PROJECT.name, "1"]:
                    verdicts.append(
                        build_verdict(
                            f"On {engine.name} the median by project on one connection is", p50, AIM_MS, " ms"
                        )
                    )
    verdicts += (
        [] if bench.entries >= AIM_ENTRIES else [f"The tenant had {bench.entries:,} entries, too few for the aim."]
    )
    return PartResult([Table("Monthly report", ("report", "engine", "conns", *CELLS), rows)], verdicts)


def _measure(bench: Bench, product: Host, target: Database) -> Iterator[tuple[list[str], float]]:
    """The row and the median of each report and number of connections."""
    for number, report in enumerate(REPORTS):
        for connections in _CONNECTIONS:
            seconds, load_connections = (
                min(bench.seconds, _MAX_SECONDS),
                [build_connection(bench, target, report)] * connections,
            )
            result = build_figures([run_load(product, load_connections, seconds=seconds) for _ in range(bench.rounds)])
            yield [report.name, str(connections), *result.cells()], result.p50
        bench.progress(f"reports on {target.engine.name}", (number + 1) / len(REPORTS))


def build_connection(bench: Bench, target: Database, report: Report = BY_PROJECT) -> dict[str, Any]:
    """The repeated report, checked against the total in the table."""
    path = f"/api/reports/month?month={REPORT_MONTH}{report.query}"
    expected = report.expected or f'"totalMs":{target.total(REPORT_MONTH)[1]}'
    return {"kind": "read", "path": path, "token": bench.directory.token(0), "expected": expected}
