"""Calls the publisher's webhook: each event on a thread of its own, again and again until it is heard."""

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

import requests

from devcloud.emulators.marketplace.documents import event_document
from devcloud.emulators.marketplace.model import CHANGES, Operation, Subscription
from devcloud.emulators.marketplace.publisher import Publisher, Tokens
from devcloud.emulators.marketplace.refusal import Refused
from devcloud.emulators.marketplace.switches import Behaviour


NO_ANSWER: Final = 0
_STOP_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Event:
    operation_id: str
    action: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call of the webhook, and how long it took; a status of 0 means that no answer came in time."""

    operation_id: str
    action: str
    number: int
    status: int
    at: str
    milliseconds: float


class Answered(Protocol):
    """Is told what the webhook said of a change."""

    def __call__(self, operation_id: str, *, accepted: bool) -> None: ...


class Delivery:
    def __init__(
        self,
        publisher: Publisher,
        tokens: Tokens,
        behaviour: Behaviour,
        *,
        now: Callable[[], dt.datetime],
        answered: Answered,
    ) -> None:
        self._behaviour = behaviour
        self._publisher, self._tokens, self._now, self._answered = publisher, tokens, now, answered
        self._lock = threading.Lock()
        self._held: list[Event] = []
        self._attempts: list[Attempt] = []
        self._threads: list[threading.Thread] = []
        self._stopped = threading.Event()

    def tell(self, operation: Operation, subscription: Subscription) -> None:
        """Sends the event on its way, or holds it back when that is switched on."""
        event = Event(operation.id, operation.action, event_document(operation, subscription, self._behaviour.shapes))
        if self._behaviour.shapes.held:
            with self._lock:
                self._held.append(event)
        else:
            self._send([event] * self._behaviour.shapes.copies)

    def release(self, order: Sequence[str] | None, workers: int = 1) -> int:
        """Lets held events go: all at once, or those named, in that order and as often as they are named."""
        with self._lock:
            held = {event.operation_id: event for event in self._held}
            if order is None:
                chosen = [event for event in self._held for _ in range(self._behaviour.shapes.copies)]
            elif set(order) <= held.keys():
                chosen = [held[each] for each in order]
            else:
                raise Refused(400, "BadArgument", "No event of that operation is held.")
            self._held = [event for event in self._held if event not in chosen]
        if order is None:
            self._send(chosen)
        else:
            due = iter(chosen)
            for _ in range(workers):
                self._start(due)
        return len(chosen)

    def held(self) -> list[str]:
        with self._lock:
            return [event.operation_id for event in self._held]

    def attempts(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(attempt) for attempt in self._attempts]

    def busy(self) -> int:
        """How many deliveries are still trying."""
        with self._lock:
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            return len(self._threads)

    def once(self, body: object, claims: dict[str, Any], key: str, authorization: str | None = None) -> int:
        """One call with any body and token; the status of the answer."""
        bearer = self._bearer(claims, key)
        return self._post(body, bearer if authorization is None else authorization)

    def stop(self) -> None:
        """Ends all deliveries; who is being called may still answer."""
        self._stopped.set()
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(_STOP_SECONDS)

    def _send(self, events: Sequence[Event]) -> None:
        for event in events:
            self._start([event])

    def _start(self, events: Iterable[Event]) -> None:
        """One thread, which sends these one after another; threads may share what they take them from."""
        thread = threading.Thread(target=self._run, args=(events,), name="webhook", daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _run(self, events: Iterable[Event]) -> None:
        for event in events:
            self._until_heard(event)

    def _until_heard(self, event: Event) -> None:
        for number in range(1, self._behaviour.pace.retries + 2):
            if self._stopped.is_set():
                return
            status = self._attempt(event, number)
            if event.action in CHANGES and 400 <= status < 500:  # noqa: PLR2004 - the publisher says no
                self._answered(event.operation_id, accepted=False)
                return
            if 200 <= status < 300:  # noqa: PLR2004 - heard
                self._answered(event.operation_id, accepted=True)
                return
            self._stopped.wait(self._behaviour.pace.retry_seconds)

    def _attempt(self, event: Event, number: int) -> int:
        began = time.perf_counter()
        try:
            bearer = self._bearer({}, "current")
            began = time.perf_counter()
            status = self._post(event.body, bearer)
        except requests.RequestException:
            status = NO_ANSWER  # no token to be had
        took = round((time.perf_counter() - began) * 1000, 3)
        attempt = Attempt(event.operation_id, event.action, number, status, self._now().isoformat(), took)
        with self._lock:
            self._attempts.append(attempt)
        return status

    def _bearer(self, claims: dict[str, Any], key: str) -> str:
        return f"Bearer {self._tokens.for_webhook(self._behaviour.shapes.tokens, claims, key)}"

    def _post(self, body: object, authorization: str) -> int:
        headers = {"Authorization": authorization} if authorization else {}
        try:
            answer = requests.post(
                self._publisher.webhook_url,
                json=body,
                headers=headers,
                timeout=self._behaviour.pace.answer_seconds,
                allow_redirects=False,
            )
        except requests.RequestException:
            return NO_ANSWER
        return answer.status_code
