"""The tables of a bench, as rows of text: shown on the terminal by rich, written as Markdown into the docs."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table as RichTable

from tools.bench.load.generator import Measured
from tools.bench.load.rounds import Figures, Ratio, figures, median_of, ratio
from tools.bench.parts.layers import LAYERS, Layered
from tools.bench.parts.start_stop import Pair


PAIR = ("start", "stop")
_HEAD = ("", "conns", "p50 ms", "p90", "p99", "max", "req/s", "CPU ms/req", "RSS MB", "load", "others")


@dataclass(frozen=True, slots=True)
class Table:
    """`load` is the generator's share of one core, `others` the share of all cores that neither used."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __post_init__(self) -> None:
        if any(len(row) != len(self.head) for row in self.rows):
            raise ValueError(f"a row of {self.title!r} is not as wide as its head")

    def markdown(self) -> str:
        lines = [self.head, ["---", *["---:"] * (len(self.head) - 1)], *self.rows]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)

    def show(self, console: Console) -> None:
        shown = RichTable(title=self.title, title_justify="left", title_style="bold", header_style="dim")
        for number, title in enumerate(self.head):
            shown.add_column(title, justify="right" if number else "left", no_wrap=True)
        for row in self.rows:
            shown.add_row(*row, style="bold" if row[0] == "**ours**" else "")
        console.print(shown)


def pair_table(pairs: Sequence[Pair]) -> Table:
    rows = []
    for each in pairs:
        rows.append(_row("floor", each.connections, figures(each.floor, *PAIR)))
        rows.append(_row("**ours**", each.connections, figures(each.ours, *PAIR)))
    return Table("Start and stop over HTTP", _HEAD, rows)


def pair_ratios(pairs: Sequence[Pair]) -> Table:
    rows = []
    for each in pairs:
        spreads = [spread(_ratio(each, *names)) for names in (PAIR, ("start",), ("stop",))]
        rows.append([str(each.connections), *spreads, spread(_cpu_ratio(each.ours, each.floor))])
    head = ("conns", "start + stop", "start", "stop", "server CPU")
    return Table("Ours over the floor: median of the rounds (least to most)", head, rows)


def pair_ratio(pairs: Sequence[Pair], connections: int) -> Ratio:
    return next(_ratio(each, *PAIR) for each in pairs if each.connections == connections)


def layer_table(layered: Sequence[Layered]) -> Table:
    rows = [
        [layer, *(f"{each.micros[layer]:.0f} ({each.micros[layer] / each.total:.0%})" for each in layered)]
        for layer in LAYERS
    ]
    rows.append(["together", *(f"{each.total:.0f}" for each in layered)])
    head = ("microseconds a call", *(f"{each.name} ({each.calls} calls)" for each in layered))
    return Table("Each layer in one process, without HTTP", head, rows)


def _row(name: str, connections: int, of: Figures) -> list[str]:
    times = [f"{of.p50:.2f}", f"{of.p90:.2f}", f"{of.p99:.2f}", f"{of.most:.0f}"]
    costs = [f"{of.rps:.0f}", f"{of.server_cpu_ms:.2f}", f"{of.server_rss_mb:.0f}"]
    return [name, str(connections), *times, *costs, f"{of.load_share:.0%}", f"{of.foreign_share:.0%}"]


def _ratio(pair: Pair, *names: str) -> Ratio:
    return ratio([median_of(each, *names) for each in pair.ours], [median_of(each, *names) for each in pair.floor])


def _cpu_ratio(ours: Sequence[Measured], floor: Sequence[Measured]) -> Ratio:
    def each_round(rounds: Sequence[Measured]) -> list[float]:
        return [figures([one], *PAIR).server_cpu_ms for one in rounds]

    return ratio(each_round(ours), each_round(floor))


def spread(of: Ratio) -> str:
    """The median, with the least and the most of any round."""
    return f"{of.median:.2f} ({of.least:.2f} to {of.most:.2f})"
