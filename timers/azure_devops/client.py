"""Azure DevOps with the caller's own token: reads work items, writes Completed Work to the revision that was read."""

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

from shared.log import get_logger
from timers.azure_devops import PATIENCE_SECONDS
from timers.azure_devops.errors import (
    PAUSE_SECONDS,
    AzureDevOpsError,
    OutcomeUnknown,
    Rejected,
    SignInRequired,
    Throttled,
    Unreachable,
    failure,
    pause_of,
)
from timers.azure_devops.model import (
    COMPLETED,
    HISTORY,
    ORGANIZATION,
    REMAINING,
    SHOWN_FIELDS,
    Unreadable,
    Update,
    WorkItem,
    closed_states_of,
    field_names_of,
    listed,
    revision_of,
    update_of,
    updates_of,
    work_item_of,
)
from timers.azure_devops.transport import Answer, Deadline, Line, NoAnswer, Request
from timers.azure_devops.work_item_types import Remembered


_TOKEN: Final = re.compile(r"\A[\x21-\x7e]{1,16384}\Z")
_BATCH: Final = 200  # the service takes no more
_PAGE: Final = 20  # of a history, whose texts may be long
_LONG_PAGE: Final = 100  # where a whole history is looked through
_ATTEMPTS: Final = 3  # of a read
_BETWEEN_ATTEMPTS: Final = 0.2
_MOST_PAUSES: Final = 10_000
_VERSION: Final = "api-version=7.1"

Who = tuple[int, int]  # tenant and user


