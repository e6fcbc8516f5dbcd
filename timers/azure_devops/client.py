"""The client of Azure DevOps with the caller's own token: reads work items, and writes Completed Work."""

import math
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from shared.deadline import Deadline
from shared.http_client import NoResponse
from shared.log import get_logger
from timers.azure_devops.errors import (
    PAUSE_SECONDS,
    AzureDevOpsError,
    AzureDevOpsUnavailable,
    OutcomeUnknown,
    Rejected,
    SignInRequired,
    Throttled,
    parse_failure,
    parse_pause,
)
from timers.azure_devops.model import (
    COMPLETED,
    HISTORY,
    ORGANIZATION,
    REMAINING,
    SHOWN_FIELDS,
    UnreadableDocument,
    Update,
    WorkItem,
    find_update,
    list_values,
    parse_closed_states,
    parse_field_names,
    parse_found,
    parse_revision,
    parse_updates,
    parse_work_item,
    title_query,
)
from timers.azure_devops.transport import AzureDevOpsRequest, AzureDevOpsResponse, AzureDevOpsTransport
from timers.azure_devops.work_item_types import WorkItemTypeCache


_TOKEN: Final = re.compile(r"\A[\x21-\x7e]{1,16384}\Z")
_BATCH: Final = 200  # the maximum of the service
_PAGE: Final = 20  # of a history, whose texts may be long
_LONG_PAGE: Final = 100  # when a whole history is read
_ATTEMPTS: Final = 3  # of a read
_BETWEEN_ATTEMPTS: Final = 0.2
_MAX_PAUSES: Final = 10_000
_VERSION: Final = "api-version=7.1"

UserKey = tuple[int, int]  # the ids of tenant and user


