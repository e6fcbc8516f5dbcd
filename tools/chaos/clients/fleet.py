"""The test users: people of several tenants, each on a thread with its own history, token and random choices."""

import contextlib
import datetime as dt
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from devcloud.emulators.azure_devops import tokens as azure_devops_tokens
from shared import clock
from tools.chaos.checks.violation import Violation
from tools.chaos.clients.buyer import Buyer
from tools.chaos.clients.history import History, Json, Operation, Outcome
from tools.chaos.clients.http import Client, StopCondition
from tools.chaos.clients.identities import mint_token, new_id
from tools.chaos.clients.person import ORGANIZATION, Person
from tools.chaos.cloud.cloud import Cloud


_OFFLINE_START: Final = dt.timedelta(hours=22)
_END_SECONDS: Final = 120.0  # the last responses: three pages of at most 20 seconds each
_MAX_TRIES: Final = 20


class RunInconclusive(Exception):
    """Something did not recover or did not end after the faults, so nothing can be compared."""


class FleetNotReady(Exception):
    """The product refused a test user before the first fault."""


@dataclass
class Fleet:
    """All test users: people who track time, and buyers."""

    people: list[Person]
    stop: StopCondition
    buyers: list[Buyer] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)  # found by faults during the run
    end_seconds: float = _END_SECONDS
    _threads: list[threading.Thread] = field(default_factory=list)

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """All users work until the block or the run ends.

        Raises:
            RunInconclusive: a user did not stop, and could still change data during the comparison.
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
        unfinished = [each.name for each in self._threads if each.is_alive()]
        if unfinished:
            raise RunInconclusive(f"{', '.join(unfinished)} did not stop working within {self.end_seconds:.0f} seconds")

    def close(self) -> None:
        for each in self.all_people:
            each.client.close()

    @property
    def all_people(self) -> list[Person]:
        """People and the members of buyers."""
        return [*self.people, *(member for buyer in self.buyers for member in buyer.members)]

    def _work(self, person: Person | Buyer) -> None:
        try:
            person.work()
        except Exception as error:  # noqa: BLE001 - an error of a client must end the run
            self.errors.append(error)
            self.stop.end()

    @property
    def is_working(self) -> bool:
        return all(each.is_alive() for each in self._threads)


def new_directory_ids(rng: random.Random, count: int) -> list[str]:
    """Random directory ids, repeated by the same seed."""
    return [new_id(rng) for _ in range(count)]


def build_fleet(cloud: Cloud, tids: list[str], *, people: int, seed: int, stop: StopCondition) -> Fleet:
    """People of each directory, signed up and signed in; the first of each is the super admin.

    Raises:
        FleetNotReady: the product refused one of them.
    """
    members = []
    for number, tid in enumerate(tids):
        for index in range(people):
            person = _build_person(cloud, tid, f"p{number}.{index}", random.Random(f"{seed}:{number}:{index}"), stop)  # noqa: S311 - no secret
            if index == 0:
                body = {"name": f"Firm {number}", "azureDevOpsOrganization": ORGANIZATION, "timeZone": "Europe/Berlin"}
                _retry_until_acknowledged(person, "sign-in", "POST", "tenants", body)
                if number % 2:
                    person.client.extra_headers["If-Match"] = "*"
                    _retry_until_acknowledged(person, "sign-in", "PATCH", "tenant", {"writeBack": True})
                    del person.client.extra_headers["If-Match"]
            else:
                _retry_until_acknowledged(person, "sign-in", "POST", "sign-in")
            if number % 2:
                person.client.extra_headers["X-AzureDevOps-Token"] = _mint_azure_devops_token(person)
            members.append(person)
    return Fleet(members, stop)


def _build_person(cloud: Cloud, tid: str, name: str, rng: random.Random, stop: StopCondition) -> Person:
    oid = new_id(rng)
    client = Client(cloud.bases, mint_token(cloud, tid, oid, name), rng)
    return Person(name, History(tid, oid), client, rng, stop, clock.now() - _OFFLINE_START)


def _mint_azure_devops_token(person: Person) -> str:
    history = person.history
    visitor = azure_devops_tokens.TokenUser(history.oid, person.name, f"{history.oid}@contoso.example", (ORGANIZATION,))
    return azure_devops_tokens.mint(visitor)


def _retry_until_acknowledged(person: Person, kind: str, method: str, path: str, body: Json | None = None) -> Operation:
    for _ in range(_MAX_TRIES):
        operation = person.request(kind, method, path, body)
        if operation.outcome is Outcome.ACKNOWLEDGED:
            return operation
    raise FleetNotReady(f"{person.name} was refused before the first fault: {operation.describe()}")
