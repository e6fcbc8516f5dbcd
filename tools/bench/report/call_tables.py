"""The tables of a bench about the peer, fixed rates, other calls, new hosts and the long run."""

import statistics
from collections.abc import Sequence

from tools.bench.data.engines import Sqlite
from tools.bench.load.rounds import Figures, figures, median_of, ratio
from tools.bench.parts.fixed_rates import Steady
from tools.bench.parts.peer import Beside
from tools.bench.parts.sign_ins import SignIns, Starts
from tools.bench.parts.soak import Soak
from tools.bench.parts.webhooks import Heard, percentile_of
from tools.bench.report.tables import PAIR, Table, spread


def peer_table(found: Sequence[Beside]) -> Table:
    head = ("", "conns", "", "p50 ms", "p90", "p99", "req/s", "CPU ms/req", "RSS MB", "others")
    rows = []
    for each in found:
        for name, rounds in (("floor", each.floor), ("ours", each.ours), ("TimeTagger", each.peer)):
            rows.append([each.what, str(each.connections), name, *_costs(figures(rounds, *each.names))])
    return Table("Beside the floor and TimeTagger, over HTTP", head, rows)


def peer_ratios(found: Sequence[Beside]) -> Table:
    head = ("", "conns", "ours / floor", "ours / TimeTagger")
    rows = [
        [each.what, str(each.connections), spread(each.over(each.floor)), spread(each.over(each.peer))]
        for each in found
    ]
    return Table("Ours over the floor and over TimeTagger: median of the rounds (least to most)", head, rows)


def rate_table(found: Sequence[Steady]) -> Table:
    head = ("engine", "asked req/s", "answered req/s", "p50 ms", "p90", "p95", "p99", "max", "CPU ms/req", "others")
    rows = []
    for each in found:
        of = figures(each.rounds, *PAIR)
        times = [f"{value:.2f}" for value in (of.p50, of.p90, of.p95, of.p99)]
        costs = [f"{of.most:.0f}", f"{of.server_cpu_ms:.2f}", f"{of.foreign_share:.0%}"]
        rows.append([each.engine, str(each.rate), f"{of.rps:.1f}", *times, *costs])
    return Table("Start and stop at fixed rates", head, rows)


def sign_in_table(found: Sequence[SignIns]) -> Table:
    head = ("", "conns", "p50 ms", "p90", "p99", "req/s", "CPU ms/req", "RSS MB", "others", "over the floor")
    rows = []
    for each in found:
        floor, ours = figures(each.floor, *PAIR), figures(each.ours, "sign-in")
        over = ratio(
            [median_of(one, "sign-in") for one in each.ours], [median_of(one, *PAIR) / 2 for one in each.floor]
        )
        rows.append(["floor", str(each.connections), *_costs(floor), ""])
        rows.append(["**ours**", str(each.connections), *_costs(ours), spread(over)])
    return Table("Signing in", head, rows)


def webhook_table(found: Sequence[Heard]) -> Table:
    head = ("", "engine", "calls", "p50 ms", "p90", "p99", "max", "over the floor")
    rows = []
    for each in found:
        rows.append(["floor", Sqlite.name, *_calls(each.floor), ""])
        rows.append(["**ours**", each.engine, *_calls(each.ours), spread(each.over)])
    return Table("The Marketplace's webhook", head, rows)


def start_table(floor: Starts, ours: Starts) -> Table:
    head = ("", "s until it listens", "least to most", "first answer, ms", "least to most", "RSS MB")
    rows = []
    for name, each in (("floor", floor), ("**ours**", ours)):
        ready = [f"{statistics.median(each.ready):.2f}", f"{min(each.ready):.2f} to {max(each.ready):.2f}"]
        first = [f"{statistics.median(each.first_ms):.0f}", f"{min(each.first_ms):.0f} to {max(each.first_ms):.0f}"]
        rows.append([name, *ready, *first, f"{statistics.median(each.memory_mb):.0f}"])
    return Table("A new host", head, rows)


def soak_table(soak: Soak) -> Table:
    """A tenth of the run in each row."""
    head = ("minute", "answers", "p50 ms", "p99", "max", "RSS MB", "open files", "CPU ms/req", "others")
    rows, each_row = [], max(1, len(soak.slices) // 10)
    for first in range(0, len(soak.slices), each_row):
        part = soak.slices[first : first + each_row]
        of = figures(part, *PAIR, "sign-in", "read")
        end = (first + len(part)) / len(soak.slices) * soak.minutes
        sizes = [f"{part[-1].server_rss_mb:.1f}", str(soak.open_files[first + len(part) - 1])]
        times = [f"{of.p50:.2f}", f"{of.p99:.2f}", f"{of.most:.0f}"]
        rows.append(
            [f"{end:.3g}", f"{of.requests:,}", *times, *sizes, f"{of.server_cpu_ms:.2f}", f"{of.foreign_share:.0%}"]
        )
    return Table("A long run at a steady rate", head, rows)


def _calls(rounds: Sequence[list[float]]) -> list[str]:
    times = [f"{percentile_of(rounds, percent):.1f}" for percent in (50, 90, 99, 100)]
    return [f"{sum(map(len, rounds)):,}", *times]


def _costs(of: Figures) -> list[str]:
    times = [f"{of.p50:.2f}", f"{of.p90:.2f}", f"{of.p99:.2f}"]
    return [*times, f"{of.rps:.0f}", f"{of.server_cpu_ms:.2f}", f"{of.server_rss_mb:.0f}", f"{of.foreign_share:.0%}"]
