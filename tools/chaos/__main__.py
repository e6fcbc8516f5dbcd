"""The command `scripts/chaos`: runs the chaos tests on each database, shows the report, and writes the page."""

import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from devcloud.postgres import PostgresUnavailable
from devcloud.run import StartFailed as NotMigrated
from devcloud.signals import end_in_order
from shared import clock
from tools.chaos import report
from tools.chaos.clients.fleet import FleetNotReady, RunInconclusive
from tools.chaos.cloud.databases import DATABASES
from tools.chaos.cloud.processes import ProcessNotStarted
from tools.chaos.run import FOLDER, ChaosOptions, ChaosResult, run


VIOLATED, FAILED, INTERRUPTED = 1, 2, 130

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def main(
    *,
    database: Annotated[
        str, typer.Option(metavar="NAMES", help=f"{' or '.join(DATABASES)}, or both with a comma between")
    ] = DATABASES[0],
    minutes: Annotated[float, typer.Option(metavar="M", help="length of the run on each database", min=0.05)] = 2.0,
    operations: Annotated[
        int | None, typer.Option(metavar="N", help="end after N operations, if that is earlier", min=1)
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="repeat the random choices of a run; a new seed by default")
    ] = None,
    workers: Annotated[int, typer.Option(metavar="N", help="processes of the product", min=1, max=16)] = 3,
    tenants: Annotated[int, typer.Option(metavar="N", help="organizations", min=1, max=50)] = 4,
    people: Annotated[
        int, typer.Option(metavar="N", help="people of each who work at the same time", min=1, max=50)
    ] = 4,
    write: Annotated[Path | None, typer.Option(metavar="FILE", help="write the report to FILE, as Markdown")] = None,
    folder: Annotated[
        Path, typer.Option(metavar="FOLDER", help="where databases and logs are stored during the run")
    ] = FOLDER,
) -> None:
    """Inject faults while simulated people work, then compare each response with the stored data.

    Exit codes: 0 passed; 1 a promise was broken; 2 wrong usage, or the run proves nothing; 130 interrupted.
    """
    end_in_order()
    logging.getLogger("timetracker").addFilter(lambda _record: False)  # the workers have their own logs
    names = [each.strip() for each in database.split(",")]
    if not set(names) <= set(DATABASES):
        raise typer.BadParameter(f"the databases are {', '.join(DATABASES)}", param_hint="--database")
    chosen = int(clock.new_id().int % 10**6) if seed is None else seed
    console = Console()
    if not console.is_terminal:
        console.width = 150
    if write is not None and (reason := _find_write_error(write)) is not None:
        console.print(f"chaos: {write} cannot be written: {reason}", style="bold red", markup=False, soft_wrap=True)
        raise typer.Exit(FAILED)
    results = []
    for name in names:
        options = ChaosOptions(name, chosen, minutes * 60, operations, workers, tenants, people, folder=folder)
        results.append(_run_and_show(options, console))
        if results[-1].interrupted:
            break
    if write is not None:
        write.write_text(report.build_page(results, written=clock.now().date()))
        console.print(f"wrote {write}", markup=False)
    if any(each.violations for each in results):
        raise typer.Exit(VIOLATED)
    if not all(each.had_effect for each in results):
        raise typer.Exit(FAILED)


def _find_write_error(page: Path) -> str | None:
    """The reason why the page cannot be written; None if it can. Leaves no new file."""
    existed = page.exists()
    try:
        page.open("a").close()
    except OSError as error:
        return error.strerror
    if not existed:
        page.unlink()
    return None


def _run_and_show(options: ChaosOptions, console: Console) -> ChaosResult:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[done]}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(options.database, total=1.0, done="")

        def show(step: str, done: int, seconds: float) -> None:
            shares = [seconds / options.seconds, done / options.operations if options.operations else 0.0]
            progress.update(
                task, completed=max(shares), description=f"{options.database}  {step:<32}", done=f"{done:,} operations"
            )

        try:
            result = run(options, show)
        except (RunInconclusive, FleetNotReady, ProcessNotStarted, NotMigrated, PostgresUnavailable) as error:
            console.print(f"chaos: {error}", style="bold red", markup=False)
            raise typer.Exit(FAILED) from None
        except KeyboardInterrupt:
            console.print("chaos: interrupted; nothing was compared", style="bold red", markup=False)
            raise typer.Exit(INTERRUPTED) from None
        except Exception:  # noqa: BLE001 - an error of the chaos tests is no violation
            console.print_exception()
            raise typer.Exit(FAILED) from None
    report.show(result, console)
    return result


if __name__ == "__main__":
    app()
