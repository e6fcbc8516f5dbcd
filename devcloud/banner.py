"""What the local cloud says on the terminal, or into a file: addresses, people, commands to try."""

from rich.console import Console
from rich.table import Table

from devcloud.emulators.entra.people import PEOPLE, Person
from devcloud.emulators.entra.server import PORT as ENTRA_PORT


SHOWN = ("ada", "ben", "chloe", "gus", "dana", "eli", "bob", "nora")
MEMBERS = ("ben", "chloe", "gus")
DEFAULT_ENTRA_URL = f"http://127.0.0.1:{ENTRA_PORT}"

console = Console(soft_wrap=True, highlight=False, markup=False)


def tell(text: str) -> None:
    console.print(text)
    console.file.flush()


def show(host_url: str, entra_url: str, marketplace_url: str, azure_devops_url: str, *, demo: bool) -> None:
    """Everything a newcomer needs; the last line says that all of it is up."""
    addresses = Table.grid(padding=(0, 3))
    addresses.add_row("TimeTracker", f"{host_url}/api")
    addresses.add_row("its contract", f"{host_url}/api/openapi.json")
    addresses.add_row("sign-in (stand-in for Entra)", entra_url)
    addresses.add_row("shop (stand-in for the Marketplace)", marketplace_url)
    addresses.add_row("work items (stand-in for Azure DevOps)", f"{azure_devops_url}/contoso")
    console.print()
    console.print(addresses)
    people = demo_people(demo=demo)
    table = Table.grid(padding=(0, 3))
    for person in people:
        table.add_row(*person)
    tell("\nDemo people:" if demo else "\nPeople who can sign in:")
    console.print(table)
    tell("\nTry it:")
    for command in commands(host_url, entra_url, people[0][0], demo=demo):
        tell(f"  {command}")
    tell("\nReady. Ctrl-C stops everything.")


def demo_people(*, demo: bool) -> list[tuple[str, ...]]:
    """What to call each person, their name, and who they are, with the demo tenants or without."""
    of = _role if demo else _directory
    return [(person.short, person.name, of(person)) for person in PEOPLE if person.short in SHOWN]


def _directory(person: Person) -> str:
    return f"in the directory of {person.directory.name}, which has no tenant yet"


def _role(person: Person) -> str:
    match person.directory.name, person.is_guest:
        case "Contoso", True:
            return f"user of Contoso, a guest from {person.home.name}"
        case "Contoso", _ if person.short == "ada":
            return "super admin of Contoso"
        case "Contoso", _:
            return "user of Contoso" if person.short in MEMBERS else "colleague at Contoso without an account yet"
        case "Fabrikam", _:
            return "super admin of Fabrikam, which pays"
        case _:
            return _directory(person)


def commands(host_url: str, entra_url: str, person: str, *, demo: bool) -> list[str]:
    """Lines to paste into another terminal, in the project's directory."""
    json = "-H 'Content-Type: application/json'"
    authority = "" if entra_url == DEFAULT_ENTRA_URL else f" --authority {entra_url}"
    token = f"TOKEN=$(.venv/bin/python -m devcloud token {person}{authority})"
    bearer = '-H "Authorization: Bearer $TOKEN"'
    start = '{"organization": "contoso", "project": "Website", "workItemId": 42}'
    tenant = '{"name": "Contoso", "azureDevOpsOrganization": "contoso", "timeZone": "Europe/Berlin"}'
    enter = f"sign-in {bearer}" if demo else f"tenants {bearer} {json} -d '{tenant}'"
    return [
        token,
        f"curl -s -X POST {host_url}/api/{enter}",
        f"curl -s -X POST {host_url}/api/timers/start {bearer} {json} -d '{start}'",
        f"curl -s -X POST {host_url}/api/timers/stop {bearer}",
        f'curl -s "{host_url}/api/reports/month?month=$(date -u +%Y-%m)&groupBy=project,user&format=csv" {bearer}',
    ]
