"""The product and TimeTagger in turns: start and stop over HTTP, and a month with the same records."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tools.bench.bench import Bench
from tools.bench.data import database
from tools.bench.data.rows import REPORT_MONTH
from tools.bench.load import peer_server
from tools.bench.load.generator import Measurement
from tools.bench.load.processes import PROJECT, Host, start_host
from tools.bench.load.rounds import CELLS, Ratio, build_figures, build_ratio, run_load
from tools.bench.page import PartResult, build_verdict
from tools.bench.parts import months
from tools.bench.parts.start_stop import build_connections, settings
from tools.tables import Table


AIM: Final = 1.0
_CONNECTIONS: Final = (1, 8)
_MAX_ENTRIES: Final = 100_000  # filling the peer takes long


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rounds of one operation; the nth rounds of product and peer ran one after the other."""

    name: str
    connections: int
    product: list[Measurement] = field(default_factory=list)
    peer: list[Measurement] = field(default_factory=list)

    @property
    def ratio(self) -> Ratio:
        return build_ratio(self.product, self.peer)


def run(bench: Bench) -> PartResult:
    """Runs on SQLite, which the peer uses too."""
    folder, entries = bench.folder / "peer", min(bench.entries, _MAX_ENTRIES)
    with (
        peer_server.start_peer(folder / "timers") as peer,
        start_host(PROJECT, settings(bench.directory, database.create_empty(bench.sqlite, "peer"))) as product,
    ):
        result = [_compare_timers(bench, product, peer, connections) for connections in _CONNECTIONS]
    target = database.create_filled(bench, bench.sqlite, entries)
    with (
        peer_server.start_peer(folder / str(entries)) as peer,
        start_host(PROJECT, settings(bench.directory, target)) as product,
    ):
        fill_marker = folder / str(entries) / "filled"
        if not fill_marker.exists():
            peer_server.fill(peer, entries)
            fill_marker.touch()
        result.append(_compare_month(bench, product, peer, target))
    rows = []
    for each in result:
        rows.append(
            [each.name, str(each.connections), "**ours**", *build_figures(each.product).cells(), str(each.ratio)]
        )
        rows.append([each.name, str(each.connections), "TimeTagger", *build_figures(each.peer).cells(), ""])
    verdicts = [
        build_verdict(
            f"{each.name}, {each.connections} at once: the product takes",
            each.ratio.median,
            AIM,
            " times as long as TimeTagger",
        )
        for each in result
    ]
    return PartResult(
        [Table("Comparison with TimeTagger", ("", "conns", "", *CELLS, "over TimeTagger"), rows)], verdicts
    )


def _compare_timers(bench: Bench, product: Host, peer: peer_server.Peer, connections: int) -> Comparison:
    peer_connections = [
        {"kind": "peer", "base": peer_server.API, "token": peer.tokens[number]} for number in range(connections)
    ]
    comparison = Comparison("start and stop", connections)
    return _run_rounds(
        bench, comparison, (product, build_connections(bench.directory, connections)), (peer.host, peer_connections)
    )


def _compare_month(bench: Bench, product: Host, peer: peer_server.Peer, target: database.Database) -> Comparison:
    """The product returns totals, the peer a list for the client to sum up, of the same rows."""
    peer_connections = {"kind": "read", "path": peer_server.records(REPORT_MONTH), "token": peer.tokens[0]}
    peer_connections |= {"expected": '{"records":', "header": "authtoken:"}
    comparison = Comparison(f"a month of {target.total(REPORT_MONTH)[0]:,}", 1)
    return _run_rounds(
        bench, comparison, (product, [months.build_connection(bench, target)]), (peer.host, [peer_connections])
    )


_Target = tuple[Host, Sequence[dict[str, Any]]]


def _run_rounds(bench: Bench, comparison: Comparison, product: _Target, peer_connections: _Target) -> Comparison:
    for number in range(bench.rounds):
        comparison.product.append(run_load(*product, seconds=bench.seconds))
        comparison.peer.append(run_load(*peer_connections, seconds=bench.seconds))
        bench.progress(
            f"comparison with TimeTagger: {comparison.name}, {comparison.connections}", (number + 1) / bench.rounds
        )
    return comparison
