"""The import of the app in a new host, by module."""

from typing import Final

from tools import cold_start
from tools.bench.bench import Bench
from tools.bench.page import PartResult, build_verdict
from tools.tables import Table


_MOST: Final = 10


def run(bench: Bench) -> PartResult:
    measured_start = cold_start.measure(bench.rounds)
    rows = [[name, f"{spent:.0f}"] for name, spent in [*measured_start.milliseconds.items()][:_MOST]]
    verdict = build_verdict(
        "A cold start takes", measured_start.cpu_seconds, cold_start.BUDGET_SECONDS, " s of processor time"
    )
    return PartResult([Table("Importing the app", ("module", "ms"), rows)], [verdict])
