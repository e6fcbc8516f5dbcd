"""Start and stop over HTTP, the product and the floor in turns, at several numbers of connections."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devcloud.bench import ground
from devcloud.bench.directory import API, EXTENSION, Directory
from devcloud.bench.load import Measured
from devcloud.bench.measure import load
from devcloud.bench.processes import PROJECT, Host, host


CONNECTIONS: Final = (1, 4, 8)
WARM_UP: Final = 0.5
_FLOOR: Final = Path(__file__).parent / "floor_app"
_ITEMS_EACH: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Pair:
    """Rounds of one number of connections: the nth of the floor ran right before the nth of ours."""

    connections: int
    floor: list[Measured]
    ours: list[Measured]


@contextlib.contextmanager
def hosts(directory: Directory, database: Path) -> Iterator[tuple[Host, Host]]:
    """The floor and the product, side by side on the same kind of host; the product's database is given."""
    with (
        host(_FLOOR, floor_settings(directory, database)) as floor,
        host(PROJECT, settings(directory, database)) as ours,
    ):
        yield floor, ours


def settings(directory: Directory, database: Path) -> Mapping[str, str]:
    """What the product is told; nothing of the developer's own settings gets in."""
    return {
        "DATABASE_URL": ground.url_of(database),
        "ENTRA_AUTHORITY": directory.authority,
        "ENTRA_KEYS_URL": directory.keys_url,
        "ENTRA_API_CLIENT_ID": API,
        "ENTRA_CLIENT_IDS": EXTENSION,
        "CORS_ALLOWED_ORIGINS": "https://extension.example",
        "PYTHON_THREADPOOL_THREAD_COUNT": "16",
    }


def floor_settings(directory: Directory, database: Path) -> Mapping[str, str]:
    own = database.with_name("floor.db")
    for old in own.parent.glob(f"{own.name}*"):
        old.unlink()
    return {
        "FLOOR_DATABASE": str(own),
        "FLOOR_REPORT_DATABASE": str(database),
        "FLOOR_KEYS_URL": directory.keys_url,
        "FLOOR_AUDIENCE": API,
        "FLOOR_ISSUER": directory.issuer,
        "PYTHON_THREADPOOL_THREAD_COUNT": "16",
    }


def run(
    directory: Directory, folder: Path, *, rounds: int, seconds: float, progress: Callable[[float], None]
) -> list[Pair]:
    """All rounds; machines drift, so the two are never further apart than one round.

    Raises:
        LoadFailed: an answer was wrong.
    """
    tokens = [directory.token(number) for number in range(max(CONNECTIONS))]
    with hosts(directory, ground.empty(folder / "pairs.db")) as (floor, ours):
        pairs = [Pair(connections, [], []) for connections in CONNECTIONS]
        for number in range(rounds):
            for each in pairs:
                talks = [_talk(tokens, user) for user in range(each.connections)]
                each.floor.append(load(floor, talks, seconds=seconds, warm_up=WARM_UP))
                each.ours.append(load(ours, talks, seconds=seconds, warm_up=WARM_UP))
                progress((number * len(pairs) + pairs.index(each) + 1) / (rounds * len(pairs)))
    return pairs


def _talk(tokens: list[str], user: int) -> dict[str, object]:
    return {"kind": "pair", "base": "/api/timers", "token": tokens[user], "first_item": user * _ITEMS_EACH}
