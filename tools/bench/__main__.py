"""The command of the bench: runs the parts asked for, shows their tables, and writes the page on request."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from devcloud import postgres, signals
from devcloud.postgres import NoPostgres
from devcloud.run import NotStarted
from shared import clock
from tools.bench.bench import Bench
from tools.bench.data import database as ground
from tools.bench.data.database import NoSpace
from tools.bench.data.directory import directory
from tools.bench.data.engines import Engine, Postgres, Sqlite
from tools.bench.floors import peer_host
from tools.bench.load.processes import PROJECT, HostDied
from tools.bench.load.rounds import LoadFailed
from tools.bench.parts.registry import PARTS, Scale
from tools.bench.report import chart
from tools.bench.report import page as document
from tools.bench.report import result_store as kept
from tools.bench.report.result import Found


PAGE: Final = PROJECT / "docs" / "performance.md"
CHART: Final = PAGE.with_suffix(".svg")
DATA: Final = PAGE.with_suffix(".json")
FOLDER: Final = PROJECT / ".data" / "bench"
EVERY: Final = ",".join(PARTS)


def main(
    parts: Annotated[
        list[str] | None, typer.Argument(help=f"what to measure: {', '.join(PARTS)}", show_default="all")
    ] = None,
    part: Annotated[str, typer.Option(help="the same, separated by commas")] = "",
    seconds: Annotated[float, typer.Option(help="length of each round", min=0.2, max=60)] = 3.0,
    rounds: Annotated[int, typer.Option(help="rounds of floor and ours each", min=1, max=100)] = 5,
    entries: Annotated[int, typer.Option(help="entries of the large tenant", min=20_000)] = 1_000_000,
    *,
    minutes: Annotated[float, typer.Option(help="length of the long run", min=0.1, max=600)] = 30.0,
    quick: Annotated[bool, typer.Option("--quick", help="a smoke run: 2 short rounds, 100,000 entries")] = False,
    write: Annotated[
        bool, typer.Option("--write", help="write docs/performance.md, of parts that ran before too")
    ] = False,
) -> None:
    """Loads the host, a floor and TimeTagger in turns, and shows what each thing that people do costs.

    What a part found is kept when it is done, so a run that was interrupted is gone on with by the parts that it lacks.
    """
    chosen = [*(parts or ()), *(name.strip() for name in part.split(",") if name)] or list(PARTS)
    if not set(chosen) <= PARTS.keys():
        raise typer.BadParameter(f"the parts are {EVERY}", param_hint="PARTS")
    if write and quick:
        raise typer.BadParameter("a smoke run is no measurement", param_hint="--write")
    if quick:
        seconds, rounds, entries, minutes = 0.7, 2, 100_000, 0.3
    scale = Scale(entries, [entries // 10, entries] if quick else [entries // 10, entries, entries * 10], minutes)
    console = Console()
    if not console.is_terminal:
        console.width = 150
    try:
        found = _measured(chosen, scale, rounds, seconds, console, keep=not quick)
    except (LoadFailed, HostDied, NotStarted, NoSpace) as error:
        console.print(f"bench: {error}", style="bold red", markup=False)
        raise typer.Exit(1) from None
    for each in found.values():
        for table in each.tables.values():
            table.show(console)
        console.print(each.verdict.replace("**", ""))
    if write:
        _write(console, rounds)


def _write(console: Console, rounds: int) -> None:
    found = kept.newest(FOLDER / "found", DATA, PARTS)
    lacking = [name for name in PARTS if name not in found]
    if lacking:
        console.print(f"bench: never measured, so there is no page: --part {','.join(lacking)}", style="bold red")
        raise typer.Exit(1)
    PAGE.write_text(document.document(found, rounds=rounds))
    chart.draw([bar for each in found.values() for bar in each.bars], CHART)
    kept.publish(DATA, found)
    console.print(f"wrote {PAGE.relative_to(PROJECT)}, {CHART.name} and {DATA.name}")


def _measured(
    chosen: list[str], scale: Scale, rounds: int, seconds: float, console: Console, *, keep: bool
) -> dict[str, Found]:
    if "peer" in chosen:
        peer_host.install()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with (
        _engines(FOLDER, console) as engines,
        Progress(*columns, console=console, transient=True) as progress,
        directory() as issuing,
    ):
        anew = scale.entries if "billing" in chosen else 0
        needed, free = ground.space(FOLDER, engines, sorted(_sizes(chosen, scale)), anew=anew)
        console.print(f"Tables still to be filled: about {needed:,} MiB of {free:,} that are free.")
        bench = Bench(issuing, FOLDER, engines, rounds, seconds, _shown(progress))
        told = document.machine([each.version for each in engines])
        found = {}
        for name in (each for each in PARTS if each in chosen):
            measured = PARTS[name](bench, scale)
            found[name] = replace(measured, command=document.command(), day=f"{clock.now():%Y-%m-%d}", machine=told)
            if keep:
                kept.keep(FOLDER / "found", name, found[name])
        return found


def _sizes(chosen: list[str], scale: Scale) -> set[int]:
    """The tables that these parts fill."""
    sizes = set(scale.sizes) if "growth" in chosen else set()
    sizes |= set(scale.sizes[:2]) if "peer" in chosen else set()
    return sizes | ({scale.entries} if {"layers", "months", "exports"} & set(chosen) else set())


@contextlib.contextmanager
def _engines(folder: Path, console: Console) -> Iterator[list[Engine]]:
    """SQLite, and PostgreSQL where there is a server; the reason is shown where there is none."""
    sqlite = Sqlite(folder)
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(postgres.kept(folder / "postgres"))
        except NoPostgres as error:
            console.print(f"PostgreSQL is not measured: {error}", markup=False)
            yield [sqlite]
        else:
            yield [sqlite, Postgres(server)]


def _shown(progress: Progress) -> Callable[[str, float], None]:
    """Shows how far each step is; a step has a line of its own from its first word on."""
    tasks: dict[str, int] = {}

    def show(name: str, done: float) -> None:
        if name not in tasks:
            tasks[name] = int(progress.add_task(name, total=1.0))
        progress.update(next(each.id for each in progress.tasks if each.id == tasks[name]), completed=done)

    return show


if __name__ == "__main__":
    signals.end_in_order()
    typer.run(main)
