"""Work items and their updates, parsed from Azure DevOps' JSON without e-mail addresses; fields may be missing."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from shared.instants import parse_rfc3339
from shared.text import shortened


# The name is part of every path: letters, digits, inner hyphens. `\Z`, since `$` would allow a newline.
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
_MAX_CHARS: Final = {"System.Title": 400, "System.AssignedTo": 256}
_MAX_CHARS_OTHERWISE: Final = 128
_MAX_HOURS: Final = 1_000_000_000
_APART: Final = re.compile(r"[\s\x00-\x1f'\"]+")  # between words of a query; a quote would end its text
_CLOSED_CATEGORIES: Final = {"Completed", "Removed"}  # of states, in every process


class UnreadableDocument(Exception):
    """Not a document of Azure DevOps."""


@dataclass(frozen=True, slots=True)
class WorkItem:
    """Texts are printable and fit their columns. Hours are None if the item has no value."""

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
    """The changes of one revision. Both hours are None if Completed Work did not change."""

    rev: int
    hours_before: Decimal | None
    hours_after: Decimal | None
    history: str | None
    changed_at: dt.datetime | None = None


def parse_work_item(document: Any) -> WorkItem:  # noqa: ANN401 - any JSON
    """Raises UnreadableDocument if it is not a work item."""
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


def title_query(text: str) -> str | None:
    """A query for work items with every word of the text in their title; None for a text without words."""
    words = list(filter(None, _APART.split(text)))
    if not words:
        return None
    conditions = " AND ".join(f"[System.Title] CONTAINS '{word}'" for word in words)
    return f"SELECT [System.Id] FROM WorkItems WHERE {conditions} ORDER BY [System.ChangedDate] DESC"  # noqa: S608 - no word has a quote


def parse_found(document: Any) -> list[int]:  # noqa: ANN401 - any JSON
    """The numbers in the result of a query. Raises UnreadableDocument if it is none."""
    found = document.get("workItems") if isinstance(document, dict) else None
    if not isinstance(found, list):
        raise UnreadableDocument
    return [_number(each, "id") for each in found]


def parse_field_names(document: Any) -> set[str]:  # noqa: ANN401 - any JSON
    """The reference names of a type's fields."""
    return {
        each["referenceName"] for each in list_values(document) if isinstance(each, dict) and "referenceName" in each
    }


def parse_closed_states(document: Any) -> frozenset[str]:  # noqa: ANN401 - any JSON
    """The names of a type's states in which no work remains."""
    states = [each for each in list_values(document) if isinstance(each, dict)]
    closed = (each.get("name") for each in states if each.get("category") in _CLOSED_CATEGORIES)
    return frozenset(name for name in closed if isinstance(name, str))


def list_values(document: Any) -> Sequence[Any]:  # noqa: ANN401 - any JSON
    """The `value` of a list. Raises UnreadableDocument if it is missing."""
    value = document.get("value") if isinstance(document, dict) else None
    if not isinstance(value, list):
        raise UnreadableDocument
    return value


def parse_revision(update: Any) -> int:  # noqa: ANN401 - any JSON
    """Raises UnreadableDocument if it is not an update."""
    return _number(update, "rev")


def find_update(rev: int, updates: Sequence[Any]) -> Update | None:
    """The update that created a revision. A link to an item adds updates that change no field to its revision."""
    changes = [fields for each in updates if parse_revision(each) == rev and (fields := _fields(each))]
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


def parse_updates(updates: Sequence[Any]) -> list[Update]:
    """One update per revision, the oldest first."""
    revisions = sorted({parse_revision(each) for each in updates})
    return [update for rev in revisions if (update := find_update(rev, updates)) is not None]


def _change(changes: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    change = next((fields[name] for fields in changes if name in fields), None)
    return change if isinstance(change, dict) else {}


def _fields(document: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    fields = document.get("fields", {}) if isinstance(document, dict) else None
    if not isinstance(fields, dict):
        raise UnreadableDocument
    return fields


def _number(document: Mapping[str, Any], name: str) -> int:
    value = document.get(name) if isinstance(document, dict) else None
    if type(value) is not int or value < 1:  # a bool is an int to isinstance
        raise UnreadableDocument
    return value


def _hours(value: Any) -> Decimal | None:  # noqa: ANN401 - any JSON
    """None only if absent: an unreadable number taken for none would be overwritten."""
    if value is None:
        return None
    if type(value) not in {int, Decimal} or not abs(value) < _MAX_HOURS:
        raise UnreadableDocument
    return Decimal(value)


def _instant(value: Any) -> dt.datetime | None:  # noqa: ANN401 - any JSON
    try:
        return parse_rfc3339(value)
    except ValueError:
        return None


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        return ""
    printable = value if value.isprintable() else "".join(filter(str.isprintable, value))
    return shortened(printable, _MAX_CHARS.get(name, _MAX_CHARS_OTHERWISE)).strip()


def _assignee_name(value: Any) -> str | None:  # noqa: ANN401 - any JSON
    """The display name of an identity, or of an older `Name <address>` text; never an address."""
    name = value.get("displayName") if isinstance(value, dict) else value
    if isinstance(value, str):
        name = value.partition("<")[0]
    shown = _text({"System.AssignedTo": name}, "System.AssignedTo")
    return shown if shown and "@" not in shown else None
