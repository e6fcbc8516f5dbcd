"""The report of a run, for the terminal and as a page: operations, faults, comparisons, violations."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import fields
from statistics import median
from typing import Final

from rich.console import Console

from tools.chaos.clients.history import Attempt, History, Operation, Outcome
from tools.chaos.faults.driver import Injection
from tools.chaos.run import ChaosOptions, ChaosResult
from tools.tables import Table


_OPERATION_HEAD: Final = (
    *("operation", "tried", "acknowledged", "refused", "unknown"),
    *("p50 ms", "p95", "p99", "p95 without faults"),
)
_FAULT_HEAD: Final = (
    *("fault", "times", "no effect", "affected", "unit"),
    *("first write, s", "max", "all clients, s", "max"),
)
_MAX_VIOLATIONS: Final = 20
_RUN_ENDED: Final = "run ended"
_NONE: Final = "-"


def build_tables(result: ChaosResult) -> list[Table]:
    """Latencies are of attempts with a response."""
    return [_build_operations(result), _build_faults(result), _build_comparisons(result)]


def build_headline(result: ChaosResult) -> str:
    """Numbers of operations, faults and violations, and the faults without effect."""
    options, operations = result.options, [each for history in result.histories for each in history.operations]
    outcomes = [each.outcome for each in operations]
    counts = ", ".join(f"{outcomes.count(outcome):,} {outcome}" for outcome in Outcome)
    rate = len(operations) / result.seconds if result.seconds else 0.0
    ended = " (interrupted)" if result.interrupted else ""
    disk_note = " No disk could be mounted, so none was filled." if result.lacks_disk else ""
    return (
        f"{options.database}, seed {options.seed}: {len(operations):,} operations in {result.seconds:.0f} s{ended} "
        f"({rate:.0f} a second, {options.workers} workers, {len(result.histories)} people): {counts}; "
        f"{len(result.injections):,} faults; {len(result.violations)} violations."
        f"{disk_note}{describe_missing(result)}"
    )


def describe_missing(result: ChaosResult) -> str:
    """The faults about which the run proves nothing."""
    if not result.had_effect:
        return " NO FAULT HAD AN EFFECT: THIS PROVES NOTHING."
    injected = {each.kind for each in result.injections}
    affected = {each.kind for each in result.injections if each.affected}
    missing = [each for each in result.affects if each not in injected]
    without_effect = [each for each in result.affects if each in injected - affected]
    parts = [("NOT INJECTED", missing), ("NO EFFECT", without_effect)]
    return "".join(f" {words}: {', '.join(kinds)}." for words, kinds in parts if kinds)


def build_command(result: ChaosResult) -> str:
    """The command that repeats the random choices."""
    options = result.options
    words = [f"--database {options.database} --seed {options.seed} --minutes {options.seconds / 60:g}"]
    defaults = {each.name: each.default for each in fields(ChaosOptions)}
    chosen = {name: getattr(options, name) for name in ("operations", "workers", "tenants", "people")}
    words += [f"--{name} {value}" for name, value in chosen.items() if value != defaults[name]]
    return f"scripts/chaos {' '.join(words)}"


def show(result: ChaosResult, console: Console) -> None:
    for table in build_tables(result):
        table.show(console)
    for line in _format_violations(result):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    color = "red" if result.violations else "yellow" if describe_missing(result) else "green"
    console.print(build_headline(result), style=f"bold {color}", markup=False)
    console.print(f"Repeat with: {build_command(result)}", markup=False)


def build_page(results: Sequence[ChaosResult], *, written: dt.date) -> str:
    """The Markdown of these runs, without the operations, which depend on the machine."""
    about = (
        f"Written by `scripts/chaos` on {written.isoformat()}. Method: "
        "[testing.md](testing.md#faults-under-load-scriptschaos). Clients, emulators, database and product share the "
        "cores of one machine. Seconds are the median and maximum from the end of a fault to a response."
    )
    parts = ["# Chaos test results", about]
    for result in results:
        parts.append(f"## {result.options.database}")
        parts.append(f"{build_headline(result)}\n\n```bash\n{build_command(result)}\n```")
        parts += [_build_faults(result).markdown(), _list_comparisons(result)]
        if result.violations:
            parts.append("\n".join(["```", *_format_violations(result), "```"]))
    return "\n\n".join(parts) + "\n"


def _build_operations(result: ChaosResult) -> Table:
    by_kind: defaultdict[str, list[Operation]] = defaultdict(list)
    for history in result.histories:
        for each in history.operations:
            by_kind[each.kind].append(each)
    rows = []
    for kind, operations in sorted(by_kind.items(), key=lambda pair: -len(pair[1])):
        outcomes = [each.outcome for each in operations]
        answered = [each for operation in operations for each in operation.attempts if each.status is not None]
        undisturbed = [each for each in answered if not _overlaps_fault(each, result.injections)]
        figures = [f"{_percentile(answered, share):.0f}" for share in (0.5, 0.95, 0.99)]
        counts = [f"{outcomes.count(outcome):,}" for outcome in Outcome]
        rows.append([kind, f"{len(operations):,}", *counts, *figures, f"{_percentile(undisturbed, 0.95):.0f}"])
    return Table("Operations", _OPERATION_HEAD, rows)


def _build_faults(result: ChaosResult) -> Table:
    users = result.options.tenants * result.options.people  # buyers come and go
    writes = [_find_acknowledged_writes(history) for history in result.histories[:users]]
    rows = []
    for kind, affects in sorted(result.affects.items()):
        injections = [each for each in result.injections if each.kind == kind]
        times = [[_seconds_until_answer(mine, each.ended_at) for mine in writes] for each in injections]
        first = [min((one for one in each if one is not None), default=None) for each in times]
        all_clients = [None if None in each else max(one for one in each if one is not None) for each in times]
        without_effect = sum(not each.affected for each in injections)
        affected = sum(each.affected for each in injections)
        spreads = [*_format_spread(first), *_format_spread(all_clients)] if injections else [_NONE] * 4
        rows.append([kind, f"{len(injections):,}", f"{without_effect:,}", f"{affected:,}", affects, *spreads])
    return Table("Injected faults, affected requests, and recovery time", _FAULT_HEAD, rows)


def _build_comparisons(result: ChaosResult) -> Table:
    rows = [[name, f"{count:,}"] for name, count in result.checked.items()]
    return Table("Comparisons", ("compared", "number"), [*rows, ["violations", str(len(result.violations))]])


def _list_comparisons(result: ChaosResult) -> str:
    compared = ", ".join(f"{count:,} {name}" for name, count in result.checked.items())
    return f"Compared: {compared or 'nothing'}."


def _format_violations(result: ChaosResult) -> list[str]:
    lines = []
    for each in result.violations[:_MAX_VIOLATIONS]:
        lines += [f"{each.kind.upper()}: {each.detail}", *(f"    {line}" for line in each.lines)]
    if len(result.violations) > _MAX_VIOLATIONS:
        lines.append(f"... and {len(result.violations) - _MAX_VIOLATIONS} more")
    return lines


def _find_acknowledged_writes(history: History) -> list[tuple[dt.datetime, dt.datetime]]:
    """The last sending and the response of each acknowledged write."""
    return [
        (each.attempts[-1].sent_at, each.ended_at)
        for each in history.operations
        if each.writes and each.outcome is Outcome.ACKNOWLEDGED
    ]


def _seconds_until_answer(writes: Iterable[tuple[dt.datetime, dt.datetime]], instant: dt.datetime) -> float | None:
    """Seconds until the first response to a request that was sent after a time."""
    ended = next((ended for sent, ended in writes if sent >= instant), None)
    return None if ended is None else (ended - instant).total_seconds()


def _format_spread(times: Sequence[float | None]) -> list[str]:
    """Median and maximum, without faults at the end of the run."""
    known = [each for each in times if each is not None]
    return [f"{median(known):.2f}", f"{max(known):.2f}"] if known else [_RUN_ENDED, _RUN_ENDED]


def _overlaps_fault(attempt: Attempt, injections: Sequence[Injection]) -> bool:
    return any(attempt.sent_at <= each.ended_at and attempt.ended_at >= each.began_at for each in injections)


def _percentile(attempts: Sequence[Attempt], share: float) -> float:
    ordered = sorted(each.seconds for each in attempts)
    return 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
