"""What the local cloud says on the terminal, or into a file: addresses, people, commands to try."""

import importlib
import os
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table


console = Console(soft_wrap=True, highlight=False, markup=False)


def tell(text: str) -> None:
    console.print(text)
    console.file.flush()


def show(host_url: str, entra_url: str) -> None:
    """Everything a newcomer needs; the last line says that all of it is up."""
    addresses = Table.grid(padding=(0, 3))
    addresses.add_row("TimeTracker", f"{host_url}/api")
    addresses.add_row("its contract", f"{host_url}/api/openapi.json")
    addresses.add_row("sign-in (stand-in for Entra)", entra_url)
    console.print()
    console.print(addresses)
    people = demo_people()
    if people:
        table = Table.grid(padding=(0, 3))
        for person in people:
            table.add_row(*person)
        tell("\nPeople who can sign in:")
        console.print(table)
    tell("\nTry it:")
    for command in commands(host_url, entra_url, people[0][0] if people else "PERSON"):
        tell(f"  {command}")
    tell("\nReady. Ctrl-C stops everything.")


def demo_people() -> list[tuple[str, ...]]:
    """Short name, name, e-mail and directory of each person the stand-in for Entra knows."""
    try:
        people = importlib.import_module("devcloud.entra.people").PEOPLE
    except ModuleNotFoundError:
        return []
    return [(person.short, person.name, person.email, person.directory.name) for person in people]


def commands(host_url: str, entra_url: str, person: str) -> list[str]:
    """Lines to paste into another terminal, in the project's directory."""
    authority = "" if entra_url.endswith(":7072") else f" --authority {entra_url}"
    python = os.path.relpath(sys.executable) if sys.prefix.startswith(str(Path.cwd())) else sys.executable
    bearer = '-H "Authorization: Bearer $TOKEN"'
    json = "-H 'Content-Type: application/json'"
    start = '{"organization": "contoso", "project": "Website", "workItemId": 42}'
    return [
        f"TOKEN=$({python} -m devcloud token {person}{authority})",
        f"curl -s -X POST {host_url}/api/sign-in {bearer}",
        f"curl -s -X POST {host_url}/api/timers/start {bearer} {json} -d '{start}'",
        f"curl -s -X POST {host_url}/api/timers/stop {bearer}",
    ]
