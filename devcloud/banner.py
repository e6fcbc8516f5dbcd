"""What the local cloud says on the terminal, or into a file: addresses, people, commands to try."""

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
    if people := demo_people():
        table = Table.grid(padding=(0, 3))
        for person in people:
            table.add_row(*person)
        tell("\nPeople of the demo tenant:")
        console.print(table)
    tell("\nTry it:")
    for command in commands(host_url, people[0][0] if people else "ada"):
        tell(f"  {command}")
    tell("\nReady. Ctrl-C stops everything.")


def demo_people() -> list[tuple[str, ...]]:
    """Name, role and what else there is to say of each person; the stand-in for Entra knows them."""
    return []


def commands(host_url: str, person: str) -> list[str]:
    """Lines to paste into another terminal, in the project's directory."""
    json = "-H 'Content-Type: application/json'"
    token = f"TOKEN=$(.venv/bin/python -m devcloud token {person})"
    bearer = '-H "Authorization: Bearer $TOKEN"'
    start = '{"organization": "contoso", "project": "Website", "workItemId": 42}'
    return [
        token,
        f"curl -s -X POST {host_url}/api/sign-in {bearer}",
        f"curl -s -X POST {host_url}/api/timers/start {bearer} {json} -d '{start}'",
        f"curl -s -X POST {host_url}/api/timers/stop {bearer}",
    ]