class AzureDevOpsClient:
    """One per process. Tokens are sent to `url` and to no other address."""

    def __init__(
        self,
        url: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._shared = _Shared(
            AzureDevOpsTransport(url),
            _Pauses(monotonic),
            lacking_hours=WorkItemTypeCache[bool](monotonic),
            closed_states=WorkItemTypeCache[frozenset[str]](monotonic),
            sleep=sleep,
        )

    def open_session(
        self, organization: str, token: str | None, *, user: UserKey, deadline: Deadline
    ) -> "AzureDevOpsSession":
        """A session of one person, whose calls all end at the deadline.

        `organization` must be one of the tenant's; `token` is the value of the caller's header.

        Raises:
            SignInRequired: there is no token, or an impossible one.
            Rejected: the organization's name is impossible.
        """
        base = _base_path(organization)
        if token is None or not _TOKEN.match(token):
            raise SignInRequired
        return AzureDevOpsSession(self._shared, user, organization, base, token, deadline)

    def close(self) -> None:
        self._shared.transport.close()


@dataclass(frozen=True, slots=True)
class AzureDevOpsSession:
    """Every method may raise the errors of `timers.azure_devops.errors`."""

    _shared: "_Shared" = field(repr=False)
    _user: UserKey
    _organization: str
    _base: str
    _token: str = field(repr=False)
    _deadline: Deadline = field(repr=False)

    def for_organization(self, organization: str) -> "AzureDevOpsSession":
        """The same session in another organization of the tenant, with the same deadline.

        Raises:
            Rejected: the organization's name is impossible.
        """
        return replace(self, _organization=organization, _base=_base_path(organization))

    def at_most(self, seconds: float) -> "AzureDevOpsSession":
        """The same session with a deadline in the given seconds, if that is earlier."""
        return replace(self, _deadline=self._deadline.at_most(seconds))

    def work_items(self, ids: Iterable[int]) -> dict[int, WorkItem]:
        """The work items that exist and that the caller may see, by id."""
        unique = list(dict.fromkeys(ids))
        items: dict[int, WorkItem] = {}
        for start in range(0, len(unique), _BATCH):
            batch = unique[start : start + _BATCH]
            try:
                items |= self._read_batch(batch, (*SHOWN_FIELDS, COMPLETED))
            except Rejected as error:
                if COMPLETED not in error.message:
                    raise
                items |= self._read_batch(batch, SHOWN_FIELDS)  # no process of that organization has the field
        return items

    def search_titles(self, text: str, *, most: int) -> list[int]:
        """The numbers of work items with every word of a text in their title, the last changed first."""
        query = title_query(text)
        if query is None:
            return []
        path = f"{self._base}/wiql?$top={most}&{_VERSION}"
        document = self._read(AzureDevOpsRequest("POST", path, self._token, {"query": query}))
        with _parsing():
            return parse_found(document)[:most]

    def work_item(self, number: int) -> WorkItem:
        """The current work item; a write is conditional on its `rev`."""
        document = self._get(f"{self._base}/workitems/{number:d}?{_VERSION}")
        with _parsing():
            return parse_work_item(document)

    def set_completed_work(
        self, number: int, *, revision: int, hours: Decimal, history: str, remaining: Decimal | None = None
    ) -> WorkItem:
        """Writes Completed Work and a text in the history as the revision after the given one. Sent once.

        With `remaining`, Remaining Work is written in the same revision.

        Raises:
            WorkItemChanged: the item has another revision; nothing was written.
            OutcomeUnknown: the write may be or become the next revision; see `update`.
        """
        operations = [
            {"op": "test", "path": "/rev", "value": revision},
            {"op": "add", "path": f"/fields/{COMPLETED}", "value": float(hours)},
            *([] if remaining is None else [{"op": "add", "path": f"/fields/{REMAINING}", "value": float(remaining)}]),
            {"op": "add", "path": f"/fields/{HISTORY}", "value": history},
        ]
        path = f"{self._base}/workitems/{number:d}?{_VERSION}"
        request = AzureDevOpsRequest("PATCH", path, self._token, operations, "application/json-patch+json")
        document = self._send(request, writes=True)
        with _parsing(error=OutcomeUnknown):
            return parse_work_item(document)

    def update(self, number: int, revision: int) -> Update | None:
        """The update that created a revision; None if the revision does not exist."""
        skip = max(0, revision - 1)  # each revision has one or more updates
        while True:
            path = f"{self._base}/workItems/{number:d}/updates?$skip={skip}&$top={_PAGE}&{_VERSION}"
            document = self._get(path)
            with _parsing():
                page = list_values(document)
                if (update := find_update(revision, page)) or not page or parse_revision(page[-1]) > revision:
                    return update
            skip += len(page)

    def updates(self, number: int, *, skip: int, most: int) -> tuple[list[Update], bool]:
        """At most `most` updates after the first `skip` ones, and whether they are complete."""
        rows: list[Any] = []
        is_complete = False
        while len(rows) < most and not is_complete:
            top = min(_LONG_PAGE, most - len(rows))
            page_options = f"$skip={skip + len(rows)}&$top={top}"
            document = self._get(f"{self._base}/workItems/{number:d}/updates?{page_options}&{_VERSION}")
            with _parsing():
                page = list_values(document)
            rows += page
            is_complete = len(page) < top
        with _parsing():
            return parse_updates(rows), is_complete

    def is_known_to_lack_completed_work(self, item: WorkItem) -> bool:
        """Whether the cache says that the item's type has no Completed Work; sends nothing."""
        return bool(self._shared.lacking_hours.get(self._type_key(item)))

    def lacks_completed_work(self, item: WorkItem) -> bool:
        """Whether the item's type has no Completed Work; cached for a day if so."""
        lacks = COMPLETED not in parse_field_names(self._get_of_type(item, "fields"))
        if lacks:
            self._shared.lacking_hours.put(self._type_key(item), lacks)
        return lacks

    def is_closed(self, item: WorkItem) -> bool:
        """Whether the item's state means that no work remains, in any process."""
        cache, key = self._shared.closed_states, self._type_key(item)
        states = cache.get(key)
        if states is None:
            states = parse_closed_states(self._get_of_type(item, "states"))
            cache.put(key, states)
        return item.state in states

    def _type_key(self, item: WorkItem) -> tuple[str, str, str]:
        return self._organization.lower(), item.project, item.type

    def _get_of_type(self, item: WorkItem, list_name: str) -> Any:  # noqa: ANN401 - any JSON
        organization, project, kind = (quote(each, safe="") for each in (self._organization, item.project, item.type))
        if {project, kind} & {"", ".", ".."}:  # they would change the path
            raise AzureDevOpsUnavailable
        document = self._get(f"/{organization}/{project}/_apis/wit/workitemtypes/{kind}/{list_name}?{_VERSION}")
        with _parsing():
            list_values(document)
        return document

    def _read_batch(self, ids: list[int], fields: tuple[str, ...]) -> dict[int, WorkItem]:
        body = {"ids": ids, "fields": fields, "errorPolicy": "omit"}
        document = self._read(AzureDevOpsRequest("POST", f"{self._base}/workitemsbatch?{_VERSION}", self._token, body))
        with _parsing():
            items = [parse_work_item(each) for each in list_values(document) if each is not None]
        return {item.id: item for item in items if item.id in ids}

    def _get(self, path: str) -> Any:  # noqa: ANN401 - any JSON
        return self._read(AzureDevOpsRequest("GET", path, self._token))

    def _read(self, request: AzureDevOpsRequest) -> Any:  # noqa: ANN401 - any JSON
        """Sends a read, again after a failure, unless Azure DevOps asked for a pause."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._send(request, writes=False)
            except AzureDevOpsUnavailable:
                pause = _BETWEEN_ATTEMPTS * attempt
                if attempt == _ATTEMPTS or self._deadline.left <= pause or self._shared.pauses.left(self._user):
                    raise
                self._shared.sleep(pause)
        raise AssertionError  # the last attempt has raised

    def _send(self, request: AzureDevOpsRequest, *, writes: bool) -> Any:  # noqa: ANN401 - any JSON
        if pause := self._shared.pauses.left(self._user):
            raise Throttled(retry_after=pause)
        try:
            return self._send_once(request, writes=writes)
        except AzureDevOpsError as error:
            get_logger().info("azure_devops_failed", code=error.code)
            raise

    def _send_once(self, request: AzureDevOpsRequest, *, writes: bool) -> Any:  # noqa: ANN401 - any JSON
        response = self._shared.transport.send(request, self._deadline)
        if isinstance(response, NoResponse):
            raise OutcomeUnknown if writes and response.may_have_arrived else AzureDevOpsUnavailable
        if (error := self._failure(response, writes=writes)) is not None:
            raise error
        return response.document

    def _failure(self, response: AzureDevOpsResponse, *, writes: bool) -> AzureDevOpsError | None:
        """The error that a response means, if any; starts the pause that it asks for."""
        pause = parse_pause(response.retry_after)
        if pause is None and response.status == HTTPStatus.TOO_MANY_REQUESTS:
            pause = PAUSE_SECONDS
        if pause:
            self._shared.pauses.begin(self._user, pause)
        return parse_failure(response.status, response.document, is_json=response.is_json, pause=pause, writes=writes)


def _base_path(organization: str) -> str:
    """The beginning of every path; an impossible name could send a token elsewhere."""
    if not ORGANIZATION.match(organization):
        raise Rejected("This is not the name of an Azure DevOps organization.")
    return f"/{quote(organization, safe='')}/_apis/wit"


@dataclass(slots=True)
class _Shared:
    """The objects that all sessions of a client share."""

    transport: AzureDevOpsTransport
    pauses: "_Pauses"
    lacking_hours: WorkItemTypeCache[bool]
    closed_states: WorkItemTypeCache[frozenset[str]]
    sleep: Callable[[float], None]


class _Pauses:
    """The users whom Azure DevOps asked for a pause: until it ends their calls fail at once."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._until: dict[UserKey, float] = {}

    def begin(self, user: UserKey, seconds: int) -> None:
        now = self._monotonic()
        with self._lock:
            until = max(self._until.pop(user, 0.0), now + seconds)
            if len(self._until) >= _MAX_PAUSES:
                self._until = {each: ends for each, ends in self._until.items() if ends > now}
            while len(self._until) >= _MAX_PAUSES:
                del self._until[next(iter(self._until))]
            self._until[user] = until

    def left(self, user: UserKey) -> int:
        """The remaining seconds of the pause, rounded up; 0 without one."""
        with self._lock:
            ends = self._until.get(user)
            if ends is None:
                return 0
            left = math.ceil(ends - self._monotonic())
            if left <= 0:
                del self._until[user]
            return max(0, left)


@contextmanager
def _parsing(error: type[AzureDevOpsUnavailable] = AzureDevOpsUnavailable) -> Iterator[None]:
    """An unreadable response counts as none."""
    try:
        yield
    except UnreadableDocument:
        raise error from None
