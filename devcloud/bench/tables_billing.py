"""The tables of a bench about bills: months that are closed, and previews of the one that is running."""

from collections.abc import Sequence

from devcloud.bench.closing import Case
from devcloud.bench.measure import figures
from devcloud.bench.rows_paid import ENTRIES
from devcloud.bench.tables import Table


def closing_table(cases: Sequence[Case]) -> Table:
    head = (
        "engine",
        "tenants",
        "entries",
        "people billed",
        "s",
        "tenants/s",
        "CPU s",
        "idle run s",
        "MB at rest",
        "MB at peak",
    )
    rows = []
    for each in cases:
        closed = each.closed
        counts = [each.engine, f"{each.tenants:,}", f"{each.tenants * ENTRIES:,}", f"{closed.lines:,}"]
        times = [f"{closed.seconds:.1f}", f"{closed.bills / closed.seconds:.0f}", f"{closed.cpu_seconds:.1f}"]
        rest = [f"{closed.idle_seconds:.2f}", f"{closed.rest_mb:.0f}", f"{closed.peak_mb:.0f}"]
        rows.append([*counts, *times, *rest])
    return Table("A month closed by the hourly job", head, rows)


def preview_table(cases: Sequence[Case]) -> Table:
    head = ("engine", "tenants", "p50 ms", "p99", "max", "req/s", "CPU ms/req", "others")
    rows = []
    for each in cases:
        found = figures(each.preview, "read")
        times = [f"{found.p50:.1f}", f"{found.p99:.1f}", f"{found.most:.0f}", f"{found.rps:.0f}"]
        costs = [f"{found.server_cpu_ms:.1f}", f"{found.foreign_share:.0%}"]
        rows.append([each.engine, f"{each.tenants:,}", *times, *costs])
    return Table("The preview of one tenant's month over HTTP", head, rows)
