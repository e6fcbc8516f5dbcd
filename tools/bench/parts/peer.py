"""The product beside the floor and TimeTagger, in turns: start and stop over HTTP, and a month of as many records."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from tools.bench.bench import Bench
from tools.bench.data import database as ground
from tools.bench.data.database import Ground
from tools.bench.data.rows import REPORT_MONTH
from tools.bench.floors import peer_host
from tools.bench.floors.peer_host import Peer
from tools.bench.load.generator import Measured
from tools.bench.load.processes import Host
from tools.bench.load.rounds import Ratio, load, median_of, ratio
from tools.bench.parts.start_stop import WARM_UP, hosts, talks


CONNECTIONS: Final = (1, 8)
Talk: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Beside:
    """Rounds of one thing that all do: the nth of the floor, of ours and of the peer ran one after the other."""

    what: str
    connections: int
    names: tuple[str, ...]
    floor: list[Measured] = field(default_factory=list)
    ours: list[Measured] = field(default_factory=list)
    peer: list[Measured] = field(default_factory=list)

    def over(self, others: list[Measured]) -> Ratio:
        """Ours over the floor, or over the peer."""
        ours, other = ([median_of(one, *self.names) for one in rounds] for rounds in (self.ours, others))
        return ratio(ours, other)


def run(bench: Bench, *, sizes: Sequence[int]) -> list[Beside]:
    """Start and stop, then the month in tables of these sizes.

    Raises:
        LoadFailed: an answer of one of them was wrong.
    """
    found = []
    with _all(bench, ground.empty(bench.sqlite, "peer"), "timers") as servers:
        found = [_timers(bench, servers, connections) for connections in CONNECTIONS]
    for size in sizes:
        on = bench.filled(bench.sqlite, size)
        with _all(bench, on, str(size)) as servers:
            found.append(_month(bench, servers, on))
    return found


@dataclass(frozen=True, slots=True)
class _Servers:
    floor: Host
    ours: Host
    peer: Peer


def _timers(bench: Bench, servers: _Servers, connections: int) -> Beside:
    people = talks(bench.directory, connections)
    theirs = [{"kind": "peer", "base": peer_host.API, "token": servers.peer.tokens[n]} for n in range(connections)]
    return _rounds(bench, servers, Beside("start + stop", connections, ("start", "stop")), (people, people, theirs))


def _month(bench: Bench, servers: _Servers, on: Ground) -> Beside:
    """Ours is summed up and theirs is the list that their client sums up; all of the same rows."""
    rows, total = on.total(REPORT_MONTH)
    path, token = f"/api/reports/month?month={REPORT_MONTH}", bench.directory.token(0)
    floor, ours = (
        {"kind": "read", "path": path, "token": token, "expected": expected}
        for expected in (f'"totalMs": {total}', f'"totalMs":{total}')
    )
    theirs = {
        "kind": "read",
        "path": servers.peer.records(REPORT_MONTH),
        "token": servers.peer.tokens[0],
        "expected": '{"records":',
        "header": "authtoken:",
    }
    beside = Beside(f"month of {rows:,} in {on.entries:,}", 1, ("read",))
    return _rounds(bench, servers, beside, ([floor], [ours], [theirs]))


def _rounds(
    bench: Bench, servers: _Servers, beside: Beside, said: tuple[Sequence[Talk], Sequence[Talk], Sequence[Talk]]
) -> Beside:
    turns = zip(
        (servers.floor, servers.ours, servers.peer.host), said, (beside.floor, beside.ours, beside.peer), strict=True
    )
    each_turn = list(turns)
    for number in range(bench.rounds):
        for server, connections, kept in each_turn:
            kept.append(load(server, connections, seconds=bench.seconds, warm_up=WARM_UP))
        bench.progress(f"beside TimeTagger: {beside.what}, {beside.connections}", (number + 1) / bench.rounds)
    return beside


@contextlib.contextmanager
def _all(bench: Bench, on: Ground, data: str) -> Iterator[_Servers]:
    """The three servers, with as many records at the peer as the product has entries."""
    folder = bench.folder / "peer" / data
    folder.mkdir(parents=True, exist_ok=True)
    filled = folder / "filled"
    with peer_host.running(folder) as peer, hosts(bench, on) as (floor, ours):
        if on.entries and not filled.exists():
            for done in peer_host.fill(peer, on.entries):
                bench.progress(f"filling TimeTagger, {on.entries:,}", done)
            filled.touch()
        yield _Servers(floor, ours, peer)
