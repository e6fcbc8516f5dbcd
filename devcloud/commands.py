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
Port = typer.Option(metavar="PORT", help="first of four ports on 127.0.0.1", min=1, max=65000)

app = typer.Typer(
    help="The local cloud of TimeTracker.",
    rich_markup_mode=None,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def run(
    port: Annotated[int, Port] = 7071,
    data: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="folder of the database and the keys", show_default=".data of the project"),
    ] = None,
    *,
    fresh: Annotated[bool, typer.Option("--fresh", help="start with an empty database")] = False,
    timers: Annotated[bool, typer.Option("--timers", help="run scheduled jobs by their schedules")] = False,
    demo: Annotated[bool, typer.Option("--demo/--no-demo", help="load the demo tenants into a new database")] = True,
) -> None:
    """Run the Functions host and the emulators, with a database and demo tenants."""
    from devcloud import run as running  # noqa: PLC0415 - commands load only what they need

    called_from = Path(os.environ.pop(CALLED_FROM, "."))
    directory = running.PROJECT / ".data" if data is None else (called_from / data).resolve()
    options = running.Options(port=port, data=directory, fresh=fresh, timers=timers, demo=demo)
    raise typer.Exit(running.run(options))


@app.command()
def host(
    app_dir: Annotated[Path, typer.Option("--app", metavar="FOLDER", help="folder of function_app.py")] = Path(),
    port: Annotated[int, typer.Option(metavar="PORT", help="port on 127.0.0.1", min=0, max=65535)] = 7071,
    function: Annotated[str, typer.Option("--run", metavar="NAME", help="run this timer function once, then end")] = "",
    http_limit: Annotated[float, typer.Option(metavar="SECONDS", help="time limit of an HTTP function")] = 230.0,
    *,
    timers: Annotated[bool, typer.Option("--timers", help="run scheduled jobs by their schedules")] = False,
    access_log: Annotated[bool, typer.Option("--access-log", help="print a line for each request")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="list functions, show the library's log")] = False,
) -> None:
    """Serve one function app as Azure does."""
    from devcloud import ports  # noqa: PLC0415 - likewise
    from devcloud.functions import host as front  # noqa: PLC0415 - commands load only what they need
    from devcloud.functions import indexing, server  # noqa: PLC0415 - likewise

    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, stream=sys.stderr, format="%(message)s")
    for noisy in ("asyncio", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    options = server.Options(app_dir.resolve(), port, timers, http_limit, verbose, access_log)
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
    """Run the Microsoft Entra emulator."""
    _delegate("devcloud.emulators.entra.cli", context)


@app.command(context_settings=PASS_ON)
def token(context: typer.Context) -> None:
    """Print an access token for a demo person."""
    _delegate("devcloud.emulators.entra.cli", context)


@app.command(context_settings=PASS_ON)
def marketplace(context: typer.Context) -> None:
    """Run the Azure Marketplace emulator, or use it: buy, change, suspend, list."""
    from devcloud.emulators.marketplace.cli import app as marketplace_app  # noqa: PLC0415 - commands load only what they need

    marketplace_app(context.args, prog_name="python -m devcloud marketplace")


@app.command("azure-devops", context_settings=PASS_ON)
def azure_devops(context: typer.Context) -> None:
    """Run the Azure DevOps emulator."""
    _delegate("devcloud.emulators.azure_devops.cli", context)


@app.command("azure-devops-token", context_settings=PASS_ON)
def azure_devops_token(context: typer.Context) -> None:
    """Print a demo person's token for Azure DevOps."""
    _delegate("devcloud.emulators.azure_devops.cli", context)


@app.command(context_settings=PASS_ON)
def demo(context: typer.Context) -> None:
    """Load the demo tenants."""
    _delegate("devcloud.demo", context)


@app.command(hidden=True)
def migrate() -> None:
    """Migrate the database that DATABASE_URL names to the newest revision."""
    from alembic.config import main as alembic  # noqa: PLC0415 - commands load only what they need

    alembic(["-c", "alembic.ini", "upgrade", "head"], prog="alembic")


def _delegate(module: str, context: typer.Context) -> None:
    """Runs a command whose options are defined in `module`, which is imported only now."""
    name = str(context.info_name)
    command = getattr(importlib.import_module(module), f"{name.replace('-', '_')}_command")
    single = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    single.command(name)(command)
    single(context.args, prog_name=f"python -m devcloud {name}")


def _fail(prefix: str, error: Exception, code: int) -> None:
    typer.echo(f"{prefix}{error}", err=True)
    raise typer.Exit(code)
