"""Trouble with the keys that Entra signs with: out of reach while workers need them, and replaced by others.

A worker asks for keys once an hour, or when it meets one that it does not know, at most every ten seconds but for three
at once. So the run makes the keys at hand older, by the clock file, and sends requests of its own; what those are told
is judged here.
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
from tools.chaos.clients.fleet import Fleet, token
from tools.chaos.clients.http import SECONDS
from tools.chaos.cloud.cloud import Cloud
from tools.chaos.cloud.processes import Worker
from tools.chaos.faults.fault import End, Trouble


AWAY: Final = (REFRESH_AFTER + 60, 24 * 3600.0)  # so old are keys at hand in an outage in which they must hold
_TRIES: Final = 3
_MET: Final = "requests for keys"
_NOT_NOW: Final = {"signing_keys_unavailable", "signing_key_unknown"}
_ASKS_AGAIN: Final = max(ABSENT_FOR, FETCH_BURST * FETCH_PAUSE)  # until a worker asks for whatever it does not know


@dataclass(frozen=True, slots=True)
class Told:
    """What a request came to; no status where no answer came."""

    status: int | None
    code: str | None

    @property
    def is_keyless(self) -> bool:
        """Whether the worker did not have the key to check the token with, and could not ask for it, which passes."""
        return self.status == HTTPStatus.SERVICE_UNAVAILABLE and self.code in _NOT_NOW

    @property
    def is_taken(self) -> bool:
        """Whether the token was, whatever became of the request then."""
        return self.status is not None and self.status != HTTPStatus.UNAUTHORIZED and not self.is_keyless


@dataclass(frozen=True, slots=True)
class Keys:
    cloud: Cloud
    fleet: Fleet

    def troubles(self) -> list[Trouble]:
        return [
            Trouble("Entra's keys down", _MET, self._down, 1.0, 5.0),
            Trouble("worker started without keys", _MET, self._started_without, 0.5, 3.0),
            Trouble("Entra's keys rotated", _MET, self._rotated),
        ]

    def _down(self, dice: random.Random) -> End:
        """For up to 24 hours, by the age of the keys at hand: who signs in as before must not notice."""
        self._acquaint_marketplace()
        fresh = [each for each in self.cloud.workers if self._renews(each)]
        self.cloud.entra.faults.order({"keys": _fault(dice)})
        before = self._asked()
        age = dice.uniform(*AWAY)
        for each in self.cloud.workers:
            each.clocks.age_keys(age)
        with ThreadPoolExecutor(len(self.cloud.workers)) as pool:
            list(pool.map(self._cannot_tell, self.cloud.workers))

        def end() -> int:
            for each in fresh:
                self._serves(each)
            return self._up_again(before)

        return end

    def _started_without(self, dice: random.Random) -> End:
        """A worker that comes up while the keys are away can check nobody, and must not say it is their fault."""
        self._acquaint_marketplace()
        worker = dice.choice(self.cloud.workers)
        worker.kill()
        self.cloud.entra.faults.order({"keys": _fault(dice)})
        before = self._asked()
        worker.start()
        told = self._ask(worker, "current")
        if told.status is not None and not told.is_keyless:
            self._wrong("refused", worker, "a worker that has no keys answered a valid token", told)
        return lambda: self._up_again(before)

    def _rotated(self, _dice: random.Random) -> End:
        """Everything is signed with a new key at once, without notice: each worker has to ask for it, and takes it."""
        entra, before = self.cloud.entra, self._asked()
        entra.keys.rotate(drop_old=False)
        for each in self.fleet.everybody:
            each.client.token = token(self.cloud, each.history.tid, each.history.oid, each.name)
        for worker in self.cloud.workers:
            self._learns(worker)
        met = self._asked() - before
        self._acquaint_marketplace()
        return lambda: met

    def _learns(self, worker: Worker) -> None:
        """It takes the new key as soon as it may ask for it; a fetch from before that is let finish."""
        told = Told(None, None)
        for _ in range(_TRIES):
            told = self._ask(worker, "current")
            if told.status == HTTPStatus.UNAUTHORIZED:
                self._wrong("refused", worker, "a key that is published is taken for unknown", told)
            if told.status is None or not told.is_keyless:
                return
            worker.clocks.age_keys(FETCH_PAUSE)
        self._wrong("refused", worker, "a key that is published is not asked for", told)

    def _renews(self, worker: Worker) -> bool:
        """Whether it has fetched its keys just now, as the answer to an unknown one shows."""
        worker.clocks.age_keys(_ASKS_AGAIN)
        told = self._ask_as_stranger(worker)
        return told.status == HTTPStatus.UNAUTHORIZED

    def _cannot_tell(self, worker: Worker) -> None:
        """While keys are away nobody knows whether Entra has one that is unknown here, and nobody says so."""
        told = self._ask_as_stranger(worker)
        if told.status == HTTPStatus.UNAUTHORIZED:
            self._wrong("refused", worker, "a key that cannot be asked for is taken for unknown", told)

    def _ask_as_stranger(self, worker: Worker) -> Told:
        """A key that Entra never published makes a worker ask for it, and lets nobody in whatever comes of that."""
        told = self._ask(worker, "unpublished")
        refused = told.status == HTTPStatus.UNAUTHORIZED
        if told.status is not None and not refused and not told.is_keyless:
            self._wrong("failed", worker, "a token that Entra never signed was not refused", told)
        return told

    def _serves(self, worker: Worker) -> None:
        told = self._ask(worker, "current")
        if told.status is not None and not told.is_taken:
            self._wrong("refused", worker, "a key that was known is not taken while Entra is away", told)

    def _up_again(self, before: int) -> int:
        """Ends it, as if it were long enough ago to ask for keys; how often they were asked for meanwhile."""
        met = self._asked() - before
        self.cloud.entra.faults.clear()
        for each in self.cloud.workers:
            each.clocks.age_keys(_ASKS_AGAIN)
        return met

    def _asked(self) -> int:
        return self.cloud.entra.faults.hits().get("keys", 0)

    def _acquaint_marketplace(self) -> None:
        """Shows the stand-in the key in use: it asks for keys like the workers, as Microsoft's own need not."""
        somebody = self.fleet.people[0].history
        shown = token(self.cloud, somebody.tid, somebody.oid, "nobody")
        address = f"{self.cloud.marketplace.url}/api/saas/subscriptions?api-version=2018-08-31"
        requests.get(address, headers={"Authorization": f"Bearer {shown}"}, timeout=SECONDS)

    def _ask(self, worker: Worker, key: Literal["current", "unpublished"]) -> Told:
        """Looks, as one of the fleet, at what they have running: that leaves nothing behind."""
        somebody = self.fleet.people[0]
        shown = token(self.cloud, somebody.history.tid, somebody.history.oid, somebody.name, key=key)
        connection = HTTPConnection(worker.base.removeprefix("http://"), timeout=SECONDS)
        try:
            connection.request("GET", "/api/timers/running", headers={"Authorization": f"Bearer {shown}"})
            response = connection.getresponse()
            raw = response.read()
        except (OSError, HTTPException):
            return Told(None, None)
        finally:
            connection.close()
        is_json = "json" in response.headers.get("Content-Type", "")
        return Told(response.status, json.loads(raw).get("code") if raw and is_json else None)

    def _wrong(self, what: str, worker: Worker, detail: str, told: Told) -> None:
        self.fleet.seen.append(Violation(what, f"{detail}: {worker.name} answered {told.status} {told.code or ''}"))


def _fault(dice: random.Random) -> Fault:
    return dice.choice((Fault(status=503), Fault(hang=True), Fault(body="<html>sorry</html>")))
