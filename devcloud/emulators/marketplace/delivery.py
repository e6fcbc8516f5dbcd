"""Calls the publisher's webhook: each event on its own thread, repeated until it is accepted."""

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

import requests

from devcloud.emulators.marketplace.behavior import Behavior
from devcloud.emulators.marketplace.documents import event_document
from devcloud.emulators.marketplace.errors import MarketplaceError
from devcloud.emulators.marketplace.model import CHANGES, Operation, Subscription
from devcloud.emulators.marketplace.publisher import Publisher, Tokens


NO_RESPONSE: Final = 0
_STOP_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Event:
    operation_id: str
    action: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call of the webhook with its duration; status 0 means no response in time."""

    operation_id: str
    action: str
    number: int
    status: int
    at: str
    milliseconds: float


class ResponseListener(Protocol):
    """Called with the webhook's response to a change."""

    def __call__(self, operation_id: str, *, accepted: bool) -> None: ...


class Delivery:
    def __init__(
        self,
        publisher: Publisher,
        tokens: Tokens,
        behavior: Behavior,
        *,
        now: Callable[[], dt.datetime],
        on_response: ResponseListener,
    ) -> None:
        self._behavior = behavior
        self._publisher, self._tokens, self._now, self._on_response = publisher, tokens, now, on_response
        self._lock = threading.Lock()
        self._held_events: list[Event] = []
        self._attempts: list[Attempt] = []
        self._threads: list[threading.Thread] = []
        self._stopped = threading.Event()

    def send_event(self, operation: Operation, subscription: Subscription) -> None:
        """Sends the event, or holds it if `held` is on."""
        event = Event(operation.id, operation.action, event_document(operation, subscription, self._behavior.shapes))
        if self._behavior.shapes.held:
            with self._lock:
                self._held_events.append(event)
        else:
            self._send([event] * self._behavior.shapes.copies)

    def release(self, sequence: Sequence[str] | None, workers: int = 1) -> int:
        """Sends held events: all at once, or the given ones in order and as often as given."""
        with self._lock:
            held_events = {event.operation_id: event for event in self._held_events}
            if sequence is None:
                chosen = [event for event in self._held_events for _ in range(self._behavior.shapes.copies)]
            elif set(sequence) <= held_events.keys():
                chosen = [held_events[each] for each in sequence]
            else:
                raise MarketplaceError(400, "BadArgument", "No event of that operation is held.")
            self._held_events = [event for event in self._held_events if event not in chosen]
        if sequence is None:
            self._send(chosen)
        else:
            remaining = iter(chosen)
            for _ in range(workers):
                self._start(remaining)
        return len(chosen)

    def held_events(self) -> list[str]:
        with self._lock:
            return [event.operation_id for event in self._held_events]

    def attempts(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(attempt) for attempt in self._attempts]

    def busy(self) -> int:
        """The number of unfinished deliveries."""
        with self._lock:
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            return len(self._threads)

    def send_once(self, body: object, claims: dict[str, Any], key: str, authorization: str | None = None) -> int:
        """One call with any body and token; returns the status."""
        bearer = self._bearer(claims, key)
        return self._post(body, bearer if authorization is None else authorization)

    def stop(self) -> None:
        """Ends all deliveries; present calls may still finish."""
        self._stopped.set()
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(_STOP_SECONDS)

    def _send(self, events: Sequence[Event]) -> None:
        for event in events:
            self._start([event])

    def _start(self, events: Iterable[Event]) -> None:
        """Starts a thread that sends events one after another; threads may share an iterator."""
        thread = threading.Thread(target=self._run, args=(events,), name="webhook", daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _run(self, events: Iterable[Event]) -> None:
        for event in events:
            self._send_until_accepted(event)

    def _send_until_accepted(self, event: Event) -> None:
        for number in range(1, self._behavior.pace.retries + 2):
            if self._stopped.is_set():
                return
            status = self._attempt(event, number)
            if event.action in CHANGES and 400 <= status < 500:  # noqa: PLR2004 - rejected by the publisher
                self._on_response(event.operation_id, accepted=False)
                return
            if 200 <= status < 300:  # noqa: PLR2004 - success
                self._on_response(event.operation_id, accepted=True)
                return
            self._stopped.wait(self._behavior.pace.retry_seconds)

    def _attempt(self, event: Event, number: int) -> int:
        began = time.perf_counter()
        try:
            bearer = self._bearer({}, "current")
            began = time.perf_counter()
            status = self._post(event.body, bearer)
        except requests.RequestException:
            status = NO_RESPONSE  # no token available
        milliseconds = round((time.perf_counter() - began) * 1000, 3)
        attempt = Attempt(event.operation_id, event.action, number, status, self._now().isoformat(), milliseconds)
        with self._lock:
            self._attempts.append(attempt)
        return status

    def _bearer(self, claims: dict[str, Any], key: str) -> str:
        return f"Bearer {self._tokens.build_webhook_token(self._behavior.shapes.tokens, claims, key)}"

    def _post(self, body: object, authorization: str) -> int:
        headers = {"Authorization": authorization} if authorization else {}
        try:
            response = requests.post(
                self._publisher.webhook_url,
                json=body,
                headers=headers,
                timeout=self._behavior.pace.answer_seconds,
                allow_redirects=False,
            )
        except requests.RequestException:
            return NO_RESPONSE
        return response.status_code
