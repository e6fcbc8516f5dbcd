"""The work items of one organization, in memory: each change is a revision, under one lock."""

import datetime as dt
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from devcloud.emulators.azure_devops.errors import (
    AzureDevOpsError,
    invalid_property,
    revision_mismatch,
    work_item_not_found,
)
from devcloud.emulators.azure_devops.fields import HISTORY, check_known, check_value
from devcloud.emulators.azure_devops.items import Item, assignee_of
from devcloud.emulators.azure_devops.tokens import TokenUser


Document = dict[str, Any]
_FOREVER: Final = "9999-01-01T00:00:00Z"
_CREATOR: Final = ("Ada Lovelace", "ada@contoso.example", "690222be-ff1a-4d56-abd1-7e4f7d38e474")


@dataclass(slots=True)
class _WorkItem:
    rev: int = 0
    fields: Document = field(default_factory=dict)
    updates: list[Document] = field(default_factory=list)


class Board:
    """`url` is the address of the organization."""

    def __init__(self, url: str, items: Sequence[Item], now: Callable[[], dt.datetime]) -> None:
        self._url, self._now = url, now
        self._lock = threading.Lock()
        self._items = {item.id: self._build_item(item) for item in items}

    def read(self, number: int, user: TokenUser, names: Sequence[str] | None = None) -> Document:
        """Raises AzureDevOpsError for an item that the user cannot see, or for an unknown field."""
        for name in names or ():
            check_known(name)
        with self._lock:
            return self._document(number, self._find(number, user), names)

    def all(self) -> list[Document]:
        """All work items, without access checks."""
        with self._lock:
            return [self._document(number, item, None) for number, item in self._items.items()]

    def search(self, user: TokenUser, words: Sequence[str], *, top: int) -> list[Document]:
        """References of the visible items with all words in their title, the last changed first."""
        with self._lock:
            found = [
                (item.fields["System.ChangedDate"], number)
                for number, item in self._items.items()
                if item.fields["System.TeamProject"] not in user.hidden
                and all(word in item.fields["System.Title"].lower() for word in words)
            ]
        numbers = [number for _, number in sorted(found, reverse=True)[:top]]
        return [{"id": number, "url": f"{self._url}/_apis/wit/workItems/{number}"} for number in numbers]

    def updates(self, number: int, user: TokenUser, *, skip: int, top: int) -> list[Document]:
        with self._lock:
            return self._find(number, user).updates[skip : skip + top]

    def patch(self, number: int, user: TokenUser, operations: Sequence[Document]) -> Document:
        """Applies all operations or none; without a change there is no new revision.

        Raises:
            AzureDevOpsError: not found, not allowed, a failed test, or an invalid value.
        """
        with self._lock:
            item = self._find(number, user)
            if not user.may_write(item.fields["System.TeamProject"]):
                message = (
                    "TF237111: The current user does not have permissions to save work items under the specified area "
                    "path."
                )
                raise AzureDevOpsError(403, message, "WorkItemTrackingUnauthorizedOperationException")
            after = dict(item.fields)
            after.pop(HISTORY, None)
            for operation in operations:
                _apply(operation, item.rev, after)
            self._add_revision(number, item, after, (user.name, user.email, user.oid))
            return self._document(number, item, None)

    def edit(self, number: int, values: Mapping[str, Any], user: TokenUser) -> Document:
        """Changes fields on behalf of another user."""
        operations = [{"op": "add", "path": f"/fields/{name}", "value": value} for name, value in values.items()]
        return self.patch(number, user, operations)

    def link(self, number: int) -> None:
        """Links another item: an update without a new revision."""
        with self._lock:
            item = self._items[number]
            update = self._update(number, item, _CREATOR)
            update["relations"] = {"added": [{"rel": "System.LinkTypes.Related", "url": f"{self._url}/_apis/x"}]}
            item.updates.append(update)

    def _find(self, number: int, user: TokenUser) -> _WorkItem:
        item = self._items.get(number)
        if item is None or item.fields["System.TeamProject"] in user.hidden:
            raise work_item_not_found(number)
        return item

    def _build_item(self, item: Item) -> _WorkItem:
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
        work_item = _WorkItem()
        self._add_revision(item.id, work_item, fields, _CREATOR)
        later = dict(work_item.fields)
        if assignee := assignee_of(item):
            later["System.AssignedTo"] = self._identity(*assignee)
        if item.completed is not None:
            check_value(item.type, "Microsoft.VSTS.Scheduling.CompletedWork", item.completed)
            later["Microsoft.VSTS.Scheduling.CompletedWork"] = item.completed
        later["System.State"] = item.state
        self._add_revision(item.id, work_item, later, assignee or _CREATOR)
        return work_item

    def _add_revision(self, number: int, item: _WorkItem, after: Document, by: tuple[str, str, str]) -> None:
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
        visible = {name: value for name, value in fields.items() if name not in hidden}
        return {"id": number, "rev": item.rev, "fields": visible, "url": f"{self._url}/_apis/wit/workItems/{number}"}

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
    """Applies one operation of a JSON Patch to the fields."""
    verb, path, value = operation.get("op"), str(operation.get("path", "")), operation.get("value")
    if path == "/rev" and verb == "test":
        if value != rev or isinstance(value, bool):
            raise revision_mismatch()
        return
    name = path.removeprefix("/fields/")
    if name == path or verb not in {"test", "add", "replace", "remove"}:
        raise invalid_property("You must pass a valid patch document in the body of the request.")
    check_known(name)
    if verb == "test":
        if fields.get(name) != value:
            raise AzureDevOpsError(412, "The test operation failed.", "TestPatchOperationFailedException")
    elif verb == "remove" or value in (None, ""):
        fields.pop(name, None)
    elif verb == "replace" and name not in fields:
        raise invalid_property(f"The field {name} has no value to replace.")
    else:
        check_value(fields["System.WorkItemType"], name, value)
        fields[name] = value


def _difference(before: Any, after: Any) -> Document:  # noqa: ANN401 - any JSON
    message = {"oldValue": before, "newValue": after}
    return {name: value for name, value in message.items() if value is not None}
