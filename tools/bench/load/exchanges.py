"""The requests of one connection and their checks: alternating start and stop, or one repeated request."""

import json
import random
import time
from typing import Any, Protocol


class WrongResponse(Exception):
    """An incorrect response; the message describes it."""


class Exchange(Protocol):
    """Builds the next request of a connection and checks its response."""

    @property
    def is_idle(self) -> bool:
        """Whether the load may end here without a running timer on the server."""

    def request(self) -> bytes: ...

    def check(self, status: int, body: bytes) -> str:
        """Checks the response; returns the name for its latency.

        Raises:
            WrongResponse: it is not the expected response.
        """


class StartAndStop:
    """Alternating start and stop of one user, each with a new Idempotency-Key, as in the extension."""

    def __init__(self, *, host: str, base: str, token: str, first_item: int) -> None:
        head = f"HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
        head += "Accept: application/json\r\nContent-Type: application/json\r\nIdempotency-Key: "
        self._start, self._stop = f"POST {base}/start {head}", f"POST {base}/stop {head}"
        self._item = first_item
        self._running: str | None = None

    @property
    def is_idle(self) -> bool:
        return self._running is None

    def request(self) -> bytes:
        key = f"{random.getrandbits(128):032x}"
        key = f"{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:]}"
        if self._running is not None:
            return f"{self._stop}{key}\r\nContent-Length: 2\r\n\r\n{{}}".encode()
        self._item += 1
        body = f'{{"organization":"contoso","project":"Website","workItemId":{self._item}}}'
        return f"{self._start}{key}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    def check(self, status: int, body: bytes) -> str:
        stopping = self._running is not None
        if status != (200 if stopping else 201):
            raise WrongResponse(f"{'stop' if stopping else 'start'}: {status} {body[:200]!r}")
        response = json.loads(body)
        if response["workItemId"] != self._item or (stopping and response["id"] != self._running):
            raise WrongResponse(f"not the timer that was started: {body[:200]!r}")
        self._running = None if stopping else response["id"]
        return "stop" if stopping else "start"


class RepeatedRead:
    """A repeated GET; every response must equal the first one, which must contain `expected`.

    With `varies` (responses with a time), each response must contain `expected`.
    """

    is_idle = True

    def __init__(
        self,
        *,
        host: str,
        path: str,
        token: str,
        expected: str,
        header: str = "Authorization: Bearer",
        varies: bool = False,
    ) -> None:
        self._request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{header} {token}\r\n\r\n".encode()
        self._expected, self._varies = expected.encode(), varies
        self._first: bytes | None = None

    def request(self) -> bytes:
        return self._request

    def check(self, status: int, body: bytes) -> str:
        if self._first is None or self._varies:
            if status != 200 or self._expected not in body:  # noqa: PLR2004 - OK
                raise WrongResponse(f"read: {status} {body[:200]!r}")
            self._first = body
        elif body != self._first:
            raise WrongResponse(f"read: {status}, another response than before: {body[:200]!r}")
        return "read"


class PeerStartAndStop:
    """Start and stop at TimeTagger: a record without an end, then the same record with its end."""

    def __init__(self, *, host: str, base: str, token: str) -> None:
        self._head = f"PUT {base}/records HTTP/1.1\r\nHost: {host}\r\nauthtoken: {token}\r\n"
        self._head += "Content-Type: application/json\r\nContent-Length: "
        self._record: dict[str, Any] | None = None
        self.is_idle = True

    def request(self) -> bytes:
        now = int(time.time())
        if self._record is None:
            description = {"ds": f"#website work item {random.getrandbits(16)}"}
            body = [{"key": f"{random.getrandbits(32):08x}", "mt": now, "t1": now, "t2": now, **description}]
        else:
            body = [{**self._record, "mt": now + 1, "t2": self._record["t1"] + 60}]
        self._sent_record, self.is_idle = body[0], False
        text = json.dumps(body)
        return f"{self._head}{len(text)}\r\n\r\n{text}".encode()

    def check(self, status: int, body: bytes) -> str:
        if status != 200 or json.loads(body)["accepted"] != [self._sent_record["key"]]:  # noqa: PLR2004 - as above
            raise WrongResponse(f"record: {status} {body[:200]!r}")
        stopping = self._record is not None
        self._record = None if stopping else self._sent_record
        self.is_idle = stopping
        return "stop" if stopping else "start"


def build_exchange(kind: str, **arguments: Any) -> Exchange:  # noqa: ANN401 - from JSON
    return {"pair": StartAndStop, "read": RepeatedRead, "peer": PeerStartAndStop}[kind](**arguments)  # type: ignore[no-any-return]
