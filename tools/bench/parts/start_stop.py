"""Start and stop over HTTP, the product and a baseline in turns, at several numbers of connections.

The baseline (`tools/bench/baseline`) is the least that a correct answer could cost on this server.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tools.bench.bench import Bench
from tools.bench.data import database
from tools.bench.data.database import Database
from tools.bench.data.directory import API, EXTENSION, Directory
from tools.bench.load.generator import Measured
from tools.bench.load.processes import PROJECT, host
from tools.bench.load.rounds import CELLS, Ratio, figures, load, ratio
from tools.bench.page import Found, aim
from tools.tables import Table


BASELINE: Final = Path(__file__).resolve().parents[1] / "baseline"
AIM: Final = 1.5
_CONNECTIONS: Final = (1, 4, 8)
_ITEMS_EACH: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Pair:
    """Rounds of one number of connections: the nth of the baseline ran right before the nth of ours."""

    connections: int
    baseline: list[Measured] = field(default_factory=list)
    ours: list[Measured] = field(default_factory=list)

    @property
    def over(self) -> Ratio:
        return ratio(self.ours, self.baseline)


def run(bench: Bench) -> Found:
    """All rounds; machines drift, so the two are never further apart than one round."""
    pairs = [Pair(connections) for connections in _CONNECTIONS]
    with (
        host(BASELINE, baseline_settings(bench)) as baseline,
        host(PROJECT, settings(bench.directory, database.empty(bench.sqlite, "pairs"))) as ours,
    ):
        for number in range(bench.rounds):
            for each in pairs:
                people = talks(bench.directory, each.connections)
                each.baseline.append(load(baseline, people, seconds=bench.seconds))
                each.ours.append(load(ours, people, seconds=bench.seconds))
            bench.progress("start and stop", (number + 1) / bench.rounds)
    rows = []
    for each in pairs:
        rows.append(["baseline", str(each.connections), *figures(each.baseline).cells(), ""])
        rows.append(["**ours**", str(each.connections), *figures(each.ours).cells(), str(each.over)])
    verdict = aim(
        "On one connection a start and a stop take", pairs[0].over.median, AIM, " times as long as the baseline"
    )
    return Found([Table("Start and stop", ("", "conns", *CELLS, "over the baseline"), rows)], [verdict])


def settings(directory: Directory, on: Database) -> Mapping[str, str]:
    """What the product is told; nothing of the developer's own settings gets in."""
    return {
        "DATABASE_URL": on.url,
        "ENTRA_AUTHORITY": directory.authority,
        "ENTRA_KEYS_URL": directory.keys_url,
        "ENTRA_API_CLIENT_ID": API,
        "ENTRA_CLIENT_IDS": EXTENSION,
        "CORS_ALLOWED_ORIGINS": "https://extension.example",
        "PYTHON_THREADPOOL_THREAD_COUNT": "16",
    }


def baseline_settings(bench: Bench) -> Mapping[str, str]:
    """What the baseline is told; its starts and stops go to a database of its own."""
    own = bench.folder / "baseline.db"
    for old in own.parent.glob(f"{own.name}*"):
        old.unlink()
    return {
        "BASELINE_DATABASE": str(own),
        "BASELINE_KEYS_URL": bench.directory.keys_url,
        "BASELINE_AUDIENCE": API,
        "BASELINE_ISSUER": bench.directory.issuer,
        "PYTHON_THREADPOOL_THREAD_COUNT": "16",
    }


def talks(directory: Directory, people: int) -> list[dict[str, Any]]:
    """So many people, each on a connection of their own and at work items of their own."""
    return [
        {"kind": "pair", "base": "/api/timers", "token": directory.token(user), "first_item": user * _ITEMS_EACH}
        for user in range(people)
    ]
