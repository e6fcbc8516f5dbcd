"""The parts of a bench by name: each measures one thing, and says in tables and in a sentence what it found."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tools.bench.bench import Bench
from tools.bench.load.rounds import figures
from tools.bench.parts import call_registry as parts_calls
from tools.bench.parts import closing, exports, layers
from tools.bench.parts import month_reports as months
from tools.bench.parts import start_stop as pairs
from tools.bench.report import billing_tables as tables_billing
from tools.bench.report import report_tables as tables_reports
from tools.bench.report import tables
from tools.bench.report.result import Found, sentence


PAIR_AIM, MONTH_AIM_MS = 1.5, 50.0
AIM_ENTRIES: Final = 1_000_000
SECONDS_AIM: Final = {"CSV": 10.0, "workbook": 20.0}
PEAK_AIM_MB: Final = {"CSV": 100.0}
CLOSING_AIM_SECONDS, PREVIEW_AIM_MS, GROWTH_AIM_MB = 60.0, 20.0, 50.0


@dataclass(frozen=True, slots=True)
class Scale:
    """How large the tenant is, the tables in which its growth is looked at, and how long the long run is."""

    entries: int
    sizes: Sequence[int]
    minutes: float = 30.0


def pairs_part(bench: Bench, _scale: Scale) -> Found:
    paired = pairs.run(bench)
    one = tables.pair_ratio(paired, 1)
    verdict = sentence("On this machine the median round has", one.median, PAIR_AIM, " times")
    return Found({"pairs": tables.pair_table(paired), "ratios": tables.pair_ratios(paired)}, verdict)


def layers_part(bench: Bench, scale: Scale) -> Found:
    return Found({"layers": tables.layer_table(layers.run(bench, entries=scale.entries))}, "")


def months_part(bench: Bench, scale: Scale) -> Found:
    cases = months.run(bench, entries=scale.entries)
    said = []
    for case in cases:
        if case.report == months.BY_PROJECT and case.connections == 1:
            what = f"On {case.engine} the median by project on one connection is"
            said.append(sentence(what, _p50(case), MONTH_AIM_MS, " ms"))
    if scale.entries < AIM_ENTRIES:
        said.append(f"The tenant had {scale.entries:,} entries, which says nothing of the aim.")
    return Found({"months": tables_reports.month_table(cases)}, "\n".join(said))


def growth_part(bench: Bench, scale: Scale) -> Found:
    cases = months.growth(bench, sizes=scale.sizes)
    said = [_grown([case for case in cases if case.engine == engine.name], engine.name) for engine in bench.engines]
    return Found({"growth": tables_reports.growth_table(cases)}, "\n".join(said))


def exports_part(bench: Bench, scale: Scale) -> Found:
    found = exports.run(bench, entries=scale.entries)
    said = [line for each in found for line in _exported(each)]
    if scale.entries < AIM_ENTRIES:
        said.append(f"With {scale.entries:,} entries the exports were shorter than the aims are for.")
    return Found({"exports": tables_reports.export_table(found)}, "\n".join(said))


def billing_part(bench: Bench, scale: Scale) -> Found:
    cases = closing.run(bench, entries=scale.entries)
    said = [line for few, many in zip(cases[::2], cases[1::2], strict=True) for line in _closed(few, many)]
    if scale.entries < AIM_ENTRIES:
        said.append(f"With {scale.entries:,} entries there were fewer tenants than the aims are for.")
    found = {"closing": tables_billing.closing_table(cases), "previews": tables_billing.preview_table(cases)}
    return Found(found, "\n".join(said))


PARTS: Final[dict[str, Callable[[Bench, Scale], Found]]] = {
    "pairs": pairs_part,
    "peer": lambda bench, scale: parts_calls.peer_part(bench, scale.sizes[:2]),
    "rates": lambda bench, _scale: parts_calls.rates_part(bench),
    "layers": layers_part,
    "calls": lambda bench, _scale: parts_calls.calls_part(bench),
    "months": months_part,
    "growth": growth_part,
    "exports": exports_part,
    "billing": billing_part,
    "soak": lambda bench, scale: parts_calls.soak_part(bench, scale.minutes),
}


def _grown(cases: Sequence[months.Case], engine: str) -> str:
    """The longest month beside one of a tenth of its rows, and a thin month in the largest table and the smallest."""
    longest = [max(of_size, key=_rows) for _, of_size in itertools.groupby(cases, lambda case: case.entries)]
    shorter, longer = longest[-2:]
    thin = [case for case in cases if case.month_rows == min(map(_rows, cases))]
    more, wider = longer.month_rows / shorter.month_rows, thin[-1].entries / thin[0].entries
    longer_takes, wider_takes = _p50(longer) / _p50(shorter), _p50(thin[-1]) / _p50(thin[0])
    return (
        f"On {engine} a month of {more:.1f} times as many rows takes {longer_takes:.1f} times as long; the same\n"
        f"{thin[0].month_rows:,} rows in a table of {wider:.0f} times the size take {wider_takes:.2f} times as long."
    )


def _p50(case: months.Case) -> float:
    return figures(case.ours, "read").p50


def _rows(case: months.Case) -> int:
    return case.month_rows


def _exported(export: exports.Export) -> list[str]:
    what = f"On {export.engine} a {export.kind} of {export.rows:,} rows"
    said = [sentence(f"{what} takes a median of", export.seconds, SECONDS_AIM[export.kind], " s")]
    if export.kind in PEAK_AIM_MB:
        whole = f" MB more at the peak than before the first export, in all {export.peak_mb:.0f} MB"
        said.append(sentence("Its process has", export.above_rest_mb, PEAK_AIM_MB[export.kind], whole))
    return said


def _closed(few: closing.Case, many: closing.Case) -> list[str]:
    """How long the close takes and whether that is linear, what memory it takes, and what a preview does."""
    engine, more, longer = many.engine, many.tenants / few.tenants, many.seconds / few.seconds
    what = f"On {engine} the month of {many.tenants:,} tenants is closed in"
    linear = f"{more:.0f} times the tenants take {longer:.1f} times as long."
    above = sentence("The job's process grows by", many.largest.above_rest_mb, GROWTH_AIM_MB, " MB")
    preview = figures(many.preview, "read")
    asked = sentence(
        f"A preview takes a median of {preview.p50:.1f} ms, and", preview.p99, PREVIEW_AIM_MS, " ms at p99"
    )
    return [sentence(what, many.seconds, CLOSING_AIM_SECONDS, " s"), linear, above, asked]
