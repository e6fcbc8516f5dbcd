"""Sends one request to Azure DevOps and brings back the whole answer or none, in a time that is always kept."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, auto
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final


if TYPE_CHECKING:
    import requests


MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
_CONNECT_SECONDS: Final = 3.05  # a little more than a lost packet's second chance
_THREADS: Final = 16
_HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # what is small on the wire could be huge unpacked
    "User-Agent": "TimeTracker",
    # Without these three a refused token gives redirects to a sign-in page.
    "X-TFS-FedAuthRedirect": "Suppress",
    "X-VSS-ForceMsaPassThrough": "true",
    "X-VSS-ReauthenticationAction": "Suppress",
}


class Deadline:
    """A time budget for everything that one use of Azure DevOps does."""

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic, self._ends = monotonic, monotonic() + seconds

    @property
    def left(self) -> float:
        """In seconds; never negative."""
        return max(0.0, self._ends - self._monotonic())

    def within(self, seconds: float) -> "Deadline":
        """Whichever is earlier: this one, or so many seconds from now."""
        return Deadline(min(seconds, self.left), self._monotonic)


@dataclass(frozen=True, slots=True)
class Request:
    """`path` follows the host. The token is shown nowhere."""

    method: str
    path: str
    token: str = field(repr=False)
    body: Any = None
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """`document` is None where the body is not the JSON that its media type promises, or promises none."""

    status: int
    is_json: bool
    document: Any
    retry_after: str | None


class NoAnswer(Enum):
    NOT_SENT = auto()  # certainly: no connection was had
    LOST = auto()  # it may have arrived


class Line:
    """The one way out to Azure DevOps. Each exchange has a thread that is not waited for beyond its time.

    The time limits of sockets would not do: looking up a name may hang, and bytes may come one by one.
    """

    def __init__(self, base: str) -> None:
        self._base = base
        self._lock = threading.Lock()
        self._session: requests.Session | None = None
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="azure-devops")

    def send(self, request: Request, seconds: float) -> Answer | NoAnswer:
        ends = time.monotonic() + seconds
        try:
            exchange = self._threads.submit(self._exchange, request, ends)
        except RuntimeError:  # no thread to be had; an earlier one may yet come to it
            return NoAnswer.LOST
        try:
            return exchange.result(seconds)
        except TimeoutError:
            return NoAnswer.NOT_SENT if exchange.cancel() else NoAnswer.LOST

    def close(self) -> None:
        """Who is still waiting for an answer may get it."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._session is not None:
            self._session.close()

    def _exchange(self, request: Request, ends: float) -> Answer | NoAnswer:
        """Errors of the HTTP library carry the request with its token, so none of them leaves this function."""
        import requests  # noqa: PLC0415 - slow to import; only those who use Azure DevOps wait for it
        import urllib3  # noqa: PLC0415 - likewise

        left = ends - time.monotonic()
        if left <= 0:
            return NoAnswer.NOT_SENT
        body = None if request.body is None else json.dumps(request.body, allow_nan=False).encode()
        try:
            with self._connected().request(
                request.method,
                f"{self._base}{request.path}",
                data=body,
                headers={"Authorization": f"Bearer {request.token}", "Content-Type": request.media_type},
                timeout=(min(left, _CONNECT_SECONDS), left),
                allow_redirects=False,
                stream=True,
            ) as response:
                read = _read(response, ends)
                return NoAnswer.LOST if read is None else _answer(response.status_code, response.headers, read)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            return NoAnswer.NOT_SENT if _had_no_connection(error) else NoAnswer.LOST

    def _connected(self) -> "requests.Session":
        """One session per process: connections are kept, cookies are not, and no other address can be reached."""
        with self._lock:
            if self._session is None:
                import requests  # noqa: PLC0415 - as above

                session = requests.Session()
                session.trust_env = False  # a .netrc would put its own password in the token's place
                session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
                session.headers.update(_HEADERS)
                session.adapters.clear()
                session.mount(
                    f"{self._base}/", requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=_THREADS)
                )
                self._session = session
            return self._session


def _read(response: "requests.Response", ends: float) -> bytes | None:
    """The body, one network read at a time; None when it is too large or too slow."""
    pieces, size = [], 0
    while piece := response.raw.read1(65_536, decode_content=False):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_ANSWER_BYTES or time.monotonic() > ends:
            return None
    return b"".join(pieces)


def _answer(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    is_json = headers.get("Content-Type", "").partition(";")[0].strip().lower() in {"application/json", "text/json"}
    document = None
    if is_json:
        try:
            document = json.loads(body, parse_float=Decimal, parse_constant=_refuse)
        except (ValueError, RecursionError):
            document = None
    return Answer(status, is_json, document, headers.get("Retry-After"))


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity are no JSON


def _had_no_connection(error: Exception) -> bool:
    """Whether nothing can have been sent: no name, no route, nobody there. An error of TLS may come later than that."""
    import urllib3  # noqa: PLC0415 - as above

    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError)
