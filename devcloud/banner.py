"""The text that the local cloud prints once it has started: addresses, people, commands to try."""

from rich.console import Console
from rich.table import Table

from devcloud.emulators.entra.people import PEOPLE, Person
from devcloud.emulators.entra.server import PORT as ENTRA_PORT


INTRODUCED = ("ada", "ben", "chloe", "gus", "dana", "eli", "bob", "nora")
MEMBERS = ("ben", "chloe", "gus")
DEFAULT_ENTRA_URL = f"http://127.0.0.1:{ENTRA_PORT}"

console = Console(soft_wrap=True, highlight=False, markup=False)


def print_line(text: str) -> None:
    console.print(text)
    console.file.flush()


def print_banner(host_url: str, entra_url: str, marketplace_url: str, azure_devops_url: str, *, demo: bool) -> None:
    """Addresses for a browser, people, and commands; the last line says that everything has started."""
    addresses = Table.grid(padding=(0, 3))
    addresses.add_row("TimeTracker", f"{host_url}/")
    addresses.add_row("API contract (OpenAPI)", f"{host_url}/api/openapi.json")
    addresses.add_row("Sign-in (Microsoft Entra emulator)", f"{entra_url}/")
    addresses.add_row("Purchases (Azure Marketplace emulator)", f"{marketplace_url}/")
    addresses.add_row("Work items (Azure DevOps emulator)", f"{azure_devops_url}/contoso")
    console.print()
    console.print(addresses)
    people = demo_people(demo=demo)
    table = Table.grid(padding=(0, 3))
    for person in people:
        table.add_row(*person)
    print_line("\nDemo people:" if demo else "\nPeople who can sign in:")
    console.print(table)
    print_line("\nTry it, in another terminal:")
    for command in commands(host_url, entra_url, people[0][0], demo=demo):
        print_line(f"  {command}")
    print_line("\nReady. Ctrl-C stops everything.")


def demo_people(*, demo: bool) -> list[tuple[str, ...]]:
    """Short name, name and role of each person, with the demo tenants or without."""
    describe = _role if demo else _directory
    return [(person.short, person.name, describe(person)) for person in PEOPLE if person.short in INTRODUCED]


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
    first_call = f"sign-in {bearer}" if demo else f"tenants {bearer} {json} -d '{tenant}'"
    return [
        token,
        f"curl -s -X POST {host_url}/api/{first_call}",
        f"curl -s -X POST {host_url}/api/timers/start {bearer} {json} -d '{start}'",
        f"curl -s -X POST {host_url}/api/timers/stop {bearer}",
        f'curl -s "{host_url}/api/reports/month?month=$(date -u +%Y-%m)&groupBy=project,user&format=csv" {bearer}',
    ]
