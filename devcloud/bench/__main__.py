"""The command of the bench: runs every part, shows the tables, and writes the page on request."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from devcloud.bench import document, layers, months, pairs, tables
from devcloud.bench.directory import directory
from devcloud.bench.ground import filled
from devcloud.bench.measure import LoadFailed, figures
from devcloud.bench.processes import PROJECT, HostDied
from devcloud.run import NotStarted


PAGE = PROJECT / "docs" / "performance.md"
PAIR_AIM, MONTH_AIM_MS = 1.5, 50.0
MONTH_AIM_ENTRIES = 1_000_000


def main(
    seconds: Annotated[float, typer.Option(help="length of each round", min=0.2, max=60)] = 3.0,
    rounds: Annotated[int, typer.Option(help="rounds of floor and ours each", min=1, max=100)] = 7,
    entries: Annotated[int, typer.Option(help="entries of the large tenant", min=100_000)] = 1_000_000,
    *,
    quick: Annotated[bool, typer.Option("--quick", help="a smoke run: 2 short rounds, 100,000 entries")] = False,
    write: Annotated[bool, typer.Option("--write", help="write docs/performance.md")] = False,
) -> None:
    """Loads the host and a floor in turns, and shows what start, stop and the month's report cost."""
    console = Console()
    if not console.is_terminal:
        console.width = 150
    if quick:
        seconds, rounds, entries = 0.7, 2, 100_000
    folder = PROJECT / ".data" / "bench"
    try:
        found, verdicts = _measured(folder, seconds=seconds, rounds=rounds, entries=entries, console=console)
    except (LoadFailed, HostDied, NotStarted) as error:
        console.print(f"bench: {error}", style="bold red", markup=False)
        raise typer.Exit(1) from None
    for table in found.values():
        table.show(console)
    for verdict in verdicts:
        console.print(verdict.replace("**", ""))
    if write:
        page = document.document(tables=found, rounds=rounds, pair_verdict=verdicts[0], month_verdict=verdicts[1])
        PAGE.write_text(page)
        console.print(f"wrote {PAGE.relative_to(PROJECT)}")


def _measured(
    folder: Path, *, seconds: float, rounds: int, entries: int, console: Console
) -> tuple[dict[str, tables.Table], list[str]]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress, directory() as issuing:
        show = _shown(progress)
        paired = pairs.run(
            issuing, folder, rounds=rounds, seconds=seconds, progress=lambda done: show("start and stop", done)
        )
        cases = months.run(
            issuing, folder, entries=entries, rounds=max(2, rounds // 2), seconds=min(seconds, 2.0), progress=show
        )
        large = filled(folder, entries, lambda done: show("layers", done / 2))
        layered = layers.run(issuing, folder, month=large, calls=int(300 * seconds))
        show("layers", 1.0)
    one = tables.pair_ratio(paired, 1)
    month = figures(next(each for each in cases if each.entries == entries).ours, "read").p50
    verdicts = [
        document.sentence("On this machine the median round has", one.median, PAIR_AIM, " times"),
        document.sentence("By project on one connection the median is", month, MONTH_AIM_MS, " ms")
        if entries >= MONTH_AIM_ENTRIES
        else f"This run had {entries:,} entries and says nothing of the aim; the median is {month:.2f} ms.",
    ]
    found = {
        "pairs": tables.pair_table(paired),
        "ratios": tables.pair_ratios(paired),
        "layers": tables.layer_table(layered),
        "months": tables.month_table(cases),
    }
    return found, verdicts


def _shown(progress: Progress) -> Callable[[str, float], None]:
    """Shows how far each step is; a step has a line of its own from its first word on."""
    tasks: dict[str, int] = {}

    def show(name: str, done: float) -> None:
        if name not in tasks:
            tasks[name] = int(progress.add_task(name, total=1.0))
        progress.update(next(each.id for each in progress.tasks if each.id == tasks[name]), completed=done)

    return show


if __name__ == "__main__":
    typer.run(main)
