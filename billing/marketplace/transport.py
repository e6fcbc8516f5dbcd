"""Calls of the Marketplace's API: one session, one deadline over all tries, ids on each request, little in the log."""

import json
import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
import urllib3
from urllib3.util import Retry

from billing.marketplace.deadline import Flow
from billing.marketplace.errors import (
    Conflicting,
    MarketplaceError,
    NotAuthorized,
    NotKnown,
    Refused,
    Unreachable,
    Unreadable,
)
from billing.marketplace.tokens import TokenSource
from shared import clock
from shared.log import get_logger


API_VERSION: Final = "2018-08-31"
MOST_TRIES: Final = 4
_CONNECT_SECONDS: Final = 3.0
_READ_SECONDS: Final = 10.0
_FIRST_PAUSE: Final = 0.25
_MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
_PLAIN: Final = re.compile(r"\A[\x21-\x5b\x5d-\x7e]+\Z")  # no blank, no backslash: not everyone reads them alike
_CODE: Final = re.compile(r"\A[A-Za-z0-9_.]{1,64}\Z")
_REFUSALS: Final[Mapping[int, type[Refused]]] = {
    HTTPStatus.UNAUTHORIZED: NotAuthorized,
    HTTPStatus.FORBIDDEN: NotAuthorized,
    HTTPStatus.NOT_FOUND: NotKnown,
    HTTPStatus.CONFLICT: Conflicting,
}


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked. `path` is below the base, or a link that `Http.own` has checked.

    One that is not `repeatable` is tried again only where it was surely not carried out.
    """

    operation: str
    method: str
    path: str
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is 0 when there was no answer, for the reason given."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    reason: str = ""

    @property
    def is_good(self) -> bool:
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    def document(self) -> Any:  # noqa: ANN401 - any JSON; None for an empty body
        """Raises Unreadable for what is not JSON."""
        if not self.body.strip():
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise Unreadable("not_json") from None


class Http:
    def __init__(self, base: str, tokens: TokenSource, session: requests.Session) -> None:
        """`base` is the API's address, without a slash at its end."""
        self._base, self._tokens, self._session = base, tokens, session

    def send(self, call: Call, flow: Flow) -> Answer:
        """The good answer to a call that may be tried several times, within the time of the flow.

        Raises:
            Refused: it was answered 4xx.
            Unreachable: no answer, 429 or 5xx, to the last try.
        """
        for attempt in range(1, MOST_TRIES + 1):
            answer = self._logged_try(call, flow, attempt)
            if answer.is_good:
                return answer
            pause = _pause(answer, attempt)
            if not _may_repeat(call, answer) or attempt == MOST_TRIES or pause >= flow.left():
                break
            time.sleep(pause)
        raise _failure(answer)

    def own(self, link: str) -> str:
        """A link of an answer, when it leads to the API itself: our token must not go elsewhere.

        Raises:
            Unreadable: it leads elsewhere.
        """
        base = urlsplit(self._base)
        try:
            parts = urlsplit(urljoin(f"{self._base}/", link))
            same = _origin(parts) == _origin(base) and parts.username is None
        except ValueError:
            raise Unreadable("foreign_link") from None
        inside = parts.path.startswith(f"{base.path}/") and ".." not in parts.path
        if not same or not inside or not _PLAIN.match(link):
            raise Unreadable("foreign_link")
        return parts._replace(netloc=base.netloc, fragment="").geturl()

    def _logged_try(self, call: Call, flow: Flow, attempt: int) -> Answer:
        began, request_id, status, reason = time.monotonic(), str(clock.new_id()), 0, ""
        try:
            answer = self._try(call, flow, request_id)
            status, reason = answer.status, answer.reason
        except MarketplaceError as error:
            reason = error.reason
            raise
        finally:
            get_logger().info(
                "marketplace_called",
                operation=call.operation,
                status=status,
                reason=reason,
                attempt=attempt,
                durationMs=round((time.monotonic() - began) * 1000),
                correlationId=str(flow.correlation_id),
                marketplaceRequestId=request_id,
            )
        return answer

    def _try(self, call: Call, flow: Flow, request_id: str) -> Answer:
        try:
            token = self._tokens.get(flow)
        except Unreachable as error:
            return Answer(0, reason=error.reason)
        ids = {"x-ms-requestid": request_id, "x-ms-correlationid": str(flow.correlation_id)}
        headers = {"Accept": "application/json", "Authorization": f"Bearer {token}", **ids, **call.headers}
        left = flow.left()
        if left <= 0:
            return Answer(0, reason="too_slow")
        link = call.path.startswith(("http://", "https://"))
        try:
            with self._session.request(
                call.method,
                call.path if link else f"{self._base}/{call.path}",
                params=None if link else {"api-version": API_VERSION, **call.query},
                json=call.body,
                headers=headers,
                timeout=(min(_CONNECT_SECONDS, left), min(_READ_SECONDS, left)),
                allow_redirects=False,
                stream=True,
            ) as response:
                return Answer(response.status_code, response.headers, _read(response, flow))
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            return Answer(0, reason=type(error).__name__)


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _read(response: requests.Response, flow: Flow) -> bytes:
    """One network read at a time: reading a whole piece would let a trickle outlast the flow.

    Raises:
        Unreadable: it is too large.
        TimeoutError: it takes too long.
    """
    body = b""
    while piece := response.raw.read1(65_536, decode_content=True):
        body += piece
        if len(body) > _MAX_ANSWER_BYTES:
            raise Unreadable("too_large")
        if flow.left() <= 0:
            raise TimeoutError
    return body


def _may_repeat(call: Call, answer: Answer) -> bool:
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return True
    return call.repeatable and (answer.status == 0 or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR)


def _pause(answer: Answer, attempt: int) -> float:
    """What the answer asks for, else twice as long each time, and never all of us at once."""
    try:
        asked = Retry().parse_retry_after(answer.headers["Retry-After"])
    except (KeyError, ValueError, OverflowError, urllib3.exceptions.InvalidHeader):
        asked = None
    dice = random.uniform(0.5, 1.0)  # noqa: S311 - spreads, hides nothing
    return _FIRST_PAUSE * 2 ** (attempt - 1) * dice if asked is None else float(asked)


def _failure(answer: Answer) -> MarketplaceError:
    if answer.status == 0:
        return Unreachable(answer.reason)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Unreachable(f"http_{answer.status}")
    if answer.status < HTTPStatus.BAD_REQUEST:
        return Unreadable(f"http_{answer.status}")
    return _REFUSALS.get(answer.status, Refused)(answer.status, _code(answer))


def _code(answer: Answer) -> str:
    """Microsoft's word for it, in any of the three places where it stands; never the message beside it."""
    try:
        told = answer.document()
    except Unreadable:
        return ""
    for name, code in (("error", "code"), ("Error", "Code")):
        inner = told.get(name) if isinstance(told, dict) else None
        found = inner.get(code) if isinstance(inner, dict) else None
        if isinstance(found, str) and _CODE.match(found):
            return found
    found = told.get("code") if isinstance(told, dict) else None
    return found if isinstance(found, str) and _CODE.match(found) else ""
