"""The tables of a bench about reports: month, growth and exports, each over its floor."""

import os
import statistics
from collections.abc import Sequence

from tools.bench.load.rounds import figures, median_of, ratio
from tools.bench.parts.exports import Export
from tools.bench.parts.month_reports import Case
from tools.bench.report.tables import Table, spread


def month_table(cases: Sequence[Case]) -> Table:
    head = (
        *("report", "engine", "in the month", "conns", "p50 ms", "p99", "req/s", "CPU ms/req"),
        *("others", "floor p50", "over the floor"),
    )
    rows = []
    for each in cases:
        ours, floor = figures(each.ours, "read"), figures(each.floor, "read")
        costs = [f"{ours.p50:.1f}", f"{ours.p99:.1f}", f"{ours.rps:.0f}", f"{ours.server_cpu_ms:.1f}"]
        what = [each.report, each.engine, f"{each.month_rows:,}", str(each.connections)]
        rows.append([*what, *costs, f"{ours.foreign_share:.0%}", f"{floor.p50:.1f}", _over(each)])
    return Table("The month's report over HTTP", head, rows)


def growth_table(cases: Sequence[Case]) -> Table:
    head = ("engine", "entries", "in the month", "p50 ms", "µs a row", "others", "floor p50", "over the floor")
    rows = []
    for each in cases:
        ours, floor = figures(each.ours, "read"), figures(each.floor, "read")
        counts = [each.engine, f"{each.entries:,}", f"{each.month_rows:,}"]
        costs = [f"{ours.p50:.2f}", f"{ours.p50 * 1000 / each.month_rows:.2f}", f"{ours.foreign_share:.0%}"]
        rows.append([*counts, *costs, f"{floor.p50:.2f}", _over(each)])
    return Table("The month's report by rows of the month and of the table", head, rows)


def export_table(exports: Sequence[Export]) -> Table:
    head = (
        *("export", "engine", "rows", "MB", "s", "least to most", "CPU s", "MB before", "MB at peak"),
        *("others", "floor s", "floor peak", "over the floor"),
    )
    return Table("Long exports over HTTP", head, [_export_row(each) for each in exports])


def _export_row(each: Export) -> list[str]:
    seconds = [one.seconds for one in each.ours]
    floor = [one.seconds for one in each.floor]
    times = [f"{statistics.median(seconds):.1f}", f"{min(seconds):.1f} to {max(seconds):.1f}"]
    cpu = statistics.median(one.server_cpu for one in each.ours)
    foreign = sum(one.foreign_cpu for one in each.ours) / sum(seconds) / (os.cpu_count() or 1)
    return [
        *(each.kind, each.engine, f"{each.rows:,}", f"{each.ours[-1].size / 1e6:.1f}", *times, f"{cpu:.1f}"),
        *(f"{each.rest_mb:.0f}", f"{each.peak_mb:.0f}", f"{max(0.0, foreign):.0%}", f"{statistics.median(floor):.1f}"),
        *(f"{max(one.peak_mb for one in each.floor):.0f}", spread(ratio(seconds, floor))),
    ]


def _over(case: Case) -> str:
    ours, floor = ([median_of(one, "read") for one in each] for each in (case.ours, case.floor))
    return spread(ratio(ours, floor))
