"""The commands: their options, and their failures as one line and an exit code."""

import importlib
import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from devcloud import settings_file


USAGE = 2
CALLED_FROM = "TIMETRACKER_CALLED_FROM"  # set by scripts/run, which changes into the project
PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
Port = typer.Option(help="where it listens, on 127.0.0.1 only", min=1, max=65000)

app = typer.Typer(
    help="TimeTracker's local cloud.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def run(
    port: Annotated[int, Port] = 7071,
    data: Annotated[
        Path | None, typer.Option(help="where the database and the keys are kept", show_default=".data of the project")
    ] = None,
    *,
    fresh: Annotated[bool, typer.Option("--fresh", help="start with an empty database")] = False,
    timers: Annotated[bool, typer.Option("--timers", help="run timer functions by their schedules")] = False,
    demo: Annotated[bool, typer.Option("--demo/--no-demo", help="load the demo tenants the first time")] = True,
) -> None:
    """Runs everything: the Functions host and the stand-ins, with a database and demo tenants."""
    from devcloud import run as running  # noqa: PLC0415 - commands load only what they need

    called_from = Path(os.environ.pop(CALLED_FROM, "."))
    directory = running.PROJECT / ".data" if data is None else (called_from / data).resolve()
    options = running.Options(port=port, data=directory, fresh=fresh, timers=timers, demo=demo)
    raise typer.Exit(running.run(options))


@app.command()
def host(
    app_dir: Annotated[Path, typer.Option("--app", help="the directory of function_app.py")] = Path(),
    port: Annotated[int, typer.Option(help="where it listens, on 127.0.0.1 only", min=0, max=65535)] = 7071,
    function: Annotated[str, typer.Option("--run", help="run this timer function once and end")] = "",
    http_limit: Annotated[float, typer.Option(help="seconds an HTTP function may take, as in Azure")] = 230.0,
    *,
    timers: Annotated[bool, typer.Option("--timers", help="run timer functions by their schedules")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="list functions, show the library's log")] = False,
) -> None:
    """Serves one function app the way Azure does."""
    from devcloud import ports  # noqa: PLC0415 - likewise
    from devcloud.functions import host as front  # noqa: PLC0415 - commands load only what they need
    from devcloud.functions import indexing, server  # noqa: PLC0415 - likewise

    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, stream=sys.stderr, format="%(message)s")
    for noisy in ("asyncio", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    options = server.Options(app_dir.resolve(), port, timers, http_limit, verbose)
    try:
        settings_file.load(options.app_dir, os.environ)
        if function:
            raise typer.Exit(0 if server.run_once(options, function) else 1)
        server.serve(options)
    except indexing.IndexingError as error:
        _fail("host: cannot index the app: ", error, 1)
    except (
        settings_file.SettingsFileError,
        front.HostFileError,
        ports.PortUnusable,
        server.UnknownFunction,
    ) as error:
        _fail("host: ", error, USAGE)


@app.command(context_settings=PASS_ON)
def entra(context: typer.Context) -> None:
    """Runs the stand-in for Microsoft Entra."""
    _hand_over("devcloud.emulators.entra.cli", context)


@app.command(context_settings=PASS_ON)
def token(context: typer.Context) -> None:
    """Prints an access token of a demo person."""
    _hand_over("devcloud.emulators.entra.cli", context)


@app.command(context_settings=PASS_ON)
def marketplace(context: typer.Context) -> None:
    """Runs the stand-in for the Azure Marketplace, or gives it an order: buy, change, suspend, list."""
    from devcloud.emulators.marketplace.cli import app as orders  # noqa: PLC0415 - commands load only what they need

    orders(context.args, prog_name="python -m devcloud marketplace")


@app.command("azure-devops", context_settings=PASS_ON)
def azure_devops(context: typer.Context) -> None:
    """Runs the stand-in for Azure DevOps."""
    _hand_over("devcloud.emulators.azure_devops.cli", context)


@app.command("azure-devops-token", context_settings=PASS_ON)
def azure_devops_token(context: typer.Context) -> None:
    """Prints a demo person's token for Azure DevOps."""
    _hand_over("devcloud.emulators.azure_devops.cli", context)


@app.command(context_settings=PASS_ON)
def demo(context: typer.Context) -> None:
    """Loads the demo tenants."""
    _hand_over("devcloud.demo", context)


@app.command(hidden=True)
def migrate() -> None:
    """Brings the database of DATABASE_URL to the newest revision."""
    from alembic.config import main as alembic  # noqa: PLC0415 - commands load only what they need

    alembic(["-c", "alembic.ini", "upgrade", "head"], prog="alembic")


def _hand_over(module: str, context: typer.Context) -> None:
    """Stand-ins bring their own options, and cost nothing to the commands that do not need them."""
    name = str(context.info_name)
    command = getattr(importlib.import_module(module), f"{name.replace('-', '_')}_command")
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    single.command(name)(command)
    single(context.args, prog_name=f"python -m devcloud {name}")


def _fail(what: str, error: Exception, code: int) -> None:
    typer.echo(f"{what}{error}", err=True)
    raise typer.Exit(code)
