"""What one connection of the load says and expects: alternating start and stop, or the same request over and over."""

import json
import random
import time
from typing import Any, Protocol


class WrongAnswer(Exception):
    """An answer that is not what a correct server gives; the text says what was wrong."""


class Exchange(Protocol):
    """The next request of a connection, and the judgement of its answer."""

    @property
    def at_rest(self) -> bool:
        """Whether the load may end here without leaving something open on the server."""

    def request(self) -> bytes: ...

    def judge(self, status: int, body: bytes) -> str:
        """What was answered, by the name its latency goes under.

        Raises:
            WrongAnswer: it is not what was asked for.
        """


class StartAndStop:
    """One user's day: start, stop, start, stop, each with a fresh Idempotency-Key, as the extension sends them."""

    def __init__(self, *, host: str, base: str, token: str, first_item: int) -> None:
        head = f"HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
        head += "Accept: application/json\r\nContent-Type: application/json\r\nIdempotency-Key: "
        self._start, self._stop = f"POST {base}/start {head}", f"POST {base}/stop {head}"
        self._item = first_item
        self._running: str | None = None

    @property
    def at_rest(self) -> bool:
        return self._running is None

    def request(self) -> bytes:
        key = f"{random.getrandbits(128):032x}"
        key = f"{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:]}"
        if self._running is not None:
            return f"{self._stop}{key}\r\nContent-Length: 2\r\n\r\n{{}}".encode()
        self._item += 1
        body = f'{{"organization":"contoso","project":"Website","workItemId":{self._item}}}'
        return f"{self._start}{key}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    def judge(self, status: int, body: bytes) -> str:
        stopping = self._running is not None
        if status != (200 if stopping else 201):
            raise WrongAnswer(f"{'stop' if stopping else 'start'}: {status} {body[:200]!r}")
        answer = json.loads(body)
        if answer["workItemId"] != self._item or (stopping and answer["id"] != self._running):
            raise WrongAnswer(f"not the timer that was started: {body[:200]!r}")
        self._running = None if stopping else answer["id"]
        return "stop" if stopping else "start"


class Read:
    """The same GET over and over; every answer must be the bytes of the first, which must hold `expected`.

    What `varies`, since it tells the time, must hold it every time.
    """

    at_rest = True

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

    def judge(self, status: int, body: bytes) -> str:
        if self._first is None or self._varies:
            if status != 200 or self._expected not in body:  # noqa: PLR2004 - HTTP's own word for fine
                raise WrongAnswer(f"read: {status} {body[:200]!r}")
            self._first = body
        elif body != self._first:
            raise WrongAnswer(f"read: {status}, another answer than before: {body[:200]!r}")
        return "read"


class PeerStartAndStop:
    """The same day at TimeTagger: a record that begins and has not ended, and that record again with its end."""

    def __init__(self, *, host: str, base: str, token: str) -> None:
        self._head = f"PUT {base}/records HTTP/1.1\r\nHost: {host}\r\nauthtoken: {token}\r\n"
        self._head += "Content-Type: application/json\r\nContent-Length: "
        self._record: dict[str, Any] | None = None
        self.at_rest = True

    def request(self) -> bytes:
        now = int(time.time())
        if self._record is None:
            what = {"ds": f"#website work item {random.getrandbits(16)}"}
            body = [{"key": f"{random.getrandbits(32):08x}", "mt": now, "t1": now, "t2": now, **what}]
        else:
            body = [{**self._record, "mt": now + 1, "t2": self._record["t1"] + 60}]
        self._asked, self.at_rest = body[0], False
        text = json.dumps(body)
        return f"{self._head}{len(text)}\r\n\r\n{text}".encode()

    def judge(self, status: int, body: bytes) -> str:
        if status != 200 or json.loads(body)["accepted"] != [self._asked["key"]]:  # noqa: PLR2004 - as above
            raise WrongAnswer(f"record: {status} {body[:200]!r}")
        stopping = self._record is not None
        self._record = None if stopping else self._asked
        self.at_rest = stopping
        return "stop" if stopping else "start"


def exchange(kind: str, **arguments: Any) -> Exchange:  # noqa: ANN401 - from JSON
    return {"pair": StartAndStop, "read": Read, "peer": PeerStartAndStop}[kind](**arguments)  # type: ignore[no-any-return]
