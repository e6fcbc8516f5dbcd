"""Faults of Entra's signing keys: unavailable, or changed.

A worker fetches keys once an hour, and for an unknown key: three times at once, then every ten seconds. So these faults
make cached keys older (by the clock file), send requests of their own and check the responses.
"""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Final, Literal

import requests

from devcloud.emulators.faults import Fault
from shared.auth.signing_keys import ABSENT_FOR, FETCH_BURST, FETCH_PAUSE, REFRESH_AFTER
from tools.chaos.checks.violation import Violation
from tools.chaos.clients.fleet import Fleet
from tools.chaos.clients.http import SECONDS
from tools.chaos.clients.identities import mint_token
from tools.chaos.cloud.cloud import Cloud
from tools.chaos.cloud.processes import Worker
from tools.chaos.faults.fault import End, FaultKind


KEY_AGES: Final = (
    REFRESH_AFTER + 60,
    24 * 3600.0,
)  # seconds; cached keys of these ages must work in an outage
_MAX_TRIES: Final = 3
_AFFECTED: Final = "requests for keys"
_KEYLESS_CODES: Final = {"signing_keys_unavailable", "signing_key_unknown"}
_RETRY_SECONDS: Final = max(ABSENT_FOR, FETCH_BURST * FETCH_PAUSE)  # time until a worker fetches unknown keys again


@dataclass(frozen=True, slots=True)
class KeyResponse:
    """The response to a request; no status without a response."""

    status: int | None
    code: str | None

    @property
    def is_keyless(self) -> bool:
        """Whether the worker had no key for the token and could not fetch it (temporary)."""
        return self.status == HTTPStatus.SERVICE_UNAVAILABLE and self.code in _KEYLESS_CODES

    @property
    def is_accepted(self) -> bool:
        """Whether the token was accepted, whatever the result of the request."""
        return self.status is not None and self.status != HTTPStatus.UNAUTHORIZED and not self.is_keyless


