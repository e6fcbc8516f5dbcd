"""The command `scripts/bench`: runs parts, shows their results, and writes them into docs/performance.md."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from devcloud import postgres, signals
from devcloud.postgres import PostgresUnavailable
from devcloud.run import StartFailed
from tools.bench.bench import Bench
from tools.bench.data.directory import start_directory
from tools.bench.data.engines import Engine, postgresql, sqlite
from tools.bench.load import peer_server
from tools.bench.load.processes import PROJECT, HostDied
from tools.bench.load.rounds import LoadFailed
from tools.bench.page import PartResult, replace_part
from tools.bench.parts import closing, months, peer, start_stop, starts, webhooks


PAGE: Final = PROJECT / "docs" / "performance.md"
FOLDER: Final = PROJECT / ".data" / "bench"
PARTS: Final[dict[str, Callable[[Bench], PartResult]]] = {
    "start-stop": start_stop.run,
    "peer": peer.run,
    "months": months.run,
    "closing": closing.run,
    "webhooks": webhooks.run,
    "starts": starts.run,
}

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def main(
    parts: Annotated[
        list[str] | None, typer.Argument(metavar="PART", help=f"parts: {', '.join(PARTS)}", show_default="all")
    ] = None,
    seconds: Annotated[float, typer.Option(metavar="S", help="length of each round in seconds", min=0.2, max=60)] = 3.0,
    rounds: Annotated[int, typer.Option(metavar="N", help="rounds of each case", min=1, max=100)] = 5,
    entries: Annotated[int, typer.Option(metavar="N", help="time entries of the large tenant", min=1_000)] = 1_000_000,
    *,
    quick: Annotated[bool, typer.Option("--quick", help="smoke test: 2 short rounds, 20,000 entries")] = False,
    write: Annotated[bool, typer.Option("--write", help="write the results into docs/performance.md")] = False,
) -> None:
    """Measure speed against the published aims, beside a baseline and another product."""
    chosen = [name for name in PARTS if name in (parts or PARTS)]
    if unknown := set(parts or ()) - PARTS.keys():
        raise typer.BadParameter(f"unknown part: {', '.join(unknown)}; the parts are {', '.join(PARTS)}")
    if write and quick:
        raise typer.BadParameter("a smoke test is not a measurement", param_hint="--write")
    if quick:
        seconds, rounds, entries = 0.7, 2, 20_000
    console = Console()
    if not console.is_terminal:
        console.width = 150
    try:
        for name, result, text in _measure(chosen, rounds, seconds, entries, console):
            for table in result.tables:
                table.show(console)
            console.print("\n".join(result.verdicts), markup=False)
            if write:
                PAGE.write_text(replace_part(PAGE.read_text(encoding="utf-8"), name, text), encoding="utf-8")
    except (LoadFailed, HostDied, StartFailed) as error:
        console.print(f"bench: {error}", style="bold red", markup=False)
        raise typer.Exit(1) from None


def _measure(
    chosen: list[str], rounds: int, seconds: float, entries: int, console: Console
) -> Iterator[tuple[str, PartResult, str]]:
    """Runs each part; yields its name, its result and its text for the page."""
    if "peer" in chosen:
        peer_server.install()
    with _start_engines(FOLDER, console) as engines, start_directory() as entra, console.status("starting") as status:

        def show(step: str, done: float) -> None:
            status.update(f"{step}: {done:.0%}")

        bench = Bench(entra, FOLDER, engines, rounds, seconds, entries, show)
        for name in chosen:
            result = PARTS[name](bench)
            yield (
                name,
                result,
                result.markdown(" ".join(["scripts/bench", *sys.argv[1:]]), [each.version for each in engines]),
            )


@contextlib.contextmanager
def _start_engines(folder: Path, console: Console) -> Iterator[list[Engine]]:
    """SQLite, and PostgreSQL if a server can run; otherwise the reason is shown."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(postgres.persistent_server(folder / "postgres"))
        except PostgresUnavailable as error:
            console.print(f"PostgreSQL is not measured: {error}", markup=False)
            yield [sqlite(folder)]
        else:
            yield [sqlite(folder), postgresql(server)]


if __name__ == "__main__":
    signals.end_in_order()
    app()
