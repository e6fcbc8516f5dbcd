"""The commands `azure-devops`, which runs the emulator, and `azure-devops-token`, which prints a token for it."""

import signal
import threading
from typing import Annotated, NoReturn

import typer

from devcloud.emulators.azure_devops.server import PORT, running
from devcloud.emulators.azure_devops.tokens import TokenUser, mint
from devcloud.emulators.entra.people import PEOPLE, find_person
from devcloud.ports import PortUnusable


def azure_devops_command(
    port: Annotated[int, typer.Option(metavar="PORT", help="port on 127.0.0.1", min=0, max=65535)] = PORT,
) -> None:
    """Run the Azure DevOps emulator until it is stopped; its changes are lost then."""
    stopped = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stopped.set())
    try:
        with running(port=port) as emulator:
            typer.echo(f"azure-devops ready on {emulator.url}")
            stopped.wait()
    except PortUnusable as error:
        _fail(f"azure-devops: {error}")


def azure_devops_token_command(person: Annotated[str, typer.Argument(help="short name, e-mail or object id")]) -> None:
    """Print a demo person's token for Azure DevOps."""
    known = find_person(person)
    if known is None:
        _fail(f"azure-devops-token: nobody is called {person!r}; known are {', '.join(each.short for each in PEOPLE)}")
    typer.echo(mint(TokenUser.of(known)))


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)


app = typer.Typer(
    help="The emulator of Azure DevOps.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("azure-devops")(azure_devops_command)
app.command("azure-devops-token")(azure_devops_token_command)
