"""Trouble with the keys that Entra signs with: out of reach while workers need them, and replaced by others.

A worker asks for keys once an hour, or when it meets one that it does not know. So the run makes the keys at hand
older, by the clock file, and sends requests of its own; what those are told is judged here.
"""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Final, Literal

import requests

from devcloud.chaos.client import SECONDS
from devcloud.chaos.cloud import Cloud
from devcloud.chaos.fleet import Fleet, token
from devcloud.chaos.processes import Worker
from devcloud.chaos.trouble import End, Trouble
from devcloud.chaos.violation import Violation
from devcloud.faults import Fault
from shared.signing_keys import FAILURE_PAUSE, REFRESH_AFTER, UNKNOWN_KID_PAUSE


AWAY: Final = (REFRESH_AFTER + 60, 24 * 3600.0)  # so old are keys at hand in an outage in which they must hold
_TRIES: Final = 3
_MET: Final = "requests for keys"
_NO_KEYS: Final = "signing_keys_unavailable"


@dataclass(frozen=True, slots=True)
class Told:
    """What a request came to; no status where no answer came."""

    status: int | None
    code: str | None

    @property
    def is_keyless(self) -> bool:
        """Whether the worker had no keys to check the token with, which passes."""
        return self.status == HTTPStatus.SERVICE_UNAVAILABLE and self.code == _NO_KEYS

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
            list(pool.map(self._refuses_strangers, self.cloud.workers))

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
        """A key is published, every worker fetches it within the five minutes, and everybody's tokens are of it."""
        self._acquaint_marketplace()
        entra, before = self.cloud.entra, self._asked()
        entra.keys.announce()
        if not all(self._learns(each) for each in self.cloud.workers):
            return lambda: 0
        entra.keys.roll_over()
        for each in self.fleet.everybody:
            each.client.token = token(self.cloud, each.history.tid, each.history.oid, each.name)
        met = self._asked() - before
        self._acquaint_marketplace()
        return lambda: met

    def _learns(self, worker: Worker) -> bool:
        """Whether it takes the next key, five minutes after it last asked; a fetch from before that is let finish."""
        told = Told(None, None)
        for _ in range(_TRIES):
            worker.clocks.age_keys(UNKNOWN_KID_PAUSE)
            told = self._ask(worker, "next")
            if told.is_taken:
                return True
        if told.status == HTTPStatus.UNAUTHORIZED:
            self._wrong("refused", worker, "a key that was published five minutes before is not known", told)
        return False

    def _renews(self, worker: Worker) -> bool:
        """Whether it has fetched its keys just now, as the answer to an unknown one shows."""
        worker.clocks.age_keys(UNKNOWN_KID_PAUSE)
        return self._refuses_strangers(worker)

    def _refuses_strangers(self, worker: Worker) -> bool:
        """A key that Entra never published makes a worker ask for it, and is refused whatever comes of that."""
        told = self._ask(worker, "unpublished")
        refused = told.status == HTTPStatus.UNAUTHORIZED
        if told.status is not None and not refused and not told.is_keyless:
            self._wrong("failed", worker, "a token that Entra never signed was not refused", told)
        return refused

    def _serves(self, worker: Worker) -> None:
        told = self._ask(worker, "current")
        if told.status is not None and not told.is_taken:
            self._wrong("refused", worker, "a key that was known is not taken while Entra is away", told)

    def _up_again(self, before: int) -> int:
        """Ends it, as if a failed fetch were half a minute ago; how often keys were asked for meanwhile."""
        met = self._asked() - before
        self.cloud.entra.faults.clear()
        for each in self.cloud.workers:
            each.clocks.age_keys(FAILURE_PAUSE)
        return met

    def _asked(self) -> int:
        return self.cloud.entra.faults.hits().get("keys", 0)

    def _acquaint_marketplace(self) -> None:
        """Shows the stand-in the key in use: it asks for keys like the workers, as Microsoft's own need not."""
        somebody = self.fleet.people[0].history
        shown = token(self.cloud, somebody.tid, somebody.oid, "nobody")
        address = f"{self.cloud.marketplace.url}/api/saas/subscriptions?api-version=2018-08-31"
        requests.get(address, headers={"Authorization": f"Bearer {shown}"}, timeout=SECONDS)

    def _ask(self, worker: Worker, key: Literal["current", "next", "unpublished"]) -> Told:
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
