"""Start and stop over HTTP, the product and a baseline in turns, at several numbers of connections.

The baseline (`tools/bench/baseline`) is the cheapest correct response on this server.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tools.bench.bench import Bench
from tools.bench.data import database
from tools.bench.data.database import Database
from tools.bench.data.directory import API, EXTENSION, Directory
from tools.bench.load.generator import Measurement
from tools.bench.load.processes import PROJECT, start_host
from tools.bench.load.rounds import CELLS, Ratio, build_figures, build_ratio, run_load
from tools.bench.page import PartResult, build_verdict
from tools.tables import Table


BASELINE: Final = Path(__file__).resolve().parents[1] / "baseline"
AIM: Final = 1.5
_CONNECTIONS: Final = (1, 4, 8)
_ITEMS_EACH: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class BaselineComparison:
    """Rounds of one number of connections; the nth round of the baseline ran right before ours."""

    connections: int
    baseline: list[Measurement] = field(default_factory=list)
    product: list[Measurement] = field(default_factory=list)

    @property
    def ratio(self) -> Ratio:
        return build_ratio(self.product, self.baseline)


def run(bench: Bench) -> PartResult:
    """Runs baseline and product in turns, since the speed of machines drifts."""
    comparisons = [BaselineComparison(connections) for connections in _CONNECTIONS]
    with (
        start_host(BASELINE, baseline_settings(bench)) as baseline,
        start_host(PROJECT, settings(bench.directory, database.create_empty(bench.sqlite, "pairs"))) as product,
    ):
        for number in range(bench.rounds):
            for each in comparisons:
                load_connections = build_connections(bench.directory, each.connections)
                each.baseline.append(run_load(baseline, load_connections, seconds=bench.seconds))
                each.product.append(run_load(product, load_connections, seconds=bench.seconds))
            bench.progress("start and stop", (number + 1) / bench.rounds)
    rows = []
    for each in comparisons:
        rows.append(["baseline", str(each.connections), *build_figures(each.baseline).cells(), ""])
        rows.append(["**ours**", str(each.connections), *build_figures(each.product).cells(), str(each.ratio)])
    verdict = build_verdict(
        "On one connection a start and a stop take", comparisons[0].ratio.median, AIM, " times as long as the baseline"
    )
    return PartResult([Table("Start and stop", ("", "conns", *CELLS, "over the baseline"), rows)], [verdict])


def settings(directory: Directory, target: Database) -> Mapping[str, str]:
    """The settings of the product, without those of the developer."""
    return {
        "DATABASE_URL": target.url,
        "ENTRA_AUTHORITY": directory.authority,
        "ENTRA_KEYS_URL": directory.keys_url,
        "ENTRA_API_CLIENT_ID": API,
        "ENTRA_CLIENT_IDS": EXTENSION,
        "CORS_ALLOWED_ORIGINS": "https://extension.example",
        "PYTHON_THREADPOOL_THREAD_COUNT": "16",
    }


def baseline_settings(bench: Bench) -> Mapping[str, str]:
    """The settings of the baseline, with its own database."""
    database_file = bench.folder / "baseline.db"
    for old in database_file.parent.glob(f"{database_file.name}*"):
        old.unlink()
    return {
        "BASELINE_DATABASE": str(database_file),
        "BASELINE_KEYS_URL": bench.directory.keys_url,
        "BASELINE_AUDIENCE": API,
        "BASELINE_ISSUER": bench.directory.issuer,
        "PYTHON_THREADPOOL_THREAD_COUNT": "16",
    }


def build_connections(directory: Directory, load_connections: int) -> list[dict[str, Any]]:
    """Connections of so many people, each with its own work items."""
    return [
        {"kind": "pair", "base": "/api/timers", "token": directory.token(user), "first_item": user * _ITEMS_EACH}
        for user in range(load_connections)
    ]
