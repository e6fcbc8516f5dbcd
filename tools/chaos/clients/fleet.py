"""The fleet: tenants with their people, each on a thread with a history, a token and dice of their own."""

import contextlib
import datetime as dt
import random
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from devcloud.emulators.azure_devops import tokens as azure_devops_tokens
from devcloud.emulators.entra.admin import TokenOrder
from shared import clock
from tools.chaos.checks.violation import Violation
from tools.chaos.clients.history import History, Json, Operation, Outcome
from tools.chaos.clients.http import Client, Stop
from tools.chaos.clients.person import ORGANIZATION, Person
from tools.chaos.cloud.cloud import Cloud


if TYPE_CHECKING:
    from tools.chaos.clients.buyer import Buyer

_VALID: Final = 2 * 24 * 3600
_LATE: Final = dt.timedelta(hours=22)
_END_SECONDS: Final = 120.0  # whoever is at work waits for the last answers: three pages, of 20 seconds each at most
_TRIES: Final = 20


class NotWell(Exception):
    """Something did not come back, or did not come to its end, after the trouble: what is left cannot be compared."""


class NotReady(Exception):
    """The fleet could not begin: the product refused somebody while nothing was broken yet."""


@dataclass
class Fleet:
    """People at their desks, and buyers."""

    people: list[Person]
    stop: Stop
    buyers: list["Buyer"] = field(default_factory=list)
    broken: list[Exception] = field(default_factory=list)
    seen: list[Violation] = field(default_factory=list)  # while they were at work, by whoever made trouble
    end_seconds: float = _END_SECONDS
    _threads: list[threading.Thread] = field(default_factory=list)

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Everybody works until the block ends, or the run is over.

        Raises:
            NotWell: somebody is still at it long after that, and may be while histories are compared.
        """
        workers: list[Person | Buyer] = [*self.people, *self.buyers]
        self._threads = [
            threading.Thread(target=self._work, args=(each,), name=each.name, daemon=True) for each in workers
        ]
        for each in self._threads:
            each.start()
        try:
            yield
        finally:
            self.stop.end()
            deadline = time.monotonic() + self.end_seconds
            for each in self._threads:
                each.join(max(0.0, deadline - time.monotonic()))
        late = [each.name for each in self._threads if each.is_alive()]
        if late:
            raise NotWell(f"{', '.join(late)} did not stop working within {self.end_seconds:.0f} seconds")

    def close(self) -> None:
        for each in self.everybody:
            each.client.close()

    @property
    def everybody(self) -> list[Person]:
        """With those who bought something."""
        return [*self.people, *(member for buyer in self.buyers for member in buyer.members)]

    def _work(self, somebody: "Person | Buyer") -> None:
        try:
            somebody.work()
        except Exception as error:  # noqa: BLE001 - a slip of ours must not look like a quiet person
            self.broken.append(error)
            self.stop.end()

    @property
    def is_at_work(self) -> bool:
        return all(each.is_alive() for each in self._threads)


def directories(dice: random.Random, count: int) -> list[str]:
    """Ids of so many directories, the same for the same dice."""
    return [new_id(dice) for _ in range(count)]


def fleet(cloud: Cloud, tids: list[str], *, people: int, seed: int, stop: Stop) -> Fleet:
    """So many people of each directory, signed up and signed in; the first of each is the super admin.

    Raises:
        NotReady: the product refused one of them.
    """
    made = []
    for number, tid in enumerate(tids):
        for place in range(people):
            somebody = _person(cloud, tid, f"p{number}.{place}", random.Random(f"{seed}:{number}:{place}"), stop)  # noqa: S311 - no secret
            if place == 0:
                body = {"name": f"Firm {number}", "azureDevOpsOrganization": ORGANIZATION, "timeZone": "Europe/Berlin"}
                _insist(somebody, "sign-in", "POST", "tenants", body)
                if number % 2:
                    somebody.client.extra["If-Match"] = "*"
                    _insist(somebody, "sign-in", "PATCH", "tenant", {"writeBack": True})
                    del somebody.client.extra["If-Match"]
            else:
                _insist(somebody, "sign-in", "POST", "sign-in")
            if number % 2:
                somebody.client.extra["X-AzureDevOps-Token"] = _visitor(somebody)
            made.append(somebody)
    return Fleet(made, stop)


def token(cloud: Cloud, tid: str, oid: str, name: str, *, key: Literal["current", "unpublished"] = "current") -> str:
    """An access token as Entra words it, which lasts as long as a run may."""
    now, email = int(clock.now().timestamp()), f"{oid}@contoso.example"
    claims = {"iss": f"{cloud.entra.url}/{tid}/v2.0", "tid": tid, "oid": oid, "sub": oid, "name": name}
    times = {"iat": now - _VALID, "nbf": now - _VALID, "exp": now + _VALID}
    claims |= {"preferred_username": email, "email": email}
    return cloud.entra.admin.mint(TokenOrder(claims={**claims, **times}, key=key))


def _person(cloud: Cloud, tid: str, name: str, dice: random.Random, stop: Stop) -> Person:
    oid = new_id(dice)
    client = Client(cloud.bases, token(cloud, tid, oid, name), dice)
    return Person(name, History(tid, oid), client, dice, stop, clock.now() - _LATE)


def _visitor(somebody: Person) -> str:
    history = somebody.history
    visitor = azure_devops_tokens.Visitor(history.oid, somebody.name, f"{history.oid}@contoso.example", (ORGANIZATION,))
    return azure_devops_tokens.mint(visitor)


def _insist(somebody: Person, kind: str, method: str, path: str, body: Json | None = None) -> Operation:
    for _ in range(_TRIES):
        asked = somebody.ask(kind, method, path, body)
        if asked.outcome is Outcome.ACKNOWLEDGED:
            return asked
    raise NotReady(f"{somebody.name} was refused before anything was broken: {asked.told()}")


def new_id(dice: random.Random) -> str:
    """A random id, the same for the same dice."""
    return str(uuid.UUID(int=dice.getrandbits(128), version=4))
