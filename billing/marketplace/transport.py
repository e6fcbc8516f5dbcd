"""Calls of the Marketplace's API: retries within one deadline, ids on each request, and a log without personal data."""

import json
import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import SplitResult, urlencode, urljoin, urlsplit

import urllib3
from urllib3.util import Retry

from billing.marketplace.errors import (
    MarketplaceConflict,
    MarketplaceError,
    MarketplaceNotFound,
    MarketplaceRefused,
    MarketplaceUnauthorized,
    MarketplaceUnavailable,
    UnreadableResponse,
)
from billing.marketplace.tokens import TokenSource
from shared import clock
from shared.deadline import Deadline
from shared.http_client import TOO_LARGE, HttpClient, NoResponse, Request, Response
from shared.log import get_logger


API_VERSION: Final = "2018-08-31"
MAX_ATTEMPTS: Final = 4
_FIRST_PAUSE: Final = 0.25
_PLAIN: Final = re.compile(r"\A[\x21-\x5b\x5d-\x7e]+\Z")  # URL parsers disagree on blanks and backslashes
_CODE: Final = re.compile(r"\A[A-Za-z0-9_.]{1,64}\Z")
_REFUSALS: Final[Mapping[int, type[MarketplaceRefused]]] = {
    HTTPStatus.UNAUTHORIZED: MarketplaceUnauthorized,
    HTTPStatus.FORBIDDEN: MarketplaceUnauthorized,
    HTTPStatus.NOT_FOUND: MarketplaceNotFound,
    HTTPStatus.CONFLICT: MarketplaceConflict,
}


@dataclass(frozen=True, slots=True)
class MarketplaceCall:
    """One operation of the API. `path` is below the base address, or a link checked by `own_link`.

    A call that is not `repeatable` is repeated only if the Marketplace certainly did not process it.
    """

    operation: str
    method: str
    path: str
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True


class MarketplaceTransport:
    def __init__(self, base: str, tokens: TokenSource, http: HttpClient) -> None:
        """`base` is the address of the API, without a slash at its end."""
        self._base, self._tokens, self._http = base, tokens, http

    def send(self, call: MarketplaceCall, deadline: Deadline) -> Response:
        """The successful response, after several attempts if necessary.

        Raises:
            MarketplaceRefused: the response is a 4xx.
            MarketplaceUnavailable: the last attempt had no response, 429 or 5xx.
        """
        for attempt in range(1, MAX_ATTEMPTS + 1):
            response = self._attempt(call, deadline, attempt)
            if isinstance(response, Response) and _is_success(response):
                return response
            pause = _pause(response, attempt)
            if not _may_repeat(call, response) or attempt == MAX_ATTEMPTS or pause >= deadline.left:
                break
            time.sleep(pause)
        raise _failure(response)

    def own_link(self, link: str) -> str:
        """A link from a response, if it leads to the API itself: our token must not be sent elsewhere.

        Raises:
            UnreadableResponse: it leads elsewhere.
        """
        base = urlsplit(self._base)
        try:
            parts = urlsplit(urljoin(f"{self._base}/", link))
            same = _origin(parts) == _origin(base) and parts.username is None
        except ValueError:
            raise UnreadableResponse("foreign_link") from None
        inside = parts.path.startswith(f"{base.path}/") and ".." not in parts.path
        if not same or not inside or not _PLAIN.match(link):
            raise UnreadableResponse("foreign_link")
        return parts._replace(netloc=base.netloc, fragment="").geturl()

    def _attempt(self, call: MarketplaceCall, deadline: Deadline, attempt: int) -> Response | NoResponse:
        """One attempt and its line in the log."""
        began, request_id, status, reason = time.monotonic(), str(clock.new_id()), 0, ""
        try:
            response = self._exchange(call, deadline, request_id)
            if isinstance(response, Response):
                status = response.status
            else:
                reason = response.reason
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
                correlationId=str(deadline.correlation_id),
                marketplaceRequestId=request_id,
            )
        return response

    def _exchange(self, call: MarketplaceCall, deadline: Deadline, request_id: str) -> Response | NoResponse:
        try:
            token = self._tokens.get(deadline)
        except MarketplaceUnavailable as error:
            return NoResponse(error.reason, may_have_arrived=False)
        response = self._http.send(self._request(call, token, deadline, request_id), deadline)
        if isinstance(response, NoResponse) and response.reason == TOO_LARGE:
            raise UnreadableResponse(TOO_LARGE)
        return response

    def _request(self, call: MarketplaceCall, token: str, deadline: Deadline, request_id: str) -> Request:
        headers = {
            "Authorization": f"Bearer {token}",
            "x-ms-requestid": request_id,
            "x-ms-correlationid": str(deadline.correlation_id),
            **call.headers,
        }
        body = None
        if call.body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(call.body, allow_nan=False).encode()
        url = call.path
        if not url.startswith(("http://", "https://")):
            url = f"{self._base}/{call.path}?{urlencode({'api-version': API_VERSION, **call.query})}"
        return Request(call.method, url, headers, body)


def parse_json(response: Response) -> Any:  # noqa: ANN401 - any JSON
    """The document of a response; None for an empty body.

    Raises:
        UnreadableResponse: it is not JSON.
    """
    if not response.body.strip():
        return None
    try:
        return json.loads(response.body)
    except (ValueError, RecursionError):
        raise UnreadableResponse("not_json") from None


def _is_success(response: Response) -> bool:
    return HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _may_repeat(call: MarketplaceCall, response: Response | NoResponse) -> bool:
    if isinstance(response, NoResponse):
        return call.repeatable
    if response.status == HTTPStatus.TOO_MANY_REQUESTS:
        return True
    return call.repeatable and response.status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _pause(response: Response | NoResponse, attempt: int) -> float:
    """The pause that the response asks for, else an exponential one with jitter."""
    headers = response.headers if isinstance(response, Response) else {}
    try:
        given = Retry().parse_retry_after(headers["Retry-After"])
    except (KeyError, ValueError, OverflowError, urllib3.exceptions.InvalidHeader):
        given = None
    jitter = random.uniform(0.5, 1.0)  # noqa: S311 - no secret
    return _FIRST_PAUSE * 2 ** (attempt - 1) * jitter if given is None else float(given)


def _failure(response: Response | NoResponse) -> MarketplaceError:
    if isinstance(response, NoResponse):
        return MarketplaceUnavailable(response.reason)
    if response.status == HTTPStatus.TOO_MANY_REQUESTS or response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return MarketplaceUnavailable(f"http_{response.status}")
    if response.status < HTTPStatus.BAD_REQUEST:
        return UnreadableResponse(f"http_{response.status}")
    return _REFUSALS.get(response.status, MarketplaceRefused)(response.status, _error_code(response))


def _error_code(response: Response) -> str:
    """Microsoft's error code, from any of its three places; never the message beside it."""
    try:
        document = parse_json(response)
    except UnreadableResponse:
        return ""
    if not isinstance(document, dict):
        return ""
    places = [(document.get("error"), "code"), (document.get("Error"), "Code"), (document, "code")]
    codes = [place.get(name) for place, name in places if isinstance(place, dict)]
    return next((code for code in codes if isinstance(code, str) and _CODE.match(code)), "")
