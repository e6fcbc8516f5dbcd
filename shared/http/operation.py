"""Operations: one declaration gives a route, its checks, its documentation and its permission."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import format_datetime
from enum import Enum, auto
from http import HTTPMethod
from typing import Final, Protocol
from urllib.parse import quote

from shared.http.reply import Reply
from shared.http.wire import Problem, WireModel
from shared.permissions import PERMISSIONS, Access, Permission


BODY_LIMIT: Final = 64 * 1024
AZURE_DEVOPS_TOKEN: Final = "X-AzureDevOps-Token"  # noqa: S105 - the name of a header
HTML: Final = "text/html"
JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
ETAG: Final = "ETag"
LOCATION: Final = "Location"
API_VERSION: Final = "api-version"
DEPRECATION: Final = "Deprecation"
LINK: Final = "Link"
SUNSET: Final = "Sunset"


class IfMatch(Enum):
    """Whether a change takes, or needs, the version that it is based on."""

    OPTIONAL = auto()
    REQUIRED = auto()


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful response. `headers` are those beyond the headers of every response."""

    description: str
    model: type[WireModel] | None = None
    media: tuple[str, ...] = (JSON,)
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deprecated:
    """The date of a deprecation, the path to use instead, and the date of the end, once it is known."""

    since: dt.date
    successor: str
    ends: dt.date | None = None

    def headers(self, parameters: Mapping[str, str]) -> Mapping[str, str]:
        """The headers of RFC 9745 and, with an end, of RFC 8594; `parameters` are the values in the path."""
        address = self.successor.format_map({name: quote(value, safe="") for name, value in parameters.items()})
        headers = {
            DEPRECATION: f"@{_midnight(self.since).timestamp():.0f}",
            LINK: f'</api/{address}>; rel="successor-version"',
        }
        return headers if self.ends is None else {**headers, SUNSET: format_datetime(_midnight(self.ends), usegmt=True)}


def _midnight(date: dt.date) -> dt.datetime:
    return dt.datetime.combine(date, dt.time(), tzinfo=dt.UTC)


Problems = Mapping[int, tuple[str, ...]]
# Problem codes that many operations share
NOT_FOUND: Final[Problems] = {404: ("not_found",)}
PERSON: Final[Problems] = {403: ("processing_restricted",), **NOT_FOUND}
PLAN: Final[Problems] = {402: ("trial_expired", "subscription_suspended", "subscription_cancelled")}


def merge_problems(*groups: Problems) -> Problems:
    """The codes of all groups by status, each code once."""
    merged: dict[int, tuple[str, ...]] = {}
    for group in groups:
        for status, codes in group.items():
            merged[status] = tuple(dict.fromkeys((*merged.get(status, ()), *codes)))
    return merged


class ErrorPage(Protocol):
    """Makes the page for an error. Arguments as for `log_error`; `contact` is the vendor's."""

    def __call__(
        self, error: Exception, *, operation: str, request_id: str, caller: Mapping[str, str] = ..., contact: str = ...
    ) -> Reply: ...


_REDACTED: Final = {
    204: Answer("A repeat. The first response is withheld: it showed a person whose data is now hidden.")
}


@dataclass(frozen=True, kw_only=True)
class Operation:
    """`id` is the operation id, the function's name and the key of its row in the permission table.

    Raises:
        KeyError: the operation has no row in the permission table, so it may not exist.
    """

    id: str
    method: HTTPMethod
    path: str
    tag: str
    answers: Mapping[int, Answer]
    problems: Problems = field(default_factory=dict)  # codes beyond those of its kind, see openapi.problem_codes
    problem_models: tuple[type[Problem], ...] = ()  # of the codes whose problem document has more members
    body: type[WireModel] | None = None
    query: type[WireModel] | None = None
    if_match: IfMatch | None = None
    body_limit: int | None = BODY_LIMIT  # in bytes, checked before parsing; None: the handler checks it
    asks_azure_devops: bool = False  # with the caller's own token, if they send one
    is_read: bool = False  # a POST that only reads, and so takes no Idempotency-Key
    locks_tenant: bool = False  # before the caller, so that changes of the tenant's people run in order
    final_errors: tuple[str, ...] | None = None  # the only codes that may be 4xx; other errors become 503
    deprecated: Deprecated | None = None  # works as before, with headers that name the successor
    error_page: ErrorPage | None = None  # of an operation for browsers, which takes forms and returns pages
    docstring: str = ""  # of its handler, set by `route`: the first line is the summary
    permission: Permission = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "permission", PERMISSIONS[self.id])

    @property
    def all_answers(self) -> Mapping[int, Answer]:
        """The answers, with that of a repeat if the first response is withheld."""
        return {**_REDACTED, **self.answers} if self.takes_idempotency_key else self.answers

    @property
    def summary(self) -> str:
        return self.docstring.partition("\n")[0].removesuffix(".")

    @property
    def description(self) -> str:
        """The text after the summary, in Markdown; may be empty."""
        return self.docstring.partition("\n\n")[2]

    @property
    def writes(self) -> bool:
        return self.method is not HTTPMethod.GET

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods of its function. HEAD is handled as GET; the platform removes the body."""
        return ("GET", "HEAD") if self.method is HTTPMethod.GET else (self.method.value,)

    @property
    def takes_idempotency_key(self) -> bool:
        """A key belongs to a person, so the operation needs a token."""
        return self.method is HTTPMethod.POST and not self.is_read and self.permission.access > Access.ANYONE

    def allows_error(self, code: str) -> bool:
        """Whether the code may be sent as 4xx, which the caller may take as final."""
        return self.final_errors is None or code in self.final_errors

    @property
    def for_browser(self) -> bool:
        return self.error_page is not None

    @property
    def is_versioned(self) -> bool:
        """Whether a request may ask for a version of the API: not for pages, nor for events of Microsoft."""
        return not self.for_browser and self.final_errors is None

    @property
    def body_type(self) -> str:
        return FORM if self.for_browser else JSON


OPERATIONS: Final[dict[str, Operation]] = {}


def register(operation: Operation) -> None:
    """Adds an operation to the contract.

    Raises:
        ValueError: two operations have the same id.
    """
    if OPERATIONS.setdefault(operation.id, operation) is not operation:
        raise ValueError(f"two operations are called {operation.id}")
