"""The tables of a bench about bills: months that are closed, and previews of the one that is running."""

import statistics
from collections.abc import Sequence

from tools.bench.data.paid_rows import ENTRIES
from tools.bench.load.rounds import figures, median_of, ratio
from tools.bench.parts.closing import Case
from tools.bench.report.tables import Table, spread


def closing_table(cases: Sequence[Case]) -> Table:
    """Medians of the rounds; memory is that of the round whose process grew most."""
    head = (
        *("engine", "tenants", "entries", "people", "rounds", "s", "per s", "CPU s", "idle s"),
        *("MB at rest", "at peak", "floor s", "over the floor"),
    )
    return Table("A month closed by the hourly job", head, [_closing_row(each) for each in cases])


def preview_table(cases: Sequence[Case]) -> Table:
    head = ("engine", "tenants", "p50 ms", "p99", "max", "req/s", "CPU ms/req", "others", "floor p50", "over the floor")
    rows = []
    for each in cases:
        ours, floor = figures(each.preview, "read"), figures(each.floor_preview, "read")
        times = [f"{ours.p50:.1f}", f"{ours.p99:.1f}", f"{ours.most:.0f}", f"{ours.rps:.0f}"]
        costs = [f"{ours.server_cpu_ms:.1f}", f"{ours.foreign_share:.0%}"]
        medians = ([median_of(one, "read") for one in of] for of in (each.preview, each.floor_preview))
        rows.append([each.engine, f"{each.tenants:,}", *times, *costs, f"{floor.p50:.1f}", spread(ratio(*medians))])
    return Table("The preview of one tenant's month over HTTP", head, rows)


def _closing_row(case: Case) -> list[str]:
    cpu, idle = (
        statistics.median(getattr(one, name) for one in case.closed) for name in ("cpu_seconds", "idle_seconds")
    )
    floor = statistics.median(one.seconds for one in case.floor)
    return [
        *(case.engine, f"{case.tenants:,}", f"{case.tenants * ENTRIES:,}", f"{case.largest.lines:,}"),
        *(str(len(case.closed)), f"{case.seconds:.1f}", f"{case.tenants / case.seconds:.0f}", f"{cpu:.1f}"),
        *(f"{idle:.2f}", f"{case.largest.rest_mb:.0f}", f"{case.largest.peak_mb:.0f}"),
        *(f"{floor:.2f}", _over(case)),
    ]


def _over(case: Case) -> str:
    """One round has no spread."""
    over = ratio([one.seconds for one in case.closed], [one.seconds for one in case.floor])
    return spread(over) if len(case.closed) > 1 else f"{over.median:.2f}"
