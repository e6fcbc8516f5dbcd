"""What a run has shown, as tables for a terminal and for a page: requests, trouble, comparisons, violations."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import fields
from statistics import median
from typing import Final

from rich.console import Console

from tools.chaos.clients.history import Attempt, History, Operation, Outcome
from tools.chaos.faults.driver import Injection
from tools.chaos.run import Options, Result
from tools.tables import Table


_HEAD: Final = ("operation", "tried", "acknowledged", "refused", "unknown", "p50 ms", "p95", "p99", "calm p95")
_TROUBLE: Final = ("trouble", "times", "in vain", "met", "of", "first write, s", "most", "everybody, s", "most")
_SHOWN: Final = 20
_UNSEEN: Final = "run ended"
_NEVER: Final = "-"


def tables(result: Result) -> list[Table]:
    """Latencies are those of sendings that were answered; `calm` are those that met no trouble on their way."""
    return [_operations(result), _troubles(result), _compared(result)]


def headline(result: Result) -> str:
    """What was done and what came of it, and what was not done, or met nobody."""
    options, done = result.options, [each for history in result.histories for each in history.operations]
    outcomes = [each.outcome for each in done]
    counts = ", ".join(f"{outcomes.count(outcome):,} {outcome}" for outcome in Outcome)
    rate = len(done) / result.seconds if result.seconds else 0.0
    ended = " (interrupted)" if result.interrupted else ""
    spared = " No disk could be mounted, so none was filled." if result.lacks_disk else ""
    return (
        f"{options.database}, seed {options.seed}: {len(done):,} operations in {result.seconds:.0f} s{ended} "
        f"({rate:.0f} a second, {options.workers} workers, {len(result.histories)} people): {counts}; "
        f"{len(result.injections):,} times trouble; {len(result.violations)} violations.{spared}{untried(result)}"
    )


def untried(result: Result) -> str:
    """Of which trouble the run proves nothing."""
    if not result.met_trouble:
        return " NO TROUBLE MET ANYBODY: THIS PROVES NOTHING."
    had_turn = {each.kind for each in result.injections}
    met = {each.kind for each in result.injections if each.met}
    missing = [each for each in result.meets if each not in had_turn]
    vain = [each for each in result.meets if each in had_turn - met]
    told = [("HAD NO TURN", missing), ("MET NOBODY", vain)]
    return "".join(f" {words}: {', '.join(kinds)}." for words, kinds in told if kinds)


def again(result: Result) -> str:
    """The command that makes the same choices again."""
    options = result.options
    words = [f"--database {options.database} --seed {options.seed} --minutes {options.seconds / 60:g}"]
    usual = {each.name: each.default for each in fields(Options)}
    given = {name: getattr(options, name) for name in ("operations", "workers", "tenants", "people")}
    words += [f"--{name} {value}" for name, value in given.items() if value != usual[name]]
    return f"scripts/chaos {' '.join(words)}"


def show(result: Result, console: Console) -> None:
    for table in tables(result):
        table.show(console)
    for line in _violations(result):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    colour = "red" if result.violations else "yellow" if untried(result) else "green"
    console.print(headline(result), style=f"bold {colour}", markup=False)
    console.print(f"The same choices again: {again(result)}", markup=False)


def page(results: Sequence[Result], *, written: dt.date) -> str:
    """The Markdown of these runs."""
    about = (
        f"Written by `scripts/chaos` on {written.isoformat()}. What it does and how to read it: "
        "[testing.md](testing.md#faults-under-load-scriptschaos). Times are those of a machine whose cores the "
        "clients, the stand-ins and the database share."
    )
    parts = ["# What the product survives", about]
    for result in results:
        parts.append(f"## {result.options.database}")
        parts.append(f"{headline(result)}\n\n```bash\n{again(result)}\n```")
        parts += [f"**{table.title}**\n\n{table.markdown()}" for table in tables(result)]
        if result.violations:
            parts.append("\n".join(["```", *_violations(result), "```"]))
    return "\n\n".join(parts) + "\n"


def _operations(result: Result) -> Table:
    by_kind: defaultdict[str, list[Operation]] = defaultdict(list)
    for history in result.histories:
        for each in history.operations:
            by_kind[each.kind].append(each)
    rows = []
    for kind, done in sorted(by_kind.items(), key=lambda pair: -len(pair[1])):
        outcomes = [each.outcome for each in done]
        answered = [each for operation in done for each in operation.attempts if each.status is not None]
        calm = [each for each in answered if not _met(each, result.injections)]
        figures = [f"{_percentile(answered, share):.0f}" for share in (0.5, 0.95, 0.99)]
        counts = [f"{outcomes.count(outcome):,}" for outcome in Outcome]
        rows.append([kind, f"{len(done):,}", *counts, *figures, f"{_percentile(calm, 0.95):.0f}"])
    return Table("What was asked for", _HEAD, rows)


def _troubles(result: Result) -> Table:
    desks = result.options.tenants * result.options.people  # buyers come and go
    answers = [_answers(history) for history in result.histories[:desks]]
    rows = []
    for kind, meets in sorted(result.meets.items()):
        done = [each for each in result.injections if each.kind == kind]
        times = [[_after(mine, each.ended_at) for mine in answers] for each in done]
        first = [min((one for one in each if one is not None), default=None) for each in times]
        everybody = [None if None in each else max(one for one in each if one is not None) for each in times]
        vain, met = sum(not each.met for each in done), sum(each.met for each in done)
        spreads = [*_spread(first), *_spread(everybody)] if done else [_NEVER] * 4
        rows.append([kind, f"{len(done):,}", f"{vain:,}", f"{met:,}", meets, *spreads])
    return Table("What was done to it, what that met, and how long after its end writes were answered", _TROUBLE, rows)


def _compared(result: Result) -> Table:
    rows = [[name, f"{count:,}"] for name, count in result.checked.items()]
    return Table("What was compared", ("compared", "how many"), [*rows, ["violations", str(len(result.violations))]])


def _violations(result: Result) -> list[str]:
    lines = []
    for each in result.violations[:_SHOWN]:
        lines += [f"{each.what.upper()}: {each.detail}", *(f"    {line}" for line in each.lines)]
    if len(result.violations) > _SHOWN:
        lines.append(f"... and {len(result.violations) - _SHOWN} more")
    return lines


def _answers(history: History) -> list[tuple[dt.datetime, dt.datetime]]:
    """When each acknowledged write was sent for the last time, and answered."""
    return [
        (each.attempts[-1].sent_at, each.ended_at)
        for each in history.operations
        if each.writes and each.outcome is Outcome.ACKNOWLEDGED
    ]


def _after(answers: Iterable[tuple[dt.datetime, dt.datetime]], instant: dt.datetime) -> float | None:
    """Seconds until the first answer to something that was sent after an instant."""
    ended = next((ended for sent, ended in answers if sent >= instant), None)
    return None if ended is None else (ended - instant).total_seconds()


def _spread(times: Sequence[float | None]) -> list[str]:
    """The median and the most; None, which only the end of the run can bring, is left out."""
    known = [each for each in times if each is not None]
    return [f"{median(known):.2f}", f"{max(known):.2f}"] if known else [_UNSEEN, _UNSEEN]


def _met(attempt: Attempt, injections: Sequence[Injection]) -> bool:
    return any(attempt.sent_at <= each.ended_at and attempt.ended_at >= each.began_at for each in injections)


def _percentile(attempts: Sequence[Attempt], share: float) -> float:
    ordered = sorted(each.seconds for each in attempts)
    return 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
