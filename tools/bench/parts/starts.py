"""What importing the app costs a new host, and which modules take the most of it."""

from typing import Final

from tools import cold_start
from tools.bench.bench import Bench
from tools.bench.page import Found, aim
from tools.tables import Table


_MOST: Final = 10


def run(bench: Bench) -> Found:
    start = cold_start.measure(bench.rounds)
    rows = [[name, f"{spent:.0f}"] for name, spent in [*start.milliseconds.items()][:_MOST]]
    verdict = aim("A cold start takes", start.cpu_seconds, cold_start.BUDGET_SECONDS, " s of processor time")
    return Found([Table("Importing the app", ("module", "ms"), rows)], [verdict])
