"""What is read from Azure DevOps, as frozen values: tolerant of what is missing, and without anybody's e-mail."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from shared.instants import parse_rfc3339
from shared.text import shortened


# The name pins the path of every request: letters, digits, hyphens inside. `\Z`, since `$` would let a newline through.
ORGANIZATION: Final = re.compile(r"\A[A-Za-z0-9](?:[A-Za-z0-9-]{0,48}[A-Za-z0-9])?\Z")
CHANGED: Final = "System.ChangedDate"
COMPLETED: Final = "Microsoft.VSTS.Scheduling.CompletedWork"
REMAINING: Final = "Microsoft.VSTS.Scheduling.RemainingWork"
HISTORY: Final = "System.History"
SHOWN_FIELDS: Final = (
    "System.Id",
    "System.WorkItemType",
    "System.Title",
    "System.AssignedTo",
    "System.State",
    "System.TeamProject",
)
_LONGEST: Final = {"System.Title": 400, "System.AssignedTo": 256}
_LONGEST_OTHERWISE: Final = 128
_ABSURD_HOURS: Final = 1_000_000_000
_CLOSED_CATEGORIES: Final = {"Completed", "Removed"}  # of states, whatever a process calls them


class Unreadable(Exception):
    """Not what Azure DevOps answers."""


@dataclass(frozen=True, slots=True)
class WorkItem:
    """Texts are printable and fit their columns. Hours are None where the item has no such value."""

    id: int
    rev: int
    type: str
    title: str
    assignee_name: str | None
    state: str
    project: str
    completed_hours: Decimal | None
    remaining_hours: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """What one revision changed. The hours are both None when Completed Work was not touched."""

    rev: int
    hours_before: Decimal | None
    hours_after: Decimal | None
    history: str | None
    changed_at: dt.datetime | None = None


def work_item_of(document: Any) -> WorkItem:  # noqa: ANN401 - whatever the answer holds
    """Raises Unreadable for what is no work item."""
    fields = _fields(document)
    return WorkItem(
        id=_number(document, "id"),
        rev=_number(document, "rev"),
        type=_text(fields, "System.WorkItemType"),
        title=_text(fields, "System.Title"),
        assignee_name=_assignee_name(fields.get("System.AssignedTo")),
        state=_text(fields, "System.State"),
        project=_text(fields, "System.TeamProject"),
        completed_hours=_hours(fields.get(COMPLETED)),
        remaining_hours=_hours(fields.get(REMAINING)),
    )


def field_names_of(document: Any) -> set[str]:  # noqa: ANN401 - whatever the answer holds
    """The reference names of the fields that a type has."""
    return {each["referenceName"] for each in listed(document) if isinstance(each, dict) and "referenceName" in each}


def closed_states_of(document: Any) -> frozenset[str]:  # noqa: ANN401 - whatever the answer holds
    """The names of a type's states in which nothing remains to be done."""
    states = [each for each in listed(document) if isinstance(each, dict)]
    closed = (each.get("name") for each in states if each.get("category") in _CLOSED_CATEGORIES)
    return frozenset(name for name in closed if isinstance(name, str))


def listed(document: Any) -> Sequence[Any]:  # noqa: ANN401 - whatever the answer holds
    """The `value` of a list. Raises Unreadable when there is none."""
    value = document.get("value") if isinstance(document, dict) else None
    if not isinstance(value, list):
        raise Unreadable
    return value


def revision_of(update: Any) -> int:  # noqa: ANN401 - whatever the answer holds
    """Raises Unreadable for what is no update."""
    return _number(update, "rev")


def update_of(rev: int, updates: Sequence[Any]) -> Update | None:
    """The change that made a revision; linking to an item adds updates to its revision, which change no fields."""
    changes = [fields for each in updates if revision_of(each) == rev and (fields := _fields(each))]
    if not changes:
        return None
    hours, history = _change(changes, COMPLETED), _change(changes, HISTORY).get("newValue")
    return Update(
        rev=rev,
        hours_before=_hours(hours.get("oldValue")),
        hours_after=_hours(hours.get("newValue")),
        history=history if isinstance(history, str) else None,
        changed_at=_instant(_change(changes, CHANGED).get("newValue")),
    )


def updates_of(updates: Sequence[Any]) -> list[Update]:
    """The changes of all revisions among the updates, the oldest first."""
    revisions = sorted({revision_of(each) for each in updates})
    return [found for rev in revisions if (found := update_of(rev, updates)) is not None]


def _change(changes: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    found = next((fields[name] for fields in changes if name in fields), None)
    return found if isinstance(found, dict) else {}


def _fields(document: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever the answer holds
    fields = document.get("fields", {}) if isinstance(document, dict) else None
    if not isinstance(fields, dict):
        raise Unreadable
    return fields


def _number(document: Mapping[str, Any], name: str) -> int:
    value = document.get(name) if isinstance(document, dict) else None
    if type(value) is not int or value < 1:  # a bool is an int to isinstance
        raise Unreadable
    return value


def _hours(value: Any) -> Decimal | None:  # noqa: ANN401 - whatever the answer holds
    """Only absence is None: to take an odd number for none would be to overwrite it."""
    if value is None:
        return None
    if type(value) not in {int, Decimal} or not abs(value) < _ABSURD_HOURS:
        raise Unreadable
    return Decimal(value)


def _instant(value: Any) -> dt.datetime | None:  # noqa: ANN401 - whatever the answer holds
    try:
        return parse_rfc3339(value)
    except ValueError:
        return None


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        return ""
    printable = value if value.isprintable() else "".join(filter(str.isprintable, value))
    return shortened(printable, _LONGEST.get(name, _LONGEST_OTHERWISE)).strip()


def _assignee_name(value: Any) -> str | None:  # noqa: ANN401 - whatever the answer holds
    """The display name of an identity, or of a text `Name <address>`, which older ones are. An address is no name."""
    name = value.get("displayName") if isinstance(value, dict) else value
    if isinstance(value, str):
        name = value.partition("<")[0]
    shown = _text({"System.AssignedTo": name}, "System.AssignedTo")
    return shown if shown and "@" not in shown else None
