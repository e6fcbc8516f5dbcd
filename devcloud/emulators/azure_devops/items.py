"""The demo organizations and their backlogs."""

from dataclasses import dataclass
from typing import Final

from devcloud.emulators.entra.people import CONTOSO, FABRIKAM, NORTHWIND, Directory, find_person


ORGANIZATIONS: Final = {"contoso": CONTOSO, "contoso-labs": CONTOSO, "fabrikam": FABRIKAM, "northwind": NORTHWIND}
# Agile process: states of each type, and types with hours.
STATES: Final = {
    "Epic": ("New", "Active", "Resolved", "Closed", "Removed"),
    "Feature": ("New", "Active", "Resolved", "Closed", "Removed"),
    "User Story": ("New", "Active", "Resolved", "Closed", "Removed"),
    "Task": ("New", "Active", "Closed", "Removed"),
    "Bug": ("New", "Active", "Resolved", "Closed"),
}
WITH_HOURS: Final = {"Task", "Bug"}


@dataclass(frozen=True, slots=True)
class Item:
    """A work item at the start of the demo; `assignee` is a short name."""

    project: str
    id: int
    type: str
    title: str
    state: str = "New"
    assignee: str | None = None
    completed: float | None = None


ITEMS: Final = (
    Item("Website", 31, "Epic", "A shop that people come back to", "Active", "ada"),
    Item("Website", 36, "Feature", "Checkout without an account", "Active", "ada"),
    Item("Website", 38, "User Story", "As a guest I can pay by card", "Active", "ben"),
    Item("Website", 42, "Bug", "Checkout fails for guests", "Active", "ben", 3.5),
    Item("Website", 43, "Task", "Reproduce the failing checkout in a test", "Closed", "ben", 2),
    Item("Website", 44, "Task", "Show a clear message when a card is refused", "New", "chloe"),
    Item("Website", 51, "Feature", "A start page in under a second", "Active", "chloe"),
    Item("Website", 57, "Task", "Faster start page", "Active", "chloe", 6.25),
    Item("Website", 58, "Task", "Load pictures when they come into view", "Closed", "gus", 4),
    Item("Website", 59, "Bug", "The start page jumps while fonts load", "Resolved", "gus", 1.5),
    Item("Website", 61, "User Story", "Dark mode", "Active", "dana"),
    Item("Website", 62, "Task", "Colors for dark mode", "Active", "dana", 5),
    Item("Website", 63, "Task", "Remember the choice of each visitor"),
    Item("Website", 64, "Bug", "Logo has a white border in dark mode", "New", "eli"),
    Item("Billing", 66, "Epic", "Invoices nobody has to ask about", "Active", "ada"),
    Item("Billing", 71, "Feature", "Plans by the year", "Active", "ada"),
    Item("Billing", 73, "User Story", "Yearly plans", "Active", "ben"),
    Item("Billing", 74, "Task", "Price list with two periods", "Closed", "ben", 7.75),
    Item("Billing", 75, "Task", "Change from monthly to yearly", "Active", "ada", 2.5),
    Item("Billing", 76, "Bug", "A year that ends on 29 February bills twice", "Active", "ada", 1.25),
    Item("Billing", 79, "Task", "Remind people a month before the end", "New"),
    Item("Billing", 85, "Feature", "Documents for the whole of Europe", "Active", "chloe"),
    Item("Billing", 88, "Task", "Invoices in two languages", "Active", "chloe", 9),
    Item("Billing", 89, "Task", "Have the French invoice read by a lawyer", "New", "chloe"),
    Item("Billing", 90, "Bug", "Totals in French use a point for a comma", "Resolved", "ben", 0.5),
    Item("Billing", 91, "Bug", "=SUM(A1) as a customer's name upsets the export", "New"),
    Item("Billing", 94, "Task", "Send invoices by e-mail", "Removed"),
    Item("Mobile", 97, "Epic", "Time tracking in the pocket", "Active", "gus"),
    Item("Mobile", 101, "Feature", "Works in a tunnel", "Active", "gus"),
    Item("Mobile", 104, "Task", "Offline start and stop", "Active", "gus", 12.5),
    Item("Mobile", 105, "Task", "Keep what was tapped until there is a network", "Active", "eli", 3),
    Item("Mobile", 106, "Task", "Tell the user what has not been sent yet", "New", "eli"),
    Item("Mobile", 107, "User Story", "As a commuter I can stop yesterday's timer", "New"),
    Item("Mobile", 112, "Bug", "Crash on rotation", "Active", "ben", 2.75),
    Item("Mobile", 113, "Bug", "Emoji 🚀 in a title is cut in half", "Active", "chloe", 0.75),
    Item("Mobile", 114, "Task", "Test on small screens", "Closed", "dana", 4.25),
    Item("Mobile", 118, "Feature", "Widgets for the home screen"),
    Item("Mobile", 119, "User Story", "As a developer I see my running timer on the home screen"),
    Item("Mobile", 120, "Task", "Draw the widget", "New", "dana"),
    Item("Mobile", 121, "Bug", "Widget shows the time of the wrong zone", "New", "dana"),
)


# Contoso's other organization, with item numbers and a project name of the first one.
LABS_ITEMS: Final = (
    Item("Website", 42, "Task", "Try a shop without a server", "Active", "eli", 1),
    Item("Website", 58, "Bug", "The prototype forgets its visitors", "New", "dana"),
    Item("Prototypes", 60, "Task", "A timer on a watch", "Active", "gus", 2.25),
)
BACKLOGS: Final = {"contoso": ITEMS, "contoso-labs": LABS_ITEMS}


def projects_of(organization: str) -> set[str]:
    """The names of the projects; only Contoso's two organizations have projects."""
    return {item.project for item in BACKLOGS.get(organization, ())}


def organizations_of(directory: Directory) -> tuple[str, ...]:
    """The organizations of a directory's people; the one with the directory's name first."""
    first = directory.name.lower()
    return (first, *(name for name, of in ORGANIZATIONS.items() if of == directory and name != first))


def directory_of(organization: str) -> Directory | None:
    return ORGANIZATIONS.get(organization.lower())


def assignee_of(item: Item) -> tuple[str, str, str] | None:
    """Name, sign-in name and object id of the assignee."""
    person = find_person(item.assignee) if item.assignee else None
    return (person.name, person.email, person.oid) if person else None
