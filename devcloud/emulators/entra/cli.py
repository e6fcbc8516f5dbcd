"""The commands `entra`, which runs the emulator, and `token`, which asks the running one for an access token."""

import signal
import threading
from pathlib import Path
from typing import Annotated, Any, NoReturn

import requests
import typer

from devcloud.emulators.entra.admin import DEFAULT_SCOPE
from devcloud.emulators.entra.clients import EXTENSION
from devcloud.emulators.entra.people import PEOPLE, find_person
from devcloud.emulators.entra.server import PORT, running
from devcloud.ports import PortUnusable


def entra_command(
    port: Annotated[int, typer.Option(metavar="PORT", help="port on 127.0.0.1", min=0, max=65535)] = PORT,
    data: Annotated[Path, typer.Option(metavar="FOLDER", help="folder of its signing keys")] = Path(".data"),
) -> None:
    """Run the Microsoft Entra emulator until it is stopped."""
    stopped = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stopped.set())
    try:
        with running(data, port=port) as emulator:
            typer.echo(f"entra ready on {emulator.url}")
            stopped.wait()
    except PortUnusable as error:
        _fail(f"entra: {error}")


def token_command(
    person: Annotated[str, typer.Argument(help="short name, e-mail or object id")],
    authority: Annotated[str, typer.Option(metavar="URL", help="address of the emulator")] = f"http://127.0.0.1:{PORT}",
    scope: Annotated[str, typer.Option(metavar="SCOPE", help="scope of the token")] = DEFAULT_SCOPE,
) -> None:
    """Print an access token for a demo person."""
    known = find_person(person)
    if known is None:
        _fail(f"token: nobody is called {person!r}; known are {', '.join(each.short for each in PEOPLE)}")
    form = {
        "grant_type": "password",
        "client_id": EXTENSION.id,
        "username": known.oid,
        "password": "any",
        "scope": scope,
    }
    url = f"{authority.rstrip('/')}/{known.directory.tid}/oauth2/v2.0/token"
    try:
        response = requests.post(url, data=form, timeout=10)
        answer: dict[str, Any] = response.json()
    except requests.RequestException:
        _fail(f"token: no emulator answers on {authority}; start it with: python -m devcloud entra")
    if not response.ok:
        _fail(f"token: {str(answer.get('error_description', response.status_code)).partition(' Trace ID')[0]}")
    typer.echo(answer["access_token"])


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)


app = typer.Typer(
    help="The emulator of Microsoft Entra.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("entra")(entra_command)
app.command("token")(token_command)
