"""Start and stop over HTTP, the product and the floor in turns, at several numbers of connections."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools.bench.bench import Bench
from tools.bench.data import database as ground
from tools.bench.data.database import Ground
from tools.bench.data.directory import API, EXTENSION, Directory
from tools.bench.load.generator import Measured
from tools.bench.load.processes import PROJECT, Host, host
from tools.bench.load.rounds import load


CONNECTIONS: Final = (1, 4, 8)
WARM_UP: Final = 0.5
FLOOR: Final = Path(__file__).resolve().parents[1] / "floors" / "app"
_ITEMS_EACH: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Pair:
    """Rounds of one number of connections: the nth of the floor ran right before the nth of ours."""

    connections: int
    floor: list[Measured]
    ours: list[Measured]


@contextlib.contextmanager
def hosts(bench: Bench, on: Ground) -> Iterator[tuple[Host, Host]]:
    """The floor and the product, side by side on the same kind of host."""
    with (
        host(FLOOR, floor_settings(bench, on)) as floor,
        host(PROJECT, settings(bench.directory, on)) as ours,
    ):
        yield floor, ours


def settings(directory: Directory, on: Ground) -> Mapping[str, str]:
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


def floor_settings(bench: Bench, on: Ground) -> Mapping[str, str]:
    """What the floor is told; its starts and stops go to a database of its own."""
    own, directory = bench.folder / "floor.db", bench.directory
    for old in own.parent.glob(f"{own.name}*"):
        old.unlink()
    return {
        "FLOOR_DATABASE": str(own),
        "FLOOR_REPORT_DATABASE": on.url,
        "FLOOR_KEYS_URL": directory.keys_url,
        "FLOOR_AUDIENCE": API,
        "FLOOR_ISSUER": directory.issuer,
        "PYTHON_THREADPOOL_THREAD_COUNT": "16",
    }


def run(bench: Bench) -> list[Pair]:
    """All rounds; machines drift, so the two are never further apart than one round.

    Raises:
        LoadFailed: an answer was wrong.
    """
    with hosts(bench, ground.empty(bench.sqlite, "pairs")) as (floor, ours):
        pairs = [Pair(connections, [], []) for connections in CONNECTIONS]
        for number in range(bench.rounds):
            for each in pairs:
                people = talks(bench.directory, each.connections)
                each.floor.append(load(floor, people, seconds=bench.seconds, warm_up=WARM_UP))
                each.ours.append(load(ours, people, seconds=bench.seconds, warm_up=WARM_UP))
                done = number * len(pairs) + pairs.index(each) + 1
                bench.progress("start and stop", done / (bench.rounds * len(pairs)))
    return pairs


def talks(directory: Directory, people: int) -> list[dict[str, Any]]:
    """So many people, each on a connection of their own and at work items of their own."""
    return [
        {"kind": "pair", "base": "/api/timers", "token": directory.token(user), "first_item": user * _ITEMS_EACH}
        for user in range(people)
    ]
