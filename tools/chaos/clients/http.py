"""Sends requests like the extension: over persistent connections, to any worker."""

import json
import random
import threading
import time
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException

from shared import clock
from tools.chaos.clients.history import Attempt, Json, Operation


SECONDS = 8.0  # timeout of a client


class Client:
    """One thread's connections to the workers; each request goes to a random one."""

    def __init__(self, bases: Sequence[str], token: str, rng: random.Random) -> None:
        self._hosts = [base.removeprefix("http://") for base in bases]
        self.token = token
        self.extra_headers: dict[str, str] = {}
        self._rng = rng
        self._connections: dict[str, HTTPConnection] = {}

    def send(self, operation: Operation) -> None:
        """Sends it once more and appends the attempt."""
        host = self._rng.choice(self._hosts)
        sent_at, began = clock.now(), time.perf_counter()
        was_sent, status, answer = True, None, None
        try:
            status, answer = self._send_once(host, operation)
        except ConnectionRefusedError:
            was_sent = False
        operation.attempts.append(Attempt(sent_at, clock.now(), time.perf_counter() - began, status, was_sent))
        if operation.is_answered:
            operation.answer = answer

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()

    def _send_once(self, host: str, operation: Operation) -> tuple[int | None, Json | None]:
        connection = self._connections.pop(host, None) or HTTPConnection(host, timeout=SECONDS)
        body = None if operation.body is None else json.dumps(operation.body)
        try:
            connection.request(operation.method, f"/api/{operation.path}", body, self._headers(operation))
            response = connection.getresponse()
            content = response.read()
        except ConnectionRefusedError:
            raise  # no worker has received it
        except (OSError, HTTPException):
            connection.close()
            return None, None
        self._connections[host] = connection
        is_json = "json" in response.headers.get("Content-Type", "")
        return response.status, json.loads(content) if content and is_json else None

    def _headers(self, operation: Operation) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **self.extra_headers}
        if operation.key is not None:
            headers["Idempotency-Key"] = operation.key
        if operation.version is not None:
            headers["If-Match"] = f'"{operation.version}"'
        return headers


class StopCondition:
    """The end of the run: on request, or after a number of operations."""

    def __init__(self, max_operations: int | None) -> None:
        self._max_operations = max_operations
        self._over = threading.Event()
        self._lock = threading.Lock()
        self.done = 0

    def count(self) -> None:
        with self._lock:
            self.done += 1
            if self._max_operations is not None and self.done >= self._max_operations:
                self._over.set()

    def end(self) -> None:
        self._over.set()

    def wait(self, seconds: float) -> bool:
        return self._over.wait(seconds)

    @property
    def is_over(self) -> bool:
        return self._over.is_set()