@dataclass(frozen=True, slots=True)
class KeyFaults:
    cloud: Cloud
    fleet: Fleet

    def build(self) -> list[FaultKind]:
        return [
            FaultKind("Entra's keys down", _AFFECTED, self._down, 1.0, 5.0),
            FaultKind("worker started without keys", _AFFECTED, self._restart_without_keys, 0.5, 3.0),
            FaultKind("Entra's keys rotated", _AFFECTED, self._rotate),
        ]

    def _down(self, rng: random.Random) -> End:
        """No keys for up to 24 hours, by the age of cached keys; tokens with known keys stay valid."""
        self._refresh_marketplace_keys()
        refreshed = [each for each in self.cloud.workers if self._refresh_keys(each)]
        self.cloud.entra.faults.set({"keys": _choose_fault(rng)})
        before = self._key_requests()
        age = rng.uniform(*KEY_AGES)
        for each in self.cloud.workers:
            each.clocks.age_keys(age)
        with ThreadPoolExecutor(len(self.cloud.workers)) as pool:
            list(pool.map(self._check_unknown_key, self.cloud.workers))

        def end() -> int:
            for each in refreshed:
                self._check_known_key(each)
            return self._restore(before)

        return end

    def _restart_without_keys(self, rng: random.Random) -> End:
        """A worker that starts without keys must answer 503, never that the token is invalid."""
        self._refresh_marketplace_keys()
        worker = rng.choice(self.cloud.workers)
        worker.kill()
        self.cloud.entra.faults.set({"keys": _choose_fault(rng)})
        before = self._key_requests()
        worker.start()
        response = self._request(worker, "current")
        if response.status is not None and not response.is_keyless:
            self._add_violation("refused", worker, "a worker without keys answered a valid token", response)
        return lambda: self._restore(before)

    def _rotate(self, _rng: random.Random) -> End:
        """All tokens use a new key without notice; each worker must fetch and accept it."""
        entra, before = self.cloud.entra, self._key_requests()
        entra.keys.rotate(drop_old=False)
        for each in self.fleet.all_people:
            each.client.token = mint_token(self.cloud, each.history.tid, each.history.oid, each.name)
        for worker in self.cloud.workers:
            self._check_new_key(worker)
        affected = self._key_requests() - before
        self._refresh_marketplace_keys()
        return lambda: affected

    def _check_new_key(self, worker: Worker) -> None:
        """The worker accepts the new key as soon as it may fetch keys again."""
        response = KeyResponse(None, None)
        for _ in range(_MAX_TRIES):
            response = self._request(worker, "current")
            if response.status == HTTPStatus.UNAUTHORIZED:
                self._add_violation("refused", worker, "a published key counts as unknown", response)
            if response.status is None or not response.is_keyless:
                return
            worker.clocks.age_keys(FETCH_PAUSE)
        self._add_violation("refused", worker, "a published key is not fetched", response)

    def _refresh_keys(self, worker: Worker) -> bool:
        """Makes the worker fetch its keys; True if it did, shown by its response to an unknown key."""
        worker.clocks.age_keys(_RETRY_SECONDS)
        response = self._request_with_unpublished_key(worker)
        return response.status == HTTPStatus.UNAUTHORIZED

    def _check_unknown_key(self, worker: Worker) -> None:
        """Without Entra, a worker cannot know that a key is unknown, so it must not answer 401."""
        response = self._request_with_unpublished_key(worker)
        if response.status == HTTPStatus.UNAUTHORIZED:
            self._add_violation("refused", worker, "a key that cannot be fetched counts as unknown", response)

    def _request_with_unpublished_key(self, worker: Worker) -> KeyResponse:
        """A request with a key that Entra never published: the worker fetches keys and refuses the token."""
        response = self._request(worker, "unpublished")
        is_refused = response.status == HTTPStatus.UNAUTHORIZED
        if response.status is not None and not is_refused and not response.is_keyless:
            self._add_violation("failed", worker, "a token with an unpublished key was not refused", response)
        return response

    def _check_known_key(self, worker: Worker) -> None:
        response = self._request(worker, "current")
        if response.status is not None and not response.is_accepted:
            self._add_violation("refused", worker, "a known key is refused while Entra is down", response)

    def _restore(self, before: int) -> int:
        """Ends the fault and lets workers fetch keys at once; returns the number of requests for keys."""
        affected = self._key_requests() - before
        self.cloud.entra.faults.clear()
        for each in self.cloud.workers:
            each.clocks.age_keys(_RETRY_SECONDS)
        return affected

    def _key_requests(self) -> int:
        return self.cloud.entra.faults.hits().get("keys", 0)

    def _refresh_marketplace_keys(self) -> None:
        """Makes the Marketplace emulator fetch the present key, so that its requests do not count later."""
        person = self.fleet.people[0].history
        access_token = mint_token(self.cloud, person.tid, person.oid, "nobody")
        address = f"{self.cloud.marketplace.url}/api/saas/subscriptions?api-version=2018-08-31"
        requests.get(address, headers={"Authorization": f"Bearer {access_token}"}, timeout=SECONDS)

    def _request(self, worker: Worker, key: Literal["current", "unpublished"]) -> KeyResponse:
        """Reads the running timer of a test user, which changes nothing."""
        person = self.fleet.people[0]
        access_token = mint_token(self.cloud, person.history.tid, person.history.oid, person.name, key=key)
        connection = HTTPConnection(worker.base.removeprefix("http://"), timeout=SECONDS)
        try:
            connection.request("GET", "/api/timers/running", headers={"Authorization": f"Bearer {access_token}"})
            http_response = connection.getresponse()
            content = http_response.read()
        except (OSError, HTTPException):
            return KeyResponse(None, None)
        finally:
            connection.close()
        is_json = "json" in http_response.headers.get("Content-Type", "")
        return KeyResponse(http_response.status, json.loads(content).get("code") if content and is_json else None)

    def _add_violation(self, kind: str, worker: Worker, detail: str, response: KeyResponse) -> None:
        self.fleet.violations.append(
            Violation(kind, f"{detail}: {worker.name} answered {response.status} {response.code or ''}")
        )


def _choose_fault(rng: random.Random) -> Fault:
    return rng.choice((Fault(status=503), Fault(hang=True), Fault(body="<html>sorry</html>")))
