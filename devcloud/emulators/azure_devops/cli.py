"""The commands `azure-devops`, which runs the emulator, and `azure-devops-token`, which prints a token for it."""

import signal
import threading
from typing import Annotated, NoReturn

import typer

from devcloud.emulators.azure_devops.server import PORT, running
from devcloud.emulators.azure_devops.tokens import Visitor, mint
from devcloud.emulators.entra.people import PEOPLE, find_person
from devcloud.ports import PortUnusable


def azure_devops_command(
    port: Annotated[int, typer.Option(help="where it listens, on 127.0.0.1 only", min=0, max=65535)] = PORT,
) -> None:
    """Runs the stand-in for Azure DevOps until it is told to stop; then its work items are as they were."""
    stopped = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stopped.set())
    try:
        with running(port=port) as stand_in:
            typer.echo(f"azure-devops ready on {stand_in.url}")
            stopped.wait()
    except PortUnusable as error:
        _fail(f"azure-devops: {error}")


def azure_devops_token_command(person: Annotated[str, typer.Argument(help="short name, e-mail or object id")]) -> None:
    """Prints the token of a demo person for X-AzureDevOps-Token, and nothing else."""
    known = find_person(person)
    if known is None:
        _fail(f"azure-devops-token: nobody is called {person!r}; known are {', '.join(each.short for each in PEOPLE)}")
    typer.echo(mint(Visitor.of(known)))


def _fail(told: str) -> NoReturn:
    typer.echo(told, err=True)
    raise typer.Exit(1)


app = typer.Typer(
    help="The stand-in for Azure DevOps.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("azure-devops")(azure_devops_command)
app.command("azure-devops-token")(azure_devops_token_command)
