"""Sends requests as the extension would: over kept connections, to any worker, and tells what came of it."""

import json
import random
import threading
import time
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException

from shared import clock
from tools.chaos.clients.history import Attempt, Json, Operation


SECONDS = 8.0  # a person waits no longer for an answer


class Client:
    """One thread's connections to the workers; a request goes to any of them."""

    def __init__(self, bases: Sequence[str], token: str, dice: random.Random) -> None:
        self._hosts = [base.removeprefix("http://") for base in bases]
        self.token = token
        self.extra: dict[str, str] = {}
        self._dice = dice
        self._kept: dict[str, HTTPConnection] = {}

    def send(self, operation: Operation) -> None:
        """Sends it once more, and notes how that went."""
        host = self._dice.choice(self._hosts)
        sent_at, began = clock.now(), time.perf_counter()
        was_sent, status, answer = True, None, None
        try:
            status, answer = self._exchange(host, operation)
        except ConnectionRefusedError:
            was_sent = False
        operation.attempts.append(Attempt(sent_at, clock.now(), time.perf_counter() - began, status, was_sent))
        if operation.is_answered:
            operation.answer = answer

    def close(self) -> None:
        for connection in self._kept.values():
            connection.close()

    def _exchange(self, host: str, operation: Operation) -> tuple[int | None, Json | None]:
        connection = self._kept.pop(host, None) or HTTPConnection(host, timeout=SECONDS)
        body = None if operation.body is None else json.dumps(operation.body)
        try:
            connection.request(operation.method, f"/api/{operation.path}", body, self._headers(operation))
            response = connection.getresponse()
            raw = response.read()
        except ConnectionRefusedError:
            raise  # nobody listened, so nobody has got it
        except (OSError, HTTPException):
            connection.close()
            return None, None
        self._kept[host] = connection
        is_json = "json" in response.headers.get("Content-Type", "")
        return response.status, json.loads(raw) if raw and is_json else None

    def _headers(self, operation: Operation) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **self.extra}
        if operation.key is not None:
            headers["Idempotency-Key"] = operation.key
        if operation.version is not None:
            headers["If-Match"] = f'"{operation.version}"'
        return headers


class Stop:
    """When the fleet is to end: told to, or after so many operations."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._over = threading.Event()
        self._lock = threading.Lock()
        self.done = 0

    def count(self) -> None:
        with self._lock:
            self.done += 1
            if self._most is not None and self.done >= self._most:
                self._over.set()

    def end(self) -> None:
        self._over.set()

    def wait(self, seconds: float) -> bool:
        return self._over.wait(seconds)

    @property
    def is_over(self) -> bool:
        return self._over.is_set()