class AzureDevOps:
    """One per process. `url` is the only address that is ever sent a token."""

    def __init__(
        self,
        url: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._line = Line(url)
        self._monotonic, self._sleep = monotonic, sleep
        self._pauses = _Pauses(monotonic)
        self._types = _Types(monotonic)

    def visit(self, organization: str, token: str | None, *, who: Who, seconds: float = PATIENCE_SECONDS) -> "Visit":
        """One use for one person, with a time budget for all that is done in it, which starts to run now.

        `organization` is to be the tenant's, and `token` what the caller sent in the header, as it is.

        Raises:
            SignInRequired: there is no token, or nothing that could be one.
            Rejected: no organization can be called that.
        """
        base = _base(organization)
        if token is None or not _TOKEN.match(token):
            raise SignInRequired
        return Visit(
            self._line,
            self._pauses,
            self._types,
            who,
            organization,
            base,
            token,
            Deadline(seconds, self._monotonic),
            self._sleep,
        )

    def close(self) -> None:
        self._line.close()


@dataclass(frozen=True, slots=True)
class Visit:
    """Every call may raise what `timers.azure_devops.errors` has."""

    _line: Line = field(repr=False)
    _pauses: "_Pauses" = field(repr=False)
    _types: "_Types" = field(repr=False)
    _who: Who
    _organization: str
    _base: str
    _token: str = field(repr=False)
    _deadline: Deadline = field(repr=False)
    _sleep: Callable[[float], None] = field(repr=False)

    def at(self, organization: str) -> "Visit":
        """The same visit, with what is left of its time, at another organization of the tenant.

        Raises:
            Rejected: no organization can be called that.
        """
        return replace(self, _organization=organization, _base=_base(organization))

    def within(self, seconds: float) -> "Visit":
        """The same visit, for at most so many seconds of its time from now."""
        return replace(self, _deadline=self._deadline.within(seconds))

    def work_items(self, ids: Iterable[int]) -> dict[int, WorkItem]:
        """Those of the ids that are there for the caller."""
        wanted = list(dict.fromkeys(ids))
        found: dict[int, WorkItem] = {}
        for start in range(0, len(wanted), _BATCH):
            batch = wanted[start : start + _BATCH]
            try:
                found |= self._batch(batch, (*SHOWN_FIELDS, COMPLETED))
            except Rejected as error:
                if COMPLETED not in error.message:
                    raise
                found |= self._batch(batch, SHOWN_FIELDS)  # no process of that organization has the field
        return found

    def work_item(self, number: int) -> WorkItem:
        """The item as it is now; its `rev` is what a write is pinned to."""
        document = self._read(Request("GET", f"{self._base}/workitems/{number:d}?{_VERSION}", self._token))
        with _understood():
            return work_item_of(document)

    def set_completed_work(
        self, number: int, *, revision: int, hours: Decimal, history: str, remaining: Decimal | None = None
    ) -> WorkItem:
        """Writes Completed Work if the item is that revision, as the next one, with a text in its history. Never twice.

        With `remaining` Remaining Work is written in the same revision.

        Raises:
            Changed: it is another revision; nothing was written.
            OutcomeUnknown: it was sent, and may be or become the next revision; `update` tells.
        """
        operations = [
            {"op": "test", "path": "/rev", "value": revision},
            {"op": "add", "path": f"/fields/{COMPLETED}", "value": float(hours)},
            *([] if remaining is None else [{"op": "add", "path": f"/fields/{REMAINING}", "value": float(remaining)}]),
            {"op": "add", "path": f"/fields/{HISTORY}", "value": history},
        ]
        path = f"{self._base}/workitems/{number:d}?{_VERSION}"
        document = self._once(
            Request("PATCH", path, self._token, operations, "application/json-patch+json"), writes=True
        )
        with _understood(otherwise=OutcomeUnknown):
            return work_item_of(document)

    def update(self, number: int, revision: int) -> Update | None:
        """What made a revision; None while there is no such revision."""
        skip = max(0, revision - 1)  # each revision has an update at least, so that of the n-th is the n-th or later
        while True:
            path = f"{self._base}/workItems/{number:d}/updates?$skip={skip}&$top={_PAGE}&{_VERSION}"
            document = self._read(Request("GET", path, self._token))
            with _understood():
                page = listed(document)
                if (found := update_of(revision, page)) or not page or revision_of(page[-1]) > revision:
                    return found
            skip += len(page)

    def updates(self, number: int, *, skip: int, most: int) -> tuple[list[Update], bool]:
        """What made the revisions after the first `skip` updates, and whether that is all there is; at most so many."""
        found: list[Any] = []
        is_whole = False
        while len(found) < most and not is_whole:
            top = min(_LONG_PAGE, most - len(found))
            at = f"$skip={skip + len(found)}&$top={top}"
            document = self._read(
                Request("GET", f"{self._base}/workItems/{number:d}/updates?{at}&{_VERSION}", self._token)
            )
            with _understood():
                page = listed(document)
            found += page
            is_whole = len(page) < top
        with _understood():
            return updates_of(found), is_whole

    def is_known_to_lack_completed_work(self, item: WorkItem) -> bool:
        """Whether that was found of the item's type within a day; nobody is asked."""
        return bool(self._types.without_hours.of((self._organization.lower(), item.project, item.type)))

    def lacks_completed_work(self, item: WorkItem) -> bool:
        """Whether work items of that type have no Completed Work; remembered for a day where they have none."""
        lacks = COMPLETED not in field_names_of(self._of_type(item, "fields"))
        if lacks:
            self._types.without_hours.keep((self._organization.lower(), item.project, item.type), lacks)
        return lacks

    def is_closed(self, item: WorkItem) -> bool:
        """Whether nothing remains to be done in the item's state, whatever its process calls it."""
        kind = (self._organization.lower(), item.project, item.type)
        states = self._types.closed_states.of(kind)
        if states is None:
            states = closed_states_of(self._of_type(item, "states"))
            self._types.closed_states.keep(kind, states)
        return item.state in states

    def _of_type(self, item: WorkItem, what: str) -> Any:  # noqa: ANN401 - any JSON
        organization, project, kind = (quote(each, safe="") for each in (self._organization, item.project, item.type))
        if {project, kind} & {"", ".", ".."}:  # in a path these are no names
            raise Unreachable
        path = f"/{organization}/{project}/_apis/wit/workitemtypes/{kind}/{what}?{_VERSION}"
        document = self._read(Request("GET", path, self._token))
        with _understood():
            listed(document)
        return document

    def _batch(self, ids: list[int], fields: tuple[str, ...]) -> dict[int, WorkItem]:
        asked = {"ids": ids, "fields": fields, "errorPolicy": "omit"}
        document = self._read(Request("POST", f"{self._base}/workitemsbatch?{_VERSION}", self._token, asked))
        with _understood():
            items = [work_item_of(each) for each in listed(document) if each is not None]
        return {item.id: item for item in items if item.id in ids}

    def _read(self, request: Request) -> Any:  # noqa: ANN401 - any JSON
        """Reads may be repeated, unless a pause was asked for."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._once(request, writes=False)
            except Unreachable:
                pause = _BETWEEN_ATTEMPTS * attempt
                if attempt == _ATTEMPTS or self._deadline.left <= pause or self._pauses.left(self._who):
                    raise
                self._sleep(pause)
        raise AssertionError  # the last attempt has raised

    def _once(self, request: Request, *, writes: bool) -> Any:  # noqa: ANN401 - any JSON
        if pause := self._pauses.left(self._who):
            raise Throttled(retry_after=pause)
        left = self._deadline.left
        got = self._line.send(request, left) if left else NoAnswer.NOT_SENT
        error = self._judged(got, writes=writes)
        if error is None and isinstance(got, Answer):
            return got.document
        error = error or Unreachable()
        get_logger().info("azure_devops_failed", code=error.code)
        raise error

    def _judged(self, got: Answer | NoAnswer, *, writes: bool) -> AzureDevOpsError | None:
        """What went wrong; a pause that was asked for begins."""
        if isinstance(got, NoAnswer):
            return OutcomeUnknown() if writes and got is NoAnswer.LOST else Unreachable()
        pause = pause_of(got.retry_after)
        if pause is None and got.status == HTTPStatus.TOO_MANY_REQUESTS:
            pause = PAUSE_SECONDS
        if pause:
            self._pauses.begin(self._who, pause)
        return failure(got.status, got.document, is_json=got.is_json, pause=pause, writes=writes)


class _Types:
    """What is known of types of work items."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.without_hours = Remembered[bool](monotonic)
        self.closed_states = Remembered[frozenset[str]](monotonic)


def _base(organization: str) -> str:
    """The beginning of every path; a name that is none would change where a token goes."""
    if not ORGANIZATION.match(organization):
        raise Rejected("This is not the name of an Azure DevOps organization.")
    return f"/{quote(organization, safe='')}/_apis/wit"


class _Pauses:
    """Who has been asked to wait, and until when: their next calls fail at once instead of making it worse."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._until: dict[Who, float] = {}

    def begin(self, who: Who, seconds: int) -> None:
        now = self._monotonic()
        with self._lock:
            until = max(self._until.pop(who, 0.0), now + seconds)
            if len(self._until) >= _MOST_PAUSES:
                self._until = {each: ends for each, ends in self._until.items() if ends > now}
            while len(self._until) >= _MOST_PAUSES:
                del self._until[next(iter(self._until))]
            self._until[who] = until

    def left(self, who: Who) -> int:
        """Whole seconds, 0 for who may call."""
        with self._lock:
            ends = self._until.get(who)
            if ends is None:
                return 0
            left = math.ceil(ends - self._monotonic())
            if left <= 0:
                del self._until[who]
            return max(0, left)


@contextmanager
def _understood(otherwise: type[Unreachable] = Unreachable) -> Iterator[None]:
    """An answer that makes no sense is no answer."""
    try:
        yield
    except Unreadable:
        raise otherwise from None
