"""The product beside TimeTagger, in turns: start and stop over HTTP, and a month of as many records."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tools.bench.bench import Bench
from tools.bench.data import database
from tools.bench.data.rows import REPORT_MONTH
from tools.bench.load import peer_server
from tools.bench.load.generator import Measured
from tools.bench.load.processes import PROJECT, Host, host
from tools.bench.load.rounds import CELLS, Ratio, figures, load, ratio
from tools.bench.page import Found, aim
from tools.bench.parts import months
from tools.bench.parts.start_stop import settings, talks
from tools.tables import Table


AIM: Final = 1.0
_CONNECTIONS: Final = (1, 8)
_MOST_ENTRIES: Final = 100_000  # the peer takes long to be filled


@dataclass(frozen=True, slots=True)
class Beside:
    """Rounds of one thing that both do: the nth of ours and of the peer ran one after the other."""

    what: str
    connections: int
    ours: list[Measured] = field(default_factory=list)
    peer: list[Measured] = field(default_factory=list)

    @property
    def over(self) -> Ratio:
        return ratio(self.ours, self.peer)


def run(bench: Bench) -> Found:
    """On SQLite, which the peer has too."""
    folder, entries = bench.folder / "peer", min(bench.entries, _MOST_ENTRIES)
    with (
        peer_server.running(folder / "timers") as peer,
        host(PROJECT, settings(bench.directory, database.empty(bench.sqlite, "peer"))) as ours,
    ):
        found = [_timers(bench, ours, peer, connections) for connections in _CONNECTIONS]
    on = database.filled(bench, bench.sqlite, entries)
    with peer_server.running(folder / str(entries)) as peer, host(PROJECT, settings(bench.directory, on)) as ours:
        filled = folder / str(entries) / "filled"
        if not filled.exists():
            peer_server.fill(peer, entries)
            filled.touch()
        found.append(_month(bench, ours, peer, on))
    rows = []
    for each in found:
        rows.append([each.what, str(each.connections), "**ours**", *figures(each.ours).cells(), str(each.over)])
        rows.append([each.what, str(each.connections), "TimeTagger", *figures(each.peer).cells(), ""])
    verdicts = [
        aim(
            f"{each.what}, {each.connections} at once: ours takes",
            each.over.median,
            AIM,
            " times as long as TimeTagger",
        )
        for each in found
    ]
    return Found([Table("Beside TimeTagger", ("", "conns", "", *CELLS, "over TimeTagger"), rows)], verdicts)


def _timers(bench: Bench, ours: Host, peer: peer_server.Peer, connections: int) -> Beside:
    theirs = [{"kind": "peer", "base": peer_server.API, "token": peer.tokens[number]} for number in range(connections)]
    beside = Beside("start and stop", connections)
    return _rounds(bench, beside, (ours, talks(bench.directory, connections)), (peer.host, theirs))


def _month(bench: Bench, ours: Host, peer: peer_server.Peer, on: database.Database) -> Beside:
    """Ours is summed up and theirs is the list that their client sums up; all of the same rows."""
    theirs = {"kind": "read", "path": peer_server.records(REPORT_MONTH), "token": peer.tokens[0]}
    theirs |= {"expected": '{"records":', "header": "authtoken:"}
    beside = Beside(f"a month of {on.total(REPORT_MONTH)[0]:,}", 1)
    return _rounds(bench, beside, (ours, [months.talk(bench, on)]), (peer.host, [theirs]))


_Turn = tuple[Host, Sequence[dict[str, Any]]]


def _rounds(bench: Bench, beside: Beside, ours: _Turn, theirs: _Turn) -> Beside:
    for number in range(bench.rounds):
        beside.ours.append(load(*ours, seconds=bench.seconds))
        beside.peer.append(load(*theirs, seconds=bench.seconds))
        bench.progress(f"beside TimeTagger: {beside.what}, {beside.connections}", (number + 1) / bench.rounds)
    return beside
