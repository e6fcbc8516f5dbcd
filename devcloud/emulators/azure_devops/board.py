"""The work items of one organisation, in memory: each change is a revision, and all of it happens under one lock."""

import datetime as dt
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from devcloud.emulators.azure_devops.fields import HISTORY, check_known, check_value
from devcloud.emulators.azure_devops.items import Item, assignee_of
from devcloud.emulators.azure_devops.refusal import Refused, changed, invalid, not_there
from devcloud.emulators.azure_devops.tokens import Visitor


Document = dict[str, Any]
_FOREVER: Final = "9999-01-01T00:00:00Z"
_MADE_BY: Final = ("Ada Lovelace", "ada@contoso.example", "690222be-ff1a-4d56-abd1-7e4f7d38e474")


@dataclass(slots=True)
class _WorkItem:
    rev: int = 0
    fields: Document = field(default_factory=dict)
    updates: list[Document] = field(default_factory=list)


class Board:
    """`url` is the organisation's address."""

    def __init__(self, url: str, items: Sequence[Item], now: Callable[[], dt.datetime]) -> None:
        self._url, self._now = url, now
        self._lock = threading.Lock()
        self._items = {item.id: self._made(item) for item in items}

    def read(self, number: int, visitor: Visitor, names: Sequence[str] | None = None) -> Document:
        """Raises Refused when it is not there for that person, or for a field that does not exist."""
        for name in names or ():
            check_known(name)
        with self._lock:
            return self._document(number, self._find(number, visitor), names)

    def all(self) -> list[Document]:
        """Every work item, as anybody may see it who may see all."""
        with self._lock:
            return [self._document(number, item, None) for number, item in self._items.items()]

    def updates(self, number: int, visitor: Visitor, *, skip: int, top: int) -> list[Document]:
        with self._lock:
            return self._find(number, visitor).updates[skip : skip + top]

    def patch(self, number: int, visitor: Visitor, operations: Sequence[Document]) -> Document:
        """Applies all operations or none; without a change there is no new revision.

        Raises:
            Refused: not there, not allowed, tested in vain, or no value of that field.
        """
        with self._lock:
            item = self._find(number, visitor)
            if not visitor.may_write(item.fields["System.TeamProject"]):
                told = (
                    "TF237111: The current user does not have permissions to save work items under the specified area "
                    "path."
                )
                raise Refused(403, told, "WorkItemTrackingUnauthorizedOperationException")
            after = dict(item.fields)
            after.pop(HISTORY, None)
            for operation in operations:
                _apply(operation, item.rev, after)
            self._revise(number, item, after, (visitor.name, visitor.email, visitor.oid))
            return self._document(number, item, None)

    def edit(self, number: int, values: Mapping[str, Any], visitor: Visitor) -> Document:
        """What somebody else does in the meantime."""
        operations = [{"op": "add", "path": f"/fields/{name}", "value": value} for name, value in values.items()]
        return self.patch(number, visitor, operations)

    def link(self, number: int) -> None:
        """Another item was linked to this one: an update without a revision of its own."""
        with self._lock:
            item = self._items[number]
            update = self._update(number, item, _MADE_BY)
            update["relations"] = {"added": [{"rel": "System.LinkTypes.Related", "url": f"{self._url}/_apis/x"}]}
            item.updates.append(update)

    def _find(self, number: int, visitor: Visitor) -> _WorkItem:
        item = self._items.get(number)
        if item is None or item.fields["System.TeamProject"] in visitor.hidden:
            raise not_there(number)
        return item

    def _made(self, item: Item) -> _WorkItem:
        fields = {
            "System.Id": item.id,
            "System.AreaPath": item.project,
            "System.TeamProject": item.project,
            "System.IterationPath": f"{item.project}\\Sprint 12",
            "System.WorkItemType": item.type,
            "System.State": "New",
            "System.Reason": "New",
            "System.CreatedDate": self._instant(),
            "System.Title": item.title,
        }
        made = _WorkItem()
        self._revise(item.id, made, fields, _MADE_BY)
        later = dict(made.fields)
        if assignee := assignee_of(item):
            later["System.AssignedTo"] = self._identity(*assignee)
        if item.completed is not None:
            check_value(item.type, "Microsoft.VSTS.Scheduling.CompletedWork", item.completed)
            later["Microsoft.VSTS.Scheduling.CompletedWork"] = item.completed
        later["System.State"] = item.state
        self._revise(item.id, made, later, assignee or _MADE_BY)
        return made

    def _revise(self, number: int, item: _WorkItem, after: Document, by: tuple[str, str, str]) -> None:
        before = item.fields
        names = sorted(name for name in {*before, *after} - {HISTORY} if before.get(name) != after.get(name))
        if not names and HISTORY not in after:
            return
        item.rev += 1
        stamp = {"System.Rev": item.rev, "System.ChangedDate": self._instant(), "System.ChangedBy": self._identity(*by)}
        after |= stamp
        names += stamp
        update = self._update(number, item, by)
        update["fields"] = {name: _difference(before.get(name), after.get(name)) for name in dict.fromkeys(names)}
        if HISTORY in after:
            update["fields"][HISTORY] = {"newValue": after[HISTORY]}
        if item.updates:
            item.updates[-1]["revisedDate"] = after["System.ChangedDate"]
        item.updates.append(update)
        item.fields = after

    def _update(self, number: int, item: _WorkItem, by: tuple[str, str, str]) -> Document:
        update_id = len(item.updates) + 1
        return {
            "id": update_id,
            "workItemId": number,
            "rev": item.rev,
            "revisedBy": self._identity(*by),
            "revisedDate": _FOREVER,
            "url": f"{self._url}/_apis/wit/workItems/{number}/updates/{update_id}",
        }

    def _document(self, number: int, item: _WorkItem, names: Sequence[str] | None) -> Document:
        fields = item.fields if names is None else {name: item.fields[name] for name in names if name in item.fields}
        hidden = {"System.Id", "System.Rev"} if names is None else set()
        shown = {name: value for name, value in fields.items() if name not in hidden}
        return {"id": number, "rev": item.rev, "fields": shown, "url": f"{self._url}/_apis/wit/workItems/{number}"}

    def _identity(self, name: str, email: str, oid: str) -> Document:
        return {
            "displayName": name,
            "url": f"{self._url}/_apis/Identities/{oid}",
            "id": oid,
            "uniqueName": email,
            "imageUrl": f"{self._url}/_api/_common/identityImage?id={oid}",
            "descriptor": f"aad.{oid}",
        }

    def _instant(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%S.%f")[:-4] + "Z"


def _apply(operation: Document, rev: int, fields: Document) -> None:
    """One operation of a JSON Patch, onto the fields."""
    verb, path, value = operation.get("op"), str(operation.get("path", "")), operation.get("value")
    if path == "/rev" and verb == "test":
        if value != rev or isinstance(value, bool):
            raise changed()
        return
    name = path.removeprefix("/fields/")
    if name == path or verb not in {"test", "add", "replace", "remove"}:
        raise invalid("You must pass a valid patch document in the body of the request.")
    check_known(name)
    if verb == "test":
        if fields.get(name) != value:
            raise Refused(412, "The test operation failed.", "TestPatchOperationFailedException")
    elif verb == "remove" or value in (None, ""):
        fields.pop(name, None)
    elif verb == "replace" and name not in fields:
        raise invalid(f"The field {name} has no value to replace.")
    else:
        check_value(fields["System.WorkItemType"], name, value)
        fields[name] = value


def _difference(before: Any, after: Any) -> Document:  # noqa: ANN401 - any JSON
    told = {"oldValue": before, "newValue": after}
    return {name: value for name, value in told.items() if value is not None}
