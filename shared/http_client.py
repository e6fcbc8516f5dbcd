"""Outgoing HTTP: the one client for all services that the product calls."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from shared.deadline import AbandonableThreads, Deadline, DeadlinePassed


if TYPE_CHECKING:
    import requests


TOO_SLOW: Final = "too_slow"
TOO_LARGE: Final = "too_large"
_MAX_BYTES: Final = 8 * 1024 * 1024
_CONNECT_SECONDS: Final = 3.05  # a little more than the first retransmission of a lost packet
_SILENCE_SECONDS: Final = 10.0  # a connection is given up after this time without a byte
_THREADS: Final = 16
_PIECE_BYTES: Final = 65_536
_HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # a small compressed response could be huge when unpacked
    "User-Agent": "TimeTracker",
}


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. Headers and body contain secrets, so neither appears in its repr."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)

    @classmethod
    def post_form(cls, url: str, form: Mapping[str, str]) -> "Request":
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return cls("POST", url, headers, urlencode(form).encode())


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response; its headers are case-insensitive."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NoResponse:
    """There is no complete response. `reason` is a short code for the log.

    Without `may_have_arrived` the request was certainly not sent.
    """

    reason: str
    may_have_arrived: bool


class HttpClient:
    """Sends requests to the given addresses and to no other; threads may share it.

    Connections are reused. There are no cookies, redirects, retries, proxies or credentials from the environment.
    """

    def __init__(
        self, name: str, *addresses: str, headers: Mapping[str, str] | None = None, max_bytes: int = _MAX_BYTES
    ) -> None:
        """`name` is that of its threads; `headers` are sent with every request."""
        self._addresses, self._max_bytes = addresses, max_bytes
        self._headers = {**_HEADERS, **(headers or {})}
        self._threads = AbandonableThreads(name, _THREADS)
        self._lock = threading.Lock()
        self._session: requests.Session | None = None

    def send(self, request: Request, deadline: Deadline) -> Response | NoResponse:
        """Sends the request once and reads the whole response, and returns before the deadline in any case."""
        if not deadline.left:
            return NoResponse(TOO_SLOW, may_have_arrived=False)
        try:
            return self._threads.run(lambda: self._exchange(request, deadline), deadline)
        except DeadlinePassed as passed:
            return NoResponse(TOO_SLOW, may_have_arrived=passed.started)

    def close(self) -> None:
        """Requests in progress may still get their response."""
        with self._lock:
            if self._session is not None:
                self._session.close()

    def _exchange(self, request: Request, deadline: Deadline) -> Response | NoResponse:
        """Errors of the HTTP library contain the request with its secrets, so none leaves this function."""
        import requests  # noqa: PLC0415 - slow to import, and a cold start does not need it
        import urllib3  # noqa: PLC0415 - likewise

        left = deadline.left
        if not left:
            return NoResponse(TOO_SLOW, may_have_arrived=False)
        try:
            with self._open_session().request(
                request.method,
                request.url,
                data=request.body,
                headers=dict(request.headers),
                timeout=(min(left, _CONNECT_SECONDS), min(left, _SILENCE_SECONDS)),
                allow_redirects=False,
                stream=True,
            ) as response:
                return self._read(response, deadline)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return NoResponse(type(error).__name__, may_have_arrived=not _has_no_connection(error))

    def _read(self, response: "requests.Response", deadline: Deadline) -> Response | NoResponse:
        """Reads the body with one network read at a time, so that a slow peer cannot outlast the deadline."""
        body = bytearray()
        while piece := response.raw.read1(_PIECE_BYTES, decode_content=True):
            body += piece
            if len(body) > self._max_bytes:
                return NoResponse(TOO_LARGE, may_have_arrived=True)
            if not deadline.left:
                return NoResponse(TOO_SLOW, may_have_arrived=True)
        return Response(response.status_code, response.headers, bytes(body))

    def _open_session(self) -> "requests.Session":
        with self._lock:
            if self._session is None:
                import requests  # noqa: PLC0415 - as above

                session = requests.Session()
                session.trust_env = False  # a .netrc would replace the token with its own password
                session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
                session.headers.update(self._headers)
                session.adapters.clear()
                adapter = requests.adapters.HTTPAdapter(pool_connections=2, pool_maxsize=_THREADS, max_retries=0)
                for address in self._addresses:
                    session.mount(address, adapter)
                self._session = session
            return self._session


def _has_no_connection(error: Any) -> bool:  # noqa: ANN401 - of requests, urllib3 or the system
    """Whether nothing can have been sent: no name, route, listener or allowed address. A TLS error may come later."""
    import requests  # noqa: PLC0415 - as above
    import urllib3  # noqa: PLC0415 - as above

    if isinstance(error, requests.exceptions.InvalidSchema | requests.exceptions.InvalidURL):
        return True
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError)
